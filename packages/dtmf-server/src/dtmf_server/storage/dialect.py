"""Everything in which SQLite and PostgreSQL differ. Nothing outside this file asks which engine it runs on.

Statements are plain SQL with `:name` parameters. Five marks stand for what the engines spell differently:
    IN @name     the parameter is a list
    @LOCK        locks the selected rows until the transaction ends
    @SKIP        the same, passing over rows that someone else holds
    @MATERIAL    keeps a WITH query from being folded into the rest
    @NEXT(name)  the id that a new row of that table gets, drawn where the query comes to it
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Table

Rows = Sequence[tuple[Any, ...]]

_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_NEXT = re.compile(r"@NEXT\(([a-z_]+)\)")
_LIST = re.compile(r"\bIN @([a-z_][a-z0-9_]*)")


class Dialect(Protocol):
    """What a transaction needs from its engine."""

    name: str
    has_concurrent_writers: bool  # while a transaction is under way

    def render(self, statement: str) -> str:
        """The statement in the engine's own spelling."""

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as the driver takes them."""

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Inserts all rows."""

    def insert_returning_ids(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Inserts all rows; the ids they got, in their order."""

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Sets each row's columns but the first, which is the key."""

    def add_up(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Adds to the column of the rows with these keys; those that are not there are inserted."""

    def select_in(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """The rows whose column has one of these values; the column is unique."""

    def allocate_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Ids nobody else gets, ascending."""

    def resync_sequences(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Makes drawn ids go on after the highest of each table, whose rows came with their ids."""
