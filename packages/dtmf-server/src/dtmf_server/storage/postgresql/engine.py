"""PostgreSQL behind the same `read` and `write` as SQLite: pooled connections, a thread per transaction."""

import asyncio
import contextlib
import selectors
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg_pool import ConnectionPool, PoolTimeout

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.storage.db import DoFirst, Fn, Tx
from dtmf_server.storage.dialect import Dialect
from dtmf_server.storage.leases import Lease, LeaseHolder
from dtmf_server.storage.postgresql.dialect import PostgreSQL
from dtmf_server.storage.wakeups import Wakeups

T = TypeVar("T")

BEGIN, BEGIN_NOT_SYNCED = "BEGIN", "BEGIN; SET LOCAL synchronous_commit = off"
CONNECTIONS = 12
RETRIES = 8  # of a transaction that lost a conflict (40001, 40P01)
CONNECT_TIMEOUT_S = 5.0
CHANNEL = "dtmf"
VACUUM_PAUSE_S = 60.0
ERASED_FROM = (
    "attempts",
    "events",
    "idempotency",
    "messages",
    "parts",
    "rentals",
)  # tables that contain texts
TOPICS_AT_ONCE = 200  # in one notification, which is limited to 8,000 bytes
LOCK_POLL_INTERVAL_S = 2.0  # how often a process polls for a name that another one holds
# The server releases a silent holder's locks within 3 + 2 * 2 s; those of a killed one immediately.
_SEEN_DEAD_SOON = "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2"


class PostgreSQLDatabase:
    """A PostgreSQL database; any number of processes may open it."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS) -> None:
        self.dialect: Dialect = PostgreSQL()
        self.wakeups = Wakeups()
        self.lease_holder: LeaseHolder | None = None
        self.url = url
        self._pool: ConnectionPool[psycopg.Connection[dict[str, Any]]] = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=CONNECT_TIMEOUT_S,
            reconnect_timeout=CONNECT_TIMEOUT_S,  # then again on demand: the pool's own pauses grow to minutes
            kwargs={"row_factory": dict_row, "connect_timeout": int(CONNECT_TIMEOUT_S)},
            configure=_configure,
            open=False,
        )
        self._pool.open()
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="postgresql")
        self._listener = _Listener(url, self.wakeups)
        self._vacuum_from_s = 0.0

    async def write(self, fn: Fn[T], *, durable: bool = True) -> T:
        """Run fn in a separate transaction, again if it lost a conflict."""
        if self.lease_holder is None:
            return await self._in_thread(self.write_blocking if durable else self._write_not_synced, fn)
        holder, leased = self.lease_holder, list[Any]()
        lease = holder.lease()
        run = partial(self._write, begin=BEGIN if durable else BEGIN_NOT_SYNCED, lease=lease, leased=leased)
        done = asyncio.get_running_loop().run_in_executor(self._threads, run, fn)
        if lease is not None:
            done.add_done_callback(lambda _: holder.end_lease(leased))
        return await asyncio.shield(done)

    async def read(self, fn: Fn[T]) -> T:
        """Run fn on one consistent state."""
        return await self._in_thread(self.read_blocking, fn)

    async def read_autocommit(self, fn: Fn[T]) -> T:
        """Run fn in a thread, since results come over a socket, but without the two round trips of a transaction."""
        return await self._in_thread(self._glance_now, fn)

    def _glance_now(self, fn: Fn[T]) -> T:
        with self._connection() as connection:
            return fn(Tx(self.dialect, connection.cursor()))

    async def scrub(self) -> bool:
        """Vacuum the tables from which texts are erased: until then the old row versions are in the files; later rows
        overwrite them. The write-ahead log contains them as long as the server keeps its segments."""
        if time.monotonic() < self._vacuum_from_s:  # anyone can delete an account, so this is rate-limited
            return False
        self._vacuum_from_s = time.monotonic() + VACUUM_PAUSE_S
        await asyncio.get_running_loop().run_in_executor(self._threads, self._vacuum)
        return True

    def _vacuum(self) -> None:
        with self._connection() as connection:
            connection.execute(f"VACUUM {', '.join(ERASED_FROM)}")

    def write_blocking(self, fn: Fn[T]) -> T:
        """Blocking `write`."""
        return self._write(fn, BEGIN)

    def _write_not_synced(self, fn: Fn[T]) -> T:
        return self._write(fn, BEGIN_NOT_SYNCED)

    def _write(self, fn: Fn[T], begin: str, lease: Lease | None = None, leased: list[Any] | None = None) -> T:
        while True:
            try:
                return self._write_once(fn, begin, lease, leased)
            except DoFirst as first:
                while self._write_once(first.fn, BEGIN, None, None):
                    pass

    def _write_once(self, fn: Fn[T], begin: str, lease: Lease | None, leased: list[Any] | None) -> T:
        for attempt in range(RETRIES):
            try:
                return self._run(fn, begin, lease, leased)
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
                if attempt == RETRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def read_blocking(self, fn: Fn[T]) -> T:
        """Blocking `read`."""
        return self._run(fn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    @asynccontextmanager
    async def advisory_lock(self, name: str) -> AsyncIterator[asyncio.Event]:
        """Hold an advisory lock on a separate connection; the server releases it when that connection dies."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                self.url, autocommit=True, connect_timeout=5, options=_SEEN_DEAD_SOON
            )
        except psycopg.OperationalError as error:
            raise StorageUnavailable(f"the database can't be reached ({error})") from error
        async with connection:
            while not await _try_lock(connection, name):  # noqa: ASYNC110 - another process holds it, and no event signals its release
                await asyncio.sleep(LOCK_POLL_INTERVAL_S)
            lost = asyncio.Event()
            watch = asyncio.create_task(_watch(connection, lost))
            try:
                yield lost
            finally:
                watch.cancel()

    def close(self) -> None:
        """Wait for what is in progress, then close every connection."""
        self._threads.shutdown()
        self._listener.close()
        self._pool.close()

    async def _in_thread(self, call: Callable[[Fn[T]], T], fn: Fn[T]) -> T:
        # Shielded: if the caller is cancelled, the transaction still completes.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, call, fn))

    def _run(self, fn: Fn[T], begin: str, lease: Lease | None = None, leased: list[Any] | None = None) -> T:
        with self._connection() as connection:
            cursor = connection.cursor()
            cursor.execute(begin, prepare=False)
            try:
                tx = Tx(self.dialect, cursor, lease)
                result = fn(tx)
                cursor.execute(_commit(tx.topics), prepare=False)
            except BaseException:
                with contextlib.suppress(psycopg.Error):
                    cursor.execute("ROLLBACK")
                raise
            if leased is not None:
                leased += tx.leased
            return result

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Yield a connection of the pool, in autocommit mode. Raises StorageUnavailable."""
        try:
            with self._pool.connection() as connection:
                connection.autocommit = True
                yield connection
        except (PoolTimeout, psycopg.errors.DiskFull) as error:
            raise StorageUnavailable(f"the database can't accept writes right now ({error})") from error
        except psycopg.OperationalError as error:
            if error.sqlstate in ("40001", "40P01"):
                raise
            self._pool.check()  # the others are likely dead too, and each would fail a request
            raise StorageUnavailable(f"the database can't be reached ({error})") from error


def _configure(connection: psycopg.Connection[Any]) -> None:
    """Send all integers as bigint: otherwise each width of each parameter creates another prepared statement."""
    for dumper in (Int8Dumper, Int8BinaryDumper):
        connection.adapters.register_dumper(int, dumper)


def _commit(topics: set[str]) -> str:
    """Return the end of a transaction, sent in one round trip: the notifications and the commit. Topics are combined,
    since each notification costs every listening process."""
    names = sorted(topics)
    payloads = [" ".join(names[first : first + TOPICS_AT_ONCE]) for first in range(0, len(names), TOPICS_AT_ONCE)]
    assert not any("'" in payload or "\\" in payload for payload in payloads), "topics need no quoting"
    return "".join(f"NOTIFY {CHANNEL}, '{payload}'; " for payload in payloads) + "COMMIT"


async def _try_lock(connection: psycopg.AsyncConnection[Any], name: str) -> bool:
    try:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"dtmf {name}",))
        row = await cursor.fetchone()
    except psycopg.OperationalError as error:
        raise StorageUnavailable(f"the database can't be reached ({error})") from error
    return bool(row and row[0])


async def _watch(connection: psycopg.AsyncConnection[Any], lost: asyncio.Event) -> None:
    """Set the event once the connection, and the lock with it, is gone."""
    try:
        while True:
            await asyncio.sleep(LOCK_POLL_INTERVAL_S)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.execute("SELECT 1")
    except (psycopg.Error, TimeoutError):
        lost.set()


class _Listener:
    """Turns NOTIFY into wake-ups. While its connection is down, listeners only wake by timeout."""

    def __init__(self, url: str, wakeups: Wakeups) -> None:
        self._url, self._wakeups = url, wakeups
        self._stopping = threading.Event()
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="postgresql-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop immediately."""
        self._stopping.set()
        self._stop.close()  # makes the other end readable
        self._thread.join()
        self._stopped.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with (
                    psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection,
                    selectors.DefaultSelector() as readable,
                ):
                    connection.execute(f"LISTEN {CHANNEL}")
                    readable.register(connection, selectors.EVENT_READ)
                    readable.register(self._stopped, selectors.EVENT_READ)
                    while not self._stopping.is_set():
                        for notification in connection.notifies(timeout=0):
                            self._wakeups.notify(set(notification.payload.split()))
                        readable.select()
            except psycopg.Error:
                self._stopping.wait(1.0)
