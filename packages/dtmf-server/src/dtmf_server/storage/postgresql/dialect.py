"""PostgreSQL's dialect: how statements are rendered, and how many rows go into one."""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Table, Text

from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.storage.dialect import Rows, on_conflict_add, translator

_with_parameters = translator({r"(?<!:):([a-z_][a-z0-9_]*)": r"%(\1)s"})


class PostgreSQL:
    """The dialect of PostgreSQL 14 or later, through psycopg 3."""

    name = "postgresql"
    has_concurrent_writers = True

    @lru_cache(maxsize=1024)  # noqa: B019 - one dialect object lives as long as the process
    def render(self, statement: str) -> str:
        """Return the statement with psycopg's parameter syntax; cached per text."""
        return _with_parameters(statement.replace("%", "%%"))

    def bind(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters unchanged: psycopg accepts Python values."""
        return parameters

    def insert(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Insert all rows with one statement, each column as an array. A single row is inserted directly, in half the
        time."""
        cursor.execute(*_postgresql_insert(table, columns, rows))

    def insert_returning_ids(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Insert the same way and return the IDs, which the sequence assigns in the order of the arrays."""
        statement, values = _postgresql_insert(table, columns, rows)
        cursor.execute(f"{statement} RETURNING id", values)
        return sorted(row["id"] for row in cursor.fetchall())

    def update(self, cursor: Any, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Update all rows with one statement, each column as an array. A single row is updated directly, in half the
        time."""
        cursor.execute(*_postgresql_update(table, columns, rows))

    def increment(self, cursor: Any, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Add with one statement for all rows, each column as an array."""
        statement, values = _postgresql_insert(table, (*key, column), rows)
        cursor.execute(f"{statement} {on_conflict_add(table.name, key, column)}", values)

    def select_in(self, cursor: Any, table: Table, column: str, values: Sequence[Any]) -> list[Any]:
        """Select with one statement for all values, as an array."""
        statement = f"SELECT * FROM {table.name} WHERE {column} = ANY({_arrays(table, [column])})"
        cursor.execute(statement, (list(values),))
        rows: list[Any] = cursor.fetchall()
        return rows

    def allocate_ids(self, cursor: Any, table: Table, count: int) -> Sequence[int]:
        """Return the sequence's next values. IDs of one account ascend in commit order because its row is locked
        first."""
        cursor.execute(
            "SELECT nextval(%s::regclass) AS id FROM generate_series(1, %s)", (f"{table.name}_id_seq", count)
        )
        return [row["id"] for row in cursor.fetchall()]

    def resync_sequences(self, cursor: Any, tables: Sequence[Table]) -> None:
        """Set the sequences: they do not see rows inserted with an ID."""
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
    """Return an array parameter per column; %b is binary, which psycopg writes seven times faster than it quotes
    text."""
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
