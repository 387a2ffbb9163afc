"""Settles whoever is out of money, and notes how: each statement's query plan, and every row it wrote, by triggers."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.databases import path_of
from dtmf_server.operations import meter
from dtmf_server.storage.db import Tx
from dtmf_server.storage.dialect import PostgreSQL, SQLite, sqlite_connection

DAY_US = 86_400_000_000

# Whose a row is, by table.
_OWNER = {
    "accounts": "{row}.id",
    "rentals": "{row}.account_id",
    "numbers": "{row}.last_account_id",
    "transfers": "{row}.account_id",
    "minute_bookings": "(SELECT account_id FROM rentals WHERE id = {row}.rental_id)",
    "events": "{row}.account_id",
    "messages": "{row}.account_id",
    "deliveries": "{row}.account_id",
    "tokens": "{row}.account_id",
}
_SCAN = re.compile(rf"\bSCAN ({'|'.join(_OWNER)})\b|\bSeq Scan on ({'|'.join(_OWNER)})\b")


@dataclass(slots=True)
class Settled:
    """What settling did."""

    due: int = 0
    settled: int = 0
    rows_written: int = 0
    rows_of_others: int = 0
    plans: dict[str, list[str]] = field(default_factory=dict)  # statement → the steps of its plan

    @property
    def scans(self) -> list[str]:
        """Steps that read a table from end to end."""
        return [step for plan in self.plans.values() for step in plan if _SCAN.search(step)]


def settle_noting(url: str, *, now_us: int) -> Settled:
    """Sweeps until nobody is due, each sweep a transaction as the meter makes it. The plans are those of a first sweep,
    which is undone: the triggers that note rows would show in them."""
    found = Settled()
    with _cursor(url) as cursor:
        _sweep(cursor, _Explaining(cursor, found.plans), now_us, "ROLLBACK")
        _watch(cursor)
        cursor.execute(f"CREATE TEMP TABLE due AS SELECT id FROM accounts WHERE depletes_at_us <= {now_us}")
        found.due = _count(cursor, "due")
        while settled := _sweep(cursor, cursor, now_us, "COMMIT"):
            found.settled += settled
        found.rows_written = _count(cursor, "written")
        found.rows_of_others = _count(cursor, "written WHERE account_id NOT IN (SELECT id FROM due)")
    return found


def _sweep(cursor: Any, through: Any, now_us: int, end: str) -> int:
    tx = Tx(SQLite() if isinstance(cursor, sqlite3.Cursor) else PostgreSQL(), through)
    cursor.execute("BEGIN")
    settled = meter.sweep(tx, now_us=now_us, rest_us=DAY_US)
    cursor.execute(end)
    return settled


class _Explaining:
    """A cursor that asks for the plan of every statement before it runs it."""

    def __init__(self, cursor: Any, plans: dict[str, list[str]]) -> None:
        self._cursor, self._plans = cursor, plans
        self._is_sqlite = isinstance(cursor, sqlite3.Cursor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Explains and runs it."""
        self._explain(statement, parameters)
        return self._cursor.execute(statement, parameters)

    def executemany(self, statement: str, rows: Any) -> Any:
        """Explains it for the first row, runs it for all."""
        self._explain(statement, rows[0])
        return self._cursor.executemany(statement, rows)

    def _explain(self, statement: str, parameters: Any) -> None:
        if statement in self._plans:
            return
        how = "EXPLAIN QUERY PLAN " if self._is_sqlite else "EXPLAIN (COSTS OFF) "
        self._cursor.execute(how + statement, parameters)
        steps = [tuple(dict(row).values())[-1] for row in self._cursor.fetchall()]
        self._plans[statement] = [re.sub(r"\{[^}]*\}", "{…}", step) for step in steps]


@contextlib.contextmanager
def _cursor(url: str) -> Iterator[Any]:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite_connection(str(path_of(url)))) as connection:
            yield connection.cursor()
        return
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as served:
        yield served.cursor()


def _watch(cursor: Any) -> None:
    """Notes every row that is written from now on, in the table `written`."""
    cursor.execute("CREATE TEMP TABLE written (account_id BIGINT)")
    for table, owner in _OWNER.items():
        for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
            note = f"INSERT INTO written VALUES ({owner.format(row=row)});"
            name = f"{table}_{event.lower()}"
            if isinstance(cursor, sqlite3.Cursor):
                cursor.execute(f"CREATE TEMP TRIGGER note_{name} AFTER {event} ON {table} BEGIN {note} END")
                continue
            cursor.execute(
                f"CREATE FUNCTION note_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {note} RETURN NULL; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER note_{name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION note_{name}()"
            )


def _count(cursor: Any, rows: str) -> int:
    cursor.execute(f"SELECT count(*) AS n FROM {rows}")
    return int(cursor.fetchone()["n"])
