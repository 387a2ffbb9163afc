"""The rows written by a piece of work, and the fastest plain way to write them again: the driver, one transaction."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.databases import path_of
from dtmf_server.storage.sqlite.dialect import sqlite_connection

# Each after the tables it refers to.
_NEW = ("transfers", "minute_bookings", "messages", "deliveries", "events")
_CHANGED = {
    "accounts": ("balance", "debt", "settled_at_us", "depletes_at_us", "low_balance_warnings"),
    "rentals": ("booked_minutes",),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table: new ones, or changes whose last column is the key."""

    table: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    types: tuple[str, ...]
    is_change: bool


Written = list[Rows]


def written_since(before_url: str, after_url: str) -> Written:
    """Return what differs between two databases, in the order in which it was written."""
    with _reading(before_url) as before, _reading(after_url) as after:
        new = [_new(table, before, after) for table in _NEW]
        order = _accounts_in_order(after, next(rows for rows in new if rows.table == "messages"))
        changed = [_changed(table, columns, before, after, order) for table, columns in _CHANGED.items()]
    return [rows for rows in new + changed if rows.rows]


def insert_plainly(url: str, written: Written) -> float:
    """Return the seconds from BEGIN to a durable COMMIT."""
    return _insert_sqlite(url, written) if url.startswith("sqlite") else _insert_postgresql(url, written)


def _insert_sqlite(url: str, written: Written) -> float:
    statements = []
    for rows in written:
        if rows.is_change:
            assignments = ", ".join(f"{column} = ?" for column in rows.columns[:-1])
            statements.append((f"UPDATE {rows.table} SET {assignments} WHERE id = ?", rows.rows))
        else:
            marks = ", ".join("?" * len(rows.columns))
            statements.append((f"INSERT INTO {rows.table} ({', '.join(rows.columns)}) VALUES ({marks})", rows.rows))
    with contextlib.closing(sqlite_connection(str(path_of(url)))) as connection:
        started_s = perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            connection.executemany(statement, values)
        connection.execute("COMMIT")
        return perf_counter() - started_s


def _insert_postgresql(url: str, written: Written) -> float:
    statements = []
    for rows in written:
        arrays = ", ".join(f"%b::{type_}[]" for type_ in rows.types)
        names = ", ".join(rows.columns)
        if rows.is_change:
            assignments = ", ".join(f"{column} = new.{column}" for column in rows.columns[:-1])
            statement = f"UPDATE {rows.table} old SET {assignments} FROM unnest({arrays}) AS new ({names}) WHERE old.id = new.id"
        else:
            statement = f"INSERT INTO {rows.table} ({names}) SELECT * FROM unnest({arrays})"
        statements.append((statement, [list(column) for column in zip(*rows.rows, strict=True)]))
    with psycopg.connect(url, autocommit=True) as connection:
        started_s = perf_counter()
        connection.execute("BEGIN")
        for statement, values in statements:
            connection.execute(statement, values)
        connection.execute("COMMIT")
        return perf_counter() - started_s


@contextlib.contextmanager
def _reading(url: str) -> Iterator[Any]:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(path_of(url))) as connection:
            yield connection
        return
    with psycopg.connect(url) as served:
        yield served


def _new(table: str, before: Any, after: Any) -> Rows:
    """Return the new rows, without the columns that are null in all of them."""
    key = "transfer_id" if table == "minute_bookings" else "id"
    last = before.execute(f"SELECT coalesce(max({key}), 0) FROM {table}").fetchone()[0]
    cursor = after.execute(f"SELECT * FROM {table} WHERE {key} > {last} ORDER BY {key}")
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    used = [at for at in range(len(names)) if any(row[at] is not None for row in rows)]
    columns = tuple(names[at] for at in used)
    return Rows(table, columns, [tuple(row[at] for at in used) for row in rows], _types(after, table, columns), False)


def _accounts_in_order(after: Any, messages: Rows) -> list[tuple[int, int]]:
    """Return the account and rental of each message, in the order of arrival."""
    account, rental = messages.columns.index("account_id"), messages.columns.index("rental_id")
    return [(row[account], row[rental]) for row in messages.rows]


def _changed(table: str, columns: tuple[str, ...], before: Any, after: Any, order: list[tuple[int, int]]) -> Rows:
    """Return the changed rows, in the order of arrival of the messages that changed them."""
    names = (*columns, "id")
    select = f"SELECT {', '.join(names)} FROM {table} ORDER BY id"
    unchanged = set(before.execute(select).fetchall())
    changed = {row[-1]: row for row in after.execute(select).fetchall() if row not in unchanged}
    at = 0 if table == "accounts" else 1
    rows = [changed[pair[at]] for pair in order if pair[at] in changed]
    assert len(rows) == len(changed), "each account got one message"
    return Rows(table, names, rows, _types(after, table, names), True)


def _types(connection: Any, table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns' types, for PostgreSQL's arrays."""
    if isinstance(connection, sqlite3.Connection):
        return ()
    found = dict(
        connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = %s AND table_schema = current_schema()",
            (table,),
        ).fetchall()
    )
    return tuple(found[column] for column in columns)
