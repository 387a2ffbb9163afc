"""Everything in which SQLite and PostgreSQL differ. Nothing outside this file asks which engine it runs on.

Statements are plain SQL with `:name` parameters. Five marks stand for what the engines spell differently:
    IN @name     the parameter is a list
    @LOCK        locks the selected rows until the transaction ends
    @SKIP        the same, passing over rows that someone else holds
    @MATERIAL    keeps a WITH query from being folded into the rest
    @NEXT(name)  the id that a new row of that table gets, drawn where the query comes to it
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Protocol

import msgspec
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Table, Text

from dtmf_server.core.money import FIRST_CUSTOMER

Rows = Sequence[tuple[Any, ...]]

MATCHED_AT_ONCE = 256
WRITTEN_AT_ONCE = 64  # rows of a statement

_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
_NEXT = re.compile(r"@NEXT\(([a-z_]+)\)")
_LIST = re.compile(r"\bIN @([a-z_][a-z0-9_]*)")


class Dialect(Protocol):
    """What a transaction needs from its engine."""

    name: str
    others_write: bool  # while a transaction is under way

    def render(self, statement: str) -> str:
        """The statement in the engine's own spelling."""

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as the driver takes them."""

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Inserts all rows."""

    def add(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Inserts all rows; the ids they got, in their order."""

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Sets each row's columns but the first, which is the key."""

    def add_up(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Adds to the column of the rows with these keys; those that are not there are inserted."""

    def matching(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """The rows whose column has one of these values; the column is unique."""

    def draw_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Ids nobody else gets, ascending."""

    def continue_ids(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Makes drawn ids go on after the highest of each table, whose rows came with their ids."""


class SQLite:
    """The dialect of SQLite 3.35 or later."""

    name = "sqlite"
    others_write = False

    @lru_cache(maxsize=1024)  # noqa: B019 - one dialect object lives as long as the process
    def render(self, statement: str) -> str:
        """Lists become json_each; one writer needs no row locks."""
        statement = _LIST.sub(r"IN (SELECT value FROM json_each(:\1))", statement)
        statement = _NEXT.sub(r"(SELECT coalesce(max(id), 0) + 1 FROM \1)", statement)
        return statement.replace("@LOCK", "").replace("@SKIP", "").replace("@MATERIAL", "MATERIALIZED")

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Lists travel as JSON."""
        for name, value in parameters.items():
            if isinstance(value, list):
                parameters[name] = msgspec.json.encode(value).decode()
        return parameters

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Many rows to a statement: Python's driver lets go of the interpreter at each step of one, and has to get it back."""
        for some in _in_powers_of_two(rows):
            cursor.execute(_sqlite_insert(table.name, columns, len(some)), [*chain.from_iterable(some)])

    def add(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """The same; the rows of a statement get ids one after another, of which the driver knows the last."""
        ids: list[int] = []
        for some in _in_powers_of_two(rows):
            self.insert(cursor, table, columns, some)
            ids += range(cursor.lastrowid - len(some) + 1, cursor.lastrowid + 1)
        return ids

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Many rows to a statement, as they are inserted."""
        for some in _in_powers_of_two(rows):
            cursor.execute(_sqlite_update(table.name, columns, len(some)), [*chain.from_iterable(some)])

    def add_up(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Many rows to a statement, as they are inserted."""
        for some in _in_powers_of_two(rows):
            statement = f"{_sqlite_insert(table.name, (*key, column), len(some))} {_adding(table.name, key, column)}"
            cursor.execute(statement, [*chain.from_iterable(some)])

    def matching(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """Some hundred values to a statement: a third of the time that one statement for each takes."""
        rows: list[Any] = []
        for first in range(0, len(values), MATCHED_AT_ONCE):
            some = list(values[first : first + MATCHED_AT_ONCE])
            room = 1 << (len(some) - 1).bit_length()  # the last value fills it up: few statements to prepare
            marks = ", ".join("?" * room)
            cursor.execute(
                f"SELECT * FROM {table.name} WHERE {column} IN ({marks})", some + some[-1:] * (room - len(some))
            )
            rows += cursor.fetchall()
        return rows

    def draw_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """The ids after the highest: the one writer is alone, and rolls back what it does not keep."""
        if table.dialect_options["sqlite"]["autoincrement"]:
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,))
        else:
            cursor.execute(f"SELECT max(id) FROM {table.name}")
        row = cursor.fetchone()
        first = (row[0] if row and row[0] else 0) + 1
        return range(first, first + count)

    def continue_ids(self, cursor: Any, tables: Sequence[Table]) -> None:
        """SQLite goes on by itself."""


def _in_powers_of_two(rows: Rows) -> Iterator[Rows]:
    """All rows, in so few sizes that every statement is prepared once."""
    first = 0
    while left := len(rows) - first:
        count = min(1 << (left.bit_length() - 1), WRITTEN_AT_ONCE)
        yield rows[first : first + count]
        first += count


@cache
def _adding(table: str, key: tuple[str, ...], column: str) -> str:
    """How an insert adds to rows that are there."""
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {column} = {table}.{column} + excluded.{column}"


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


class PostgreSQL:
    """The dialect of PostgreSQL 14 or later, through psycopg 3."""

    name = "postgresql"
    others_write = True

    @lru_cache(maxsize=1024)  # noqa: B019 - one dialect object lives as long as the process
    def render(self, statement: str) -> str:
        """Lists become arrays. Locks are FOR NO KEY UPDATE: keys never change, and FOR UPDATE would wait for everyone
        who refers to the row, as two requests do that store their Idempotency-Key before they lock their account."""
        statement = _LIST.sub(r"= ANY(:\1)", statement.replace("%", "%%"))
        statement = statement.replace("@LOCK", "FOR NO KEY UPDATE").replace("@SKIP", "FOR NO KEY UPDATE SKIP LOCKED")
        statement = _NEXT.sub(r"nextval('\1_id_seq')", statement)
        return _PARAMETER.sub(r"%(\1)s", statement.replace("@MATERIAL", "MATERIALIZED"))

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """psycopg takes Python's values as they are."""
        return parameters

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """One statement for all rows: each column an array. One row goes as it is, in half the time."""
        cursor.execute(*_postgresql_insert(table, columns, rows))

    def add(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """The same. The sequence is asked as the rows come out of the arrays: in their order."""
        statement, values = _postgresql_insert(table, columns, rows)
        cursor.execute(f"{statement} RETURNING id", values)
        return sorted(row["id"] for row in cursor.fetchall())

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """One statement for all rows: each column an array. One row goes as it is, in half the time."""
        cursor.execute(*_postgresql_update(table, columns, rows))

    def add_up(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """One statement for all rows: each column an array."""
        statement, values = _postgresql_insert(table, (*key, column), rows)
        cursor.execute(f"{statement} {_adding(table.name, key, column)}", values)

    def matching(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """One statement for all values: an array."""
        statement = f"SELECT * FROM {table.name} WHERE {column} = ANY({_arrays(table, [column])})"
        cursor.execute(statement, (list(values),))
        rows: list[Any] = cursor.fetchall()
        return rows

    def draw_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """The sequence's next values. Ids of one account ascend in commit order: its row is locked first."""
        cursor.execute(
            "SELECT nextval(%s::regclass) AS id FROM generate_series(1, %s)", (f"{table.name}_id_seq", count)
        )
        return [row["id"] for row in cursor.fetchall()]

    def continue_ids(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Sequences know nothing of rows that came with an id."""
        for table in tables:
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id') AS sequence", (table.name,))
            if sequence := cursor.fetchone()["sequence"]:
                cursor.execute(
                    f"SELECT setval(%s::regclass, greatest((SELECT coalesce(max(id), 0) FROM {table.name}), %s))",
                    (sequence, FIRST_CUSTOMER - 1 if table.name == "accounts" else 1),
                )


def _transposed(rows: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _arrays(table: Table, columns: Iterable[str]) -> str:
    """An array for each column; %b is binary: psycopg writes it seven times faster than it quotes text."""
    return ", ".join(f"%b::{_POSTGRESQL_TYPES[type(table.c[column].type)]}[]" for column in columns)


_POSTGRESQL_TYPES = {
    BigInteger: "bigint",
    Integer: "integer",
    SmallInteger: "smallint",
    Text: "text",
    Boolean: "boolean",
    LargeBinary: "bytea",
}


def _postgresql_insert(table: Table, columns: tuple[str, ...], rows: Rows) -> tuple[str, Sequence[Any]]:
    return (
        (_insert_one(table, columns), rows[0]) if len(rows) == 1 else (_insert_many(table, columns), _transposed(rows))
    )


def _postgresql_update(table: Table, columns: tuple[str, ...], rows: Rows) -> tuple[str, Sequence[Any]]:
    if len(rows) > 1:
        return _update_many(table, columns), _transposed(rows)
    key, *values = rows[0]
    return _update_one(table, columns), (*values, key)


@cache
def _insert_one(table: Table, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(['%b'] * len(columns))})"


@cache
def _insert_many(table: Table, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({_arrays(table, columns)})"


@cache
def _update_one(table: Table, columns: tuple[str, ...]) -> str:
    key, *values = columns
    return f"UPDATE {table.name} SET {', '.join(f'{column} = %b' for column in values)} WHERE {key} = %b"


@cache
def _update_many(table: Table, columns: tuple[str, ...]) -> str:
    key, *values = columns
    assignments = ", ".join(f"{column} = new.{column}" for column in values)
    new = f"unnest({_arrays(table, columns)}) AS new ({', '.join(columns)})"
    return f"UPDATE {table.name} SET {assignments} FROM {new} WHERE {table.name}.{key} = new.{key}"


BUSY_MS = 10_000  # how long a connection waits for the locks of others


def sqlite_connection(path: str, *, read_only: bool = False, synchronous: str = "FULL") -> sqlite3.Connection:
    """A connection whose transactions are ours alone to begin and end."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",  # NORMAL lost acknowledged commits at power cuts
        "foreign_keys = ON",
        "recursive_triggers = ON",  # else INSERT OR REPLACE slips past the append-only triggers
        "secure_delete = ON",
        "temp_store = MEMORY",
        f"query_only = {'ON' if read_only else 'OFF'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if read_only:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection
