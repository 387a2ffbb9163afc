"""Transactions. `db.write(fn)` and `db.read(fn)` run `fn(tx)`, a plain function without other side effects, which may
be run again; its result is returned once it is durable. If fn raises, it alone is rolled back.

After the commit, the listeners of each `tx.notify(topic)` wake up, and this process's delivery worker gets what the
transaction leased for it. Either may get lost: the tables always say what is to be done.
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
    """A transaction: PostgreSQL statements with `:name` parameters (see dialect.py); rows are read by column name."""

    __slots__ = ("_cursor", "_dialect", "changes", "lease", "leased", "topics")

    def __init__(self, dialect: Dialect, cursor: Any, lease: Lease | None = None) -> None:
        self._dialect = dialect
        self._cursor = cursor
        self.lease = lease  # what may be leased here; None: this process does not deliver, or has no room
        self.leased: list[Any] = []
        self.topics: set[str] = set()
        self.changes: dict[str, list[int]] | None = None  # IDs noted, by table; None: not wanted

    def all(self, statement: str, **parameters: Any) -> list[Row]:
        """Return every row of the result."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        rows: list[Row] = self._cursor.fetchall()
        return rows

    def one(self, statement: str, **parameters: Any) -> Row | None:
        """Return the first row, or None."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        row: Row | None = self._cursor.fetchone()
        return row

    def run(self, statement: str, **parameters: Any) -> int:
        """Return the number of rows that the statement changed."""
        self._cursor.execute(self._dialect.render(statement), self._dialect.bind(parameters))
        count: int = self._cursor.rowcount
        return count

    @property
    def has_concurrent_writers(self) -> bool:
        """True if rows that were read may change before the commit, unless they are locked."""
        return self._dialect.has_concurrent_writers

    def lock_rows(self, statement: str, **parameters: Any) -> None:
        """Lock the rows of the statement until the transaction ends, if there are concurrent writers."""
        if self.has_concurrent_writers:
            self._cursor.execute(self._dialect.render(f"{statement} FOR NO KEY UPDATE"), self._dialect.bind(parameters))

    def insert(self, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Insert all rows at once."""
        if rows:
            self._dialect.insert(self._cursor, table, columns, rows)

    def insert_returning_ids(self, table: Table, columns: tuple[str, ...], rows: Rows) -> Sequence[int]:
        """Insert all rows at once and return their IDs, ascending. Lock the account first if their order matters."""
        ids = self._dialect.insert_returning_ids(self._cursor, table, columns, rows) if rows else ()
        self.note(table.name, ids)
        return ids

    def update(self, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
        """Update all rows at once; the first column is the key."""
        if rows:
            self._dialect.update(self._cursor, table, columns, rows)

    def increment(self, table: Table, key: tuple[str, ...], column: str, rows: Rows) -> None:
        """Add to a column of the rows with these keys, all at once; missing rows are inserted. Each row has the key
        columns and the amount to add; each key must occur only once."""
        if rows:
            self._dialect.increment(self._cursor, table, key, column, rows)

    def select_in(self, table: Table, column: str, values: Sequence[Any]) -> list[Row]:
        """Return the rows whose value of this unique column is one of `values`."""
        return self._dialect.select_in(self._cursor, table, column, values) if values else []

    def allocate_ids(self, table: Table, count: int) -> Sequence[int]:
        """Return IDs for new rows, ascending. Lock the account first if their order matters."""
        ids = self._dialect.allocate_ids(self._cursor, table, count) if count else ()
        self.note(table.name, ids)
        return ids

    def note(self, table: str, ids: Sequence[int]) -> None:
        """Note rows that the transaction creates or changes, for the record of an API request. Rows whose IDs it allocates
        are noted by themselves."""
        if self.changes is not None and ids:
            self.changes.setdefault(table, []).extend(ids)

    def resync_sequences(self, tables: Sequence[Table]) -> None:
        """Make new IDs continue after the highest ID of each table."""
        self._dialect.resync_sequences(self._cursor, [table for table in tables if "id" in table.c])

    def notify(self, topic: str) -> None:
        """Wake the listeners of the topic after the commit."""
        self.topics.add(topic)


Fn = Callable[[Tx], T]


class DoFirst(Exception):
    """Raised by a function that needs another one to be committed first: `write` runs `fn` in separate transactions
    until it returns False, and then the original function again."""

    def __init__(self, fn: Fn[bool]) -> None:
        super().__init__("this transaction needs others to be committed before it")
        self.fn = fn


class Database(Protocol):
    """An open database of either engine."""

    dialect: Dialect
    wakeups: Wakeups
    lease_holder: LeaseHolder | None  # this process's delivery worker

    async def write(self, fn: Fn[T], *, durable: bool = True) -> T:
        """Run fn in a transaction and return its result once it is durable. If `durable` is False, a power loss may
        undo it: it becomes durable with the next durable write, which saves waiting for the disk."""

    async def read(self, fn: Fn[T]) -> T:
        """Run fn on one consistent state."""

    async def read_autocommit(self, fn: Fn[T]) -> T:
        """Read a few rows found by an index, without a transaction around the statements: SQLite has them before a
        thread could be started, and PostgreSQL saves two round trips."""

    def write_blocking(self, fn: Fn[T]) -> T:
        """`write` for callers without an event loop."""

    def read_blocking(self, fn: Fn[T]) -> T:
        """`read` for callers without an event loop."""

    def advisory_lock(self, name: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Hold a name that only one process of the service can have at a time; the event is set if it is lost."""

    async def scrub(self) -> bool:
        """Remove erased data from the database's files too, as far as the engine can. Return False if a reader of an
        older state prevents that: try again later."""

    def close(self) -> None:
        """Finish what was started, then close."""
