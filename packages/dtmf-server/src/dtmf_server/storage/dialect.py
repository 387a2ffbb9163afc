"""The differences between SQLite and PostgreSQL, as one Protocol: `sqlite/dialect.py`, `postgresql/dialect.py`.

Statements are PostgreSQL's, with `:name` parameters, which become `%(name)s` for PostgreSQL. Four rules translate them
for SQLite:
    id = ANY(:ids)                   id IN (SELECT value FROM json_each(:ids))
    id <> ALL(:ids)                  id NOT IN (SELECT value FROM json_each(:ids))
    FOR NO KEY UPDATE                removed, with SKIP LOCKED too: SQLite's one writer needs no row locks
    nextval('addresses_id_seq')      (SELECT coalesce(max(id), 0) + 1 FROM addresses)

Rows are locked FOR NO KEY UPDATE: keys never change, and FOR UPDATE would wait for every transaction that references
the row, such as two requests that store their Idempotency-Key before they lock their account.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Table

Rows = Sequence[tuple[Any, ...]]

UNTOUCHED = r"""'[^']*'|"[^"]*"|--[^\n]*"""  # string literals, quoted names, comments


class Dialect(Protocol):
    """The engine-specific part of a transaction."""

    name: str
    has_concurrent_writers: bool  # during a transaction

    def render(self, statement: str) -> str:
        """Return the statement in the engine's own syntax."""

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters as the driver expects them."""

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Insert all rows."""

    def insert_returning_ids(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Insert all rows and return their IDs, in order."""

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Update each row's columns; the first column is the key."""

    def increment(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Add to the column of the rows with these keys; missing rows are inserted."""

    def select_in(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows whose value of this unique column is one of `values`."""

    def allocate_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Return IDs that no other transaction gets, ascending."""

    def resync_sequences(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Make new IDs continue after the highest ID of each table whose rows were inserted with IDs."""


def translator(rules: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that replaces matches of each rule's pattern by its template, and leaves `UNTOUCHED` as it
    is."""
    patterns = [(re.compile(pattern), template) for pattern, template in rules.items()]
    anything = re.compile("|".join([*rules, UNTOUCHED]))

    def replacement(match: re.Match[str]) -> str:
        found = ((pattern.fullmatch(match[0]), template) for pattern, template in patterns)
        return next((rule.expand(template) for rule, template in found if rule), match[0])

    return lambda text: anything.sub(replacement, text)


@cache
def on_conflict_add(table: str, key: tuple[str, ...], column: str) -> str:
    """Return the end of an insert that adds to the column of existing rows."""
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {column} = {table}.{column} + excluded.{column}"
