"""Settle the accounts that are out of money, recording each statement's query plan and, by triggers, every row written."""

import contextlib
import re
import sqlite3
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dtmf_server.operations import meter
from dtmf_server.storage.db import Database, Tx

DAY_US = 86_400_000_000

# The owner of a row, by table.
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
_MORE_ROWS = re.compile(r"(VALUES (\([?, ]+\)))(, \2)+")


@dataclass(slots=True)
class Settled:
    """The effects of settling."""

    due: int = 0
    settled: int = 0
    rows_written: int = 0
    rows_of_others: int = 0
    plans: dict[str, list[str]] = field(default_factory=dict)  # statement → the steps of its plan

    @property
    def scans(self) -> list[str]:
        """Return the steps that read a whole table."""
        return [step for plan in self.plans.values() for step in plan if _SCAN.search(step)]


class _Undo(Exception):
    """Rolls back a transaction."""


def settle_noting(db: Database, *, now_us: int) -> Settled:
    """Sweep until no account is due, each sweep in a transaction as in the meter. The plans come from a first sweep that
    is rolled back, since the recording triggers would show up in them."""
    found = Settled()
    with contextlib.suppress(_Undo):
        db.write_blocking(partial(_explain_sweep, db, found.plans, now_us))
    db.write_blocking(_watch)
    db.write_blocking(
        lambda tx: tx.run(f"CREATE TABLE due AS SELECT id FROM accounts WHERE depletes_at_us <= {now_us}")
    )
    while settled := db.write_blocking(lambda tx: meter.sweep(tx, now_us=now_us)):
        found.settled += settled
    found.due = _count(db, "due")
    found.rows_written = _count(db, "written")
    found.rows_of_others = _count(db, "written WHERE account_id NOT IN (SELECT id FROM due)")
    return found


def _explain_sweep(db: Database, plans: dict[str, list[str]], now_us: int, tx: Tx) -> None:
    explaining = Tx(db.dialect, _Explaining(tx._cursor, plans))
    meter.sweep(explaining, now_us=now_us)
    raise _Undo


class _Explaining:
    """A cursor that requests the plan of every statement before running it."""

    def __init__(self, cursor: Any, plans: dict[str, list[str]]) -> None:
        self._cursor, self._plans = cursor, plans
        self._is_sqlite = isinstance(cursor, sqlite3.Cursor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Explain and run it."""
        self._explain(statement, parameters)
        return self._cursor.execute(statement, parameters)

    def executemany(self, statement: str, rows: Any) -> Any:
        """Explain it for the first row, run it for all."""
        self._explain(statement, rows[0])
        return self._cursor.executemany(statement, rows)

    def _explain(self, statement: str, parameters: Any) -> None:
        shown = _MORE_ROWS.sub(r"\1, …", statement)  # the plan is the same for any number of rows
        if shown in self._plans:
            return
        how = "EXPLAIN QUERY PLAN " if self._is_sqlite else "EXPLAIN (COSTS OFF) "
        self._cursor.execute(how + statement, parameters)
        steps = [tuple(dict(row).values())[-1] for row in self._cursor.fetchall()]
        if self._is_sqlite:
            skipped = self._skipped(statement, parameters)
            steps = [step for step in steps if not step.endswith(skipped)]
        self._plans[shown] = [re.sub(r"\{[^}]*\}", "{…}", step) for step in steps]

    def _skipped(self, statement: str, parameters: Any) -> tuple[str, ...]:
        """The scans that SQLite jumps over: an INSERT of several rows is compiled with a search for rows that refer to the
        new ones, which runs only while a foreign key is violated (OP_FkIfZero), as none is between statements."""
        self._cursor.execute("EXPLAIN " + statement, parameters)
        opcodes = [dict(row) for row in self._cursor.fetchall()]
        guarded = [range(op["addr"], op["p2"]) for op in opcodes if op["opcode"] == "FkIfZero"]
        opened = {True: set[int](), False: set[int]()}  # root pages, by whether it is behind the jump
        for op in opcodes:
            if op["opcode"] in ("OpenRead", "OpenWrite"):
                opened[any(op["addr"] in addresses for addresses in guarded)].add(op["p2"])
        self._cursor.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'")
        tables = {row["rootpage"]: row["name"] for row in self._cursor.fetchall()}
        return tuple(f"SCAN {tables[page]}" for page in opened[True] - opened[False] if page in tables)


def _watch(tx: Tx) -> None:
    """Record every row written from now on, in the table `written`."""
    tx.run("CREATE TABLE written (account_id BIGINT)")
    for table, owner in _OWNER.items():
        for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
            note = f"INSERT INTO written VALUES ({owner.format(row=row)});"
            name = f"note_{table}_{event.lower()}"
            trigger = f"CREATE TRIGGER {name} AFTER {event} ON {table}"
            if isinstance(tx._cursor, sqlite3.Cursor):
                tx.run(f"{trigger} BEGIN {note} END")
                continue
            function = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            tx.run(f"{function} $$ BEGIN {note} RETURN NULL; END $$")
            tx.run(f"{trigger} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _count(db: Database, rows: str) -> int:
    found = db.read_blocking(lambda tx: tx.one(f"SELECT count(*) AS n FROM {rows}"))
    assert found is not None
    return int(found["n"])
