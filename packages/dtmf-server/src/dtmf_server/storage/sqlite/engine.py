"""SQLite behind `read` and `write`: group commit.

Rules:
1. One writer thread takes everything in its queue, runs each fn in a SAVEPOINT of one transaction, commits once, then
   resolves all of them: a group commit for every operation.
2. An fn that raises is rolled back alone; the others in the batch are not affected.
3. On some errors (disk full), SQLite drops the whole transaction. The whole batch then fails, and the rest is not run: a
   later statement would commit alone.
4. A batch in which nothing has to be durable is committed without a sync; the next sync covers the whole log, and
   follows within `SYNC_WITHIN_S` in any case.
5. Readers have separate connections and never checkpoint; only one process writes.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.storage.db import DoFirst, Fn, Tx
from dtmf_server.storage.dialect import Dialect
from dtmf_server.storage.leases import LeaseHolder
from dtmf_server.storage.sqlite.dialect import BUSY_MS, SQLite, sqlite_connection
from dtmf_server.storage.wakeups import Wakeups

T = TypeVar("T")

GROUP_COMMIT_MAX = 256  # functions in one transaction: bounds how long the first one waits
READERS = 4
STILL_S = 0.01  # how long an event loop may be blocked
SYNC_WITHIN_S = 0.2  # how long a commit that need not be durable may stay unsynced


def _scrub(_tx: Tx) -> bool:
    """Placeholder for a scrub in the writer's queue; it is not a transaction."""
    raise AssertionError("the writer handles it separately")


class _Job:
    """A function in the writer's queue, and where its result goes."""

    __slots__ = ("durable", "error", "fn", "future", "holder", "lease", "leased", "loop", "result")

    def __init__(
        self,
        fn: Fn[Any],
        future: Any,
        loop: asyncio.AbstractEventLoop | None,
        *,
        durable: bool,
        holder: LeaseHolder | None = None,
    ) -> None:
        self.fn, self.future, self.loop, self.durable = fn, future, loop, durable
        self.holder, self.lease = holder, holder.lease() if holder else None
        self.leased: list[Any] = []
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Deliver the result; the caller may have gone in the meantime."""
        if self.holder is not None and self.lease is not None:
            self.holder.end_lease(self.leased)
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class SQLiteDatabase:
    """A SQLite file with one writer thread and a few reader threads."""

    def __init__(self, path: Path | str, *, synchronous: str = "FULL") -> None:
        self.dialect: Dialect = SQLite()
        self.wakeups = Wakeups()
        self.lease_holder: LeaseHolder | None = None
        self._path = str(path)
        self._synchronous, self._waits_for_disk = synchronous, True
        self._sync_by_s: float | None = None  # set while something is not synced yet
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._local = threading.local()
        self._read_connections: list[sqlite3.Connection] = []
        with _translated():
            self._connection = sqlite_connection(self._path, synchronous=synchronous)
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def write(self, fn: Fn[T], *, durable: bool = True) -> T:
        """Run fn in the next group commit."""
        while True:
            try:
                return await self._written(fn, durable=durable)
            except DoFirst as first:
                while await self._written(first.fn, durable=True):
                    pass

    async def _written(self, fn: Fn[T], *, durable: bool) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Job(fn, future, loop, durable=durable, holder=self.lease_holder))
        # Shielded by being a plain future: if the caller is cancelled, the work is still done.
        return await future

    async def read(self, fn: Fn[T]) -> T:
        """Run fn in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_blocking, fn)

    async def read_autocommit(self, fn: Fn[T]) -> T:
        """Run fn directly, in some 20 µs; a round trip to a thread takes five times as long."""
        with _translated():
            cursor = self._reading().cursor()
            try:
                return fn(Tx(self.dialect, cursor))
            finally:
                cursor.close()  # an unfetched row would keep its read transaction open

    async def scrub(self) -> bool:
        """Checkpoint the log into the file and truncate it. Deleted content is overwritten with zeros in the file
        (`secure_delete`), but stays in the log until later writes overwrite it."""
        return await self.write(_scrub)

    def write_blocking(self, fn: Fn[T]) -> T:
        """Run fn in the next group commit and block until then."""
        while True:
            try:
                return self._written_now(fn)
            except DoFirst as first:
                while self._written_now(first.fn):
                    pass

    def _written_now(self, fn: Fn[T]) -> T:
        future: Future[T] = Future()
        self._submit(_Job(fn, future, None, durable=True))
        return future.result()

    def read_blocking(self, fn: Fn[T]) -> T:
        """Run fn in this thread, in its own read transaction."""
        with _translated():
            connection = self._reading()
            cursor = connection.cursor()
            cursor.execute("BEGIN")
            try:
                return fn(Tx(self.dialect, cursor))
            finally:
                if connection.in_transaction:
                    cursor.execute("ROLLBACK")

    @asynccontextmanager
    async def advisory_lock(self, name: str) -> AsyncIterator[asyncio.Event]:
        """Yield immediately: only one process can have the file open, so every name is free."""
        yield asyncio.Event()

    def close(self) -> None:
        """Commit what is queued, then close every connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        for connection in self._read_connections:
            connection.close()
        self._connection.close()

    def _reading(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite_connection(self._path, read_only=True)
            with self._lock:
                self._read_connections.append(connection)
        return connection

    def _submit(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise StorageUnavailable("the service is stopping; nothing was stored")
            self._queue.put(job)

    def _write_loop(self) -> None:
        while True:
            jobs = self._next_batch()
            stop = jobs[-1] is None
            batch = [job for job in jobs if job is not None and job.fn is not _scrub]
            if batch:
                topics = self._commit(batch)
                self.wakeups.notify(topics)
                _resolve_all(batch)
            if scrubs := [job for job in jobs if job is not None and job.fn is _scrub]:
                self._empty_log(scrubs)
                _resolve_all(scrubs)
            if stop:
                return

    def _next_batch(self) -> list[_Job | None]:
        try:
            left_s = None if self._sync_by_s is None else max(0.0, self._sync_by_s - time.monotonic())
            jobs = [self._queue.get(timeout=left_s)]
        except queue.Empty:
            return [_Job(lambda _tx: None, Future(), None, durable=True)]
        while jobs[-1] is not None and len(jobs) < GROUP_COMMIT_MAX:
            try:
                jobs.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return jobs

    def _commit(self, batch: list[_Job]) -> set[str]:
        """Run the batch in one transaction; afterwards each job has its result or error."""
        cursor = self._connection.cursor()
        topics: set[str] = set()
        try:
            with _translated():
                durable = any(job.durable for job in batch) or self._is_to_sync()
                self._wait_for_disk(cursor, durable=durable)
                cursor.execute("BEGIN IMMEDIATE")
                with _event_loop_paused(batch):
                    for job in batch:
                        topics |= self._run_in_savepoint(cursor, job)
                if durable and self._sync_by_s is not None:
                    cursor.execute("PRAGMA user_version = 0")  # a commit that writes nothing would not sync
                cursor.execute("COMMIT")
                self._sync_by_s = None if durable else self._sync_by_s or time.monotonic() + SYNC_WITHIN_S
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            if self._sync_by_s is not None:
                self._sync_by_s = time.monotonic() + SYNC_WITHIN_S
            for job in batch:
                job.result, job.error, job.leased = None, error, []
            return set()
        finally:
            cursor.close()
        return topics

    def _empty_log(self, scrubs: list[_Job]) -> None:
        """Truncate the log without waiting for readers: a waiting writer would block every request."""
        try:
            with _translated():
                self._connection.execute("PRAGMA busy_timeout = 0")
                busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                for job in scrubs:
                    job.result = not busy
        except BaseException as error:
            for job in scrubs:
                job.error = error
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _is_to_sync(self) -> bool:
        return self._sync_by_s is not None and time.monotonic() >= self._sync_by_s

    def _wait_for_disk(self, cursor: sqlite3.Cursor, *, durable: bool) -> None:
        """Set whether the next commit waits for the disk."""
        if durable != self._waits_for_disk:
            cursor.execute(f"PRAGMA synchronous = {self._synchronous if durable else 'NORMAL'}")
            self._waits_for_disk = durable

    def _run_in_savepoint(self, cursor: sqlite3.Cursor, job: _Job) -> set[str]:
        """Run one job; its error affects only itself, unless SQLite has dropped the transaction."""
        tx = Tx(self.dialect, cursor, job.lease)
        cursor.execute("SAVEPOINT job")
        try:
            with _translated():
                job.result = job.fn(tx)
        except BaseException as error:
            if not self._connection.in_transaction:
                raise StorageUnavailable from error
            cursor.execute("ROLLBACK TO job")
            cursor.execute("RELEASE job")
            job.error = error
            return set()
        cursor.execute("RELEASE job")
        job.leased = tx.leased
        return tx.topics


@contextmanager
def _event_loop_paused(batch: list[_Job]) -> Iterator[None]:
    """Block the event loop that waits for the batch, for up to `STILL_S`.

    sqlite3 releases the GIL at every step of a statement. While a loop has other work, re-acquiring it takes longer
    than the steps do, and both finish later than if they ran one after the other.
    """
    loop = next((job.loop for job in batch if job.loop is not None), None)
    done = threading.Event()
    if loop is not None:
        with suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(done.wait, STILL_S)
    try:
        yield
    finally:
        done.set()


class _translated:
    """Translate the driver's errors about the disk or a lock into `StorageUnavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorname", "").startswith(
            (
                "SQLITE_FULL",
                "SQLITE_IOERR",
                "SQLITE_BUSY",
                "SQLITE_READONLY",
                "SQLITE_CANTOPEN",
                "SQLITE_NOMEM",
            )
        ):
            raise StorageUnavailable(
                f"the database can't accept writes right now ({error}); nothing was stored"
            ) from error


def _resolve_all(batch: list[_Job]) -> None:
    """Resolve the batch with one wake-up per event loop, however many callers wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        if job.loop is None:
            job.resolve()
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_each, jobs)


def _resolve_each(jobs: list[_Job]) -> None:
    for job in jobs:
        job.resolve()
