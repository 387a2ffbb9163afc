"""Transactions. `db.write(fn)` and `db.read(fn)` run `fn(tx)`, a plain function with no other effect, safe to
run again; what it returns is handed over once it is durable. An fn that raises is rolled back, alone.

After the commit the listeners of each `tx.notify(topic)` wake up, and the delivery worker of this process gets what the
transaction leased for it. Either may be lost: the tables tell what is to be done.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Table

from dtmf_server.storage.dialect import Dialect, Rows
from dtmf_server.storage.leases import Lease, LeaseHolder
from dtmf_server.storage.wakeups import Wakeups

T = TypeVar("T")
Row = Mapping[str, Any]


class Tx:
    """A transaction: PostgreSQL statements with `:name` parameters (see dialect.py), rows that read by column name."""

    __slots__ = ("_cursor", "_dialect", "lease", "leased", "topics")

    def __init__(self, dialect: Dialect, cursor: Any, lease: Lease | None = None) -> None:
        self._dialect = dialect
        self._cursor = cursor
        self.lease = lease  # what may be leased here; None: this process does not deliver, or has no room
        self.leased: list[Any] = []
        self.topics: set[str] = set()

    def all(self, statement: str, **parameters: Any) -> list[Row]:
        """Every row the statement gives."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        rows: list[Row] = self._cursor.fetchall()
        return rows

    def one(self, statement: str, **parameters: Any) -> Row | None:
        """The first row, None without one."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        row: Row | None = self._cursor.fetchone()
        return row

    def run(self, statement: str, **parameters: Any) -> int:
        """How many rows the statement changed."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        count: int = self._cursor.rowcount
        return count

    @property
    def has_concurrent_writers(self) -> bool:
        """Whether what was read may be another now, unless it was locked."""
        return self._dialect.has_concurrent_writers

    def lock_rows(self, statement: str, **parameters: Any) -> None:
        """Lock the rows that the statement finds until the transaction ends, where others write."""
        if self.has_concurrent_writers:
            self._cursor.execute(self._dialect.render(f"{statement} FOR NO KEY UPDATE"), self._dialect.bind(parameters))

    def insert(self, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Inserts all rows at once."""
        if rows:
            self._dialect.insert(self._cursor, table, columns, rows)

    def insert_returning_ids(self, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Inserts all rows at once; the id that each got, ascending. Lock the account first where their order matters."""
        return self._dialect.insert_returning_ids(self._cursor, table, columns, rows) if rows else ()

    def update(self, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Updates all rows at once; the first column is the key."""
        if rows:
            self._dialect.update(self._cursor, table, columns, rows)

    def increment(self, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Adds to the column of the rows with these keys, all at once; those that are not there are inserted. The rows
        are the key's columns and what to add; each key is among them once."""
        if rows:
            self._dialect.increment(self._cursor, table, key, column, rows)

    def select_in(self, table: Table, column: str, values: Sequence[Any]) -> list[Row]:
        """The rows whose column, a unique one, has one of these values."""
        return self._dialect.select_in(self._cursor, table, column, values) if values else []

    def allocate_ids(self, table: Table, count: int) -> Sequence[int]:
        """Ids for new rows, ascending. Lock the account first where their order matters."""
        return self._dialect.allocate_ids(self._cursor, table, count) if count else ()

    def resync_sequences(self, tables: Sequence[Table]) -> None:
        """Makes drawn ids go on after the highest id of each table."""
        self._dialect.resync_sequences(self._cursor, [table for table in tables if "id" in table.c])

    def notify(self, topic: str) -> None:
        """Wakes whoever listens to the topic, after the commit."""
        self.topics.add(topic)


Fn = Callable[[Tx], T]


class DoFirst(Exception):
    """Raised by a function that needs others to be committed before it: `write` runs `fn`, each time in a transaction of
    its own, until that returns false, and then the function again."""

    def __init__(self, fn: Fn[bool]) -> None:
        super().__init__("this transaction needs others to be committed before it")
        self.fn = fn


class Database(Protocol):
    """An open database, whichever engine it is."""

    dialect: Dialect
    wakeups: Wakeups
    lease_holder: LeaseHolder | None  # the delivery worker of this process

    async def write(self, fn: Fn[T], *, durable: bool = True) -> T:
        """Runs fn in a transaction and returns what it returned, once that is durable. If it need not be, a loss of power may
        undo it: it is made durable by the next one that has to be, and spares the wait for the disk."""

    async def read(self, fn: Fn[T]) -> T:
        """Runs fn on one consistent state."""

    async def read_autocommit(self, fn: Fn[T]) -> T:
        """Reads a few rows found by an index, each statement for itself: SQLite has them before a thread could be asked,
        PostgreSQL without a transaction around them."""

    def write_blocking(self, fn: Fn[T]) -> T:
        """`write` for callers without an event loop."""

    def read_blocking(self, fn: Fn[T]) -> T:
        """`read` for callers without an event loop."""

    def advisory_lock(self, name: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Holds a name that only one process of the service has at a time; the event is set when it is lost."""

    async def scrub(self) -> bool:
        """Removes what was erased from the database's files too, as far as the engine does that. False if something that
        reads an older state is in the way: try again later."""

    def close(self) -> None:
        """Finishes what was begun, then closes."""
