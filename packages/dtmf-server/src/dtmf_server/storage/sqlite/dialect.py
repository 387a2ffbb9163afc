"""SQLite's dialect: how statements are rendered, and how many rows go into one."""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Table

from dtmf_server.storage.dialect import Rows, on_conflict_add, translator

MATCHED_AT_ONCE = 256
WRITTEN_AT_ONCE = 64  # rows per statement

_translated = translator(
    {
        r"= ANY\(:(\w+)\)": r"IN (SELECT value FROM json_each(:\1))",
        r"<> ALL\(:(\w+)\)": r"NOT IN (SELECT value FROM json_each(:\1))",
        r"\bFOR NO KEY UPDATE(?: SKIP LOCKED)?\b": "",
        r"nextval\('(\w+)_id_seq'\)": r"(SELECT coalesce(max(id), 0) + 1 FROM \1)",
    }
)


class SQLite:
    """The dialect of SQLite 3.35 or later."""

    name = "sqlite"
    has_concurrent_writers = False

    @lru_cache(maxsize=1024)  # noqa: B019 - one dialect object lives as long as the process
    def render(self, statement: str) -> str:
        """Return the statement, translated from PostgreSQL's SQL; cached per text."""
        return _translated(statement)

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Encode lists as JSON."""
        for name, value in parameters.items():
            if isinstance(value, list):
                parameters[name] = msgspec.json.encode(value).decode()
        return parameters

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Insert many rows per statement: the driver releases the GIL at each step of a statement, and has to
        re-acquire it."""
        for some in _in_powers_of_two(rows):
            cursor.execute(_sqlite_insert(table.name, columns, len(some)), [*chain.from_iterable(some)])

    def insert_returning_ids(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Insert the same way; the rows of a statement get consecutive IDs, of which the driver knows the last."""
        ids: list[int] = []
        for some in _in_powers_of_two(rows):
            self.insert(cursor, table, columns, some)
            ids += range(cursor.lastrowid - len(some) + 1, cursor.lastrowid + 1)
        return ids

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Update many rows per statement, as in `insert`."""
        for some in _in_powers_of_two(rows):
            cursor.execute(_sqlite_update(table.name, columns, len(some)), [*chain.from_iterable(some)])

    def increment(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Add with many rows per statement, as in `insert`."""
        adding = on_conflict_add(table.name, key, column)
        for some in _in_powers_of_two(rows):
            insert = _sqlite_insert(table.name, (*key, column), len(some))
            cursor.execute(f"{insert} {adding}", [*chain.from_iterable(some)])

    def select_in(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """Select some hundred values per statement, in a third of the time of one statement each."""
        rows: list[Any] = []
        for first in range(0, len(values), MATCHED_AT_ONCE):
            some = list(values[first : first + MATCHED_AT_ONCE])
            room = 1 << (len(some) - 1).bit_length()  # padded with the last value, so that few statements are prepared
            marks = ", ".join("?" * room)
            cursor.execute(
                f"SELECT * FROM {table.name} WHERE {column} IN ({marks})", some + some[-1:] * (room - len(some))
            )
            rows += cursor.fetchall()
        return rows

    def allocate_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Return the IDs after the highest: there is only one writer, and it rolls back what it does not use."""
        if table.dialect_options["sqlite"]["autoincrement"]:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,))
        else:
            cursor.execute(f"SELECT max(id) FROM {table.name}")
        row = cursor.fetchone()
        first = (row[0] if row and row[0] else 0) + 1
        return range(first, first + count)

    def resync_sequences(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Do nothing: SQLite continues after the highest ID."""


def _in_powers_of_two(rows: Rows) -> Iterator[Rows]:
    """Yield all rows in batches of few different sizes, so that every statement is prepared once."""
    first = 0
    while left := len(rows) - first:
        count = min(1 << (left.bit_length() - 1), WRITTEN_AT_ONCE)
        yield rows[first : first + count]
        first += count


@cache
def _sqlite_insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) {_sqlite_values(len(columns), rows)}"


@cache
def _sqlite_update(table: str, columns: tuple[str, ...], rows: int) -> str:
    key, *values = columns
    if rows == 1:  # in half the time
        return (
            f"UPDATE {table} SET {', '.join(f'{column} = ?{n}' for n, column in enumerate(values, 2))} WHERE {key} = ?1"
        )
    assignments = ", ".join(f"{column} = new.column{n}" for n, column in enumerate(values, 2))
    new = _sqlite_values(len(columns), rows)
    return f"UPDATE {table} SET {assignments} FROM ({new}) new WHERE {table}.{key} = new.column1"


def _sqlite_values(columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"VALUES {', '.join([row] * rows)}"


BUSY_MS = 10_000  # how long a connection waits for locks


def sqlite_connection(path: str, *, read_only: bool = False, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open a connection whose transactions only this code begins and ends."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",  # NORMAL lost acknowledged commits in power cuts
        "foreign_keys = ON",
        "recursive_triggers = ON",  # otherwise INSERT OR REPLACE bypasses the append-only triggers
        "secure_delete = ON",
        "temp_store = MEMORY",
        f"query_only = {'ON' if read_only else 'OFF'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if read_only:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection
