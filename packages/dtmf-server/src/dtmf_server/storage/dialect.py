"""What differs between SQLite and PostgreSQL, behind one Protocol: `sqlite/dialect.py`, `postgresql/dialect.py`.

Statements are PostgreSQL's, with `:name` parameters, which PostgreSQL gets as `%(name)s`. SQLite gets them by four rules:
    id = ANY(:ids)                   id IN (SELECT value FROM json_each(:ids))
    id <> ALL(:ids)                  id NOT IN (SELECT value FROM json_each(:ids))
    FOR NO KEY UPDATE                nothing, as for FOR NO KEY UPDATE SKIP LOCKED: its one writer needs no row locks
    nextval('addresses_id_seq')      (SELECT coalesce(max(id), 0) + 1 FROM addresses)

Rows are locked FOR NO KEY UPDATE: keys never change, and FOR UPDATE would wait for every transaction that refers to the
row, as two requests do that store their Idempotency-Key before they lock their account.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Table

Rows = Sequence[tuple[Any, ...]]

UNTOUCHED = r"""'[^']*'|"[^"]*"|--[^\n]*"""  # string literals, quoted names, comments


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

    def increment(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Adds to the column of the rows with these keys; those that are not there are inserted."""

    def select_in(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """The rows whose column has one of these values; the column is unique."""

    def allocate_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Ids nobody else gets, ascending."""

    def resync_sequences(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Makes drawn ids go on after the highest of each table, whose rows came with their ids."""


def translator(rules: Mapping[str, str]) -> Callable[[str], str]:
    """A function that replaces what matches a rule's pattern by its template, and leaves `UNTOUCHED` as it is."""
    patterns = [(re.compile(pattern), template) for pattern, template in rules.items()]
    anything = re.compile("|".join([*rules, UNTOUCHED]))

    def replacement(match: re.Match[str]) -> str:
        found = ((pattern.fullmatch(match[0]), template) for pattern, template in patterns)
        return next((rule.expand(template) for rule, template in found if rule), match[0])

    return lambda text: anything.sub(replacement, text)


@cache
def on_conflict_add(table: str, key: tuple[str, ...], column: str) -> str:
    """The end of an insert that adds to the column of rows that are there."""
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {column} = {table}.{column} + excluded.{column}"
