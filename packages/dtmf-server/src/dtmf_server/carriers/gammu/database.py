"""smsd's own database, SQLite or PostgreSQL, used from one thread of its own.

The SQL is the same for both: names are quoted, as smsd's PostgreSQL tables need, and parameters are `?`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg

from dtmf_server.carriers.gammu.settings import is_postgresql

BUSY_S, CONNECT_S, STATEMENT_S = 5, 5, 10
_ERRORS = (sqlite3.Error, psycopg.Error, OSError)

T = TypeVar("T")
Execute = Callable[..., Sequence[Sequence[Any]]]  # the SQL and its parameters: the rows


class SmsdUnavailable(Exception):
    """smsd's database can't be used now. `in_doubt`: the transaction may have been committed."""

    def __init__(self, reason: str, *, in_doubt: bool = False) -> None:
        self.in_doubt = in_doubt
        super().__init__(reason)


class SmsdDatabase:
    """A connection that is opened when it is needed, and opened again when it broke or the file was replaced."""

    def __init__(self, database: str) -> None:
        self._database, self.is_postgresql = database, is_postgresql(database)
        self._connection: Any = None
        self._file: tuple[int, int] | None = None  # the device and inode of the SQLite file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="smsd")

    async def do(self, work: Callable[[Execute], T], *, writes: bool = False) -> T:
        """Do `work` in one transaction. Raises SmsdUnavailable."""
        transaction = partial(self._transaction, work, writes=writes)
        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    def close(self) -> None:
        """Close the connection after the last transaction. The next one opens it again."""
        self._thread.submit(self._close)

    def _transaction(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE" if writes and not self.is_postgresql else "BEGIN")
            result = work(self._execute)
        except _ERRORS as error:
            self._close()
            raise SmsdUnavailable(_reason(error)) from error
        except BaseException:
            self._close()
            raise
        try:
            connection.execute("COMMIT")
        except _ERRORS as error:
            self._close()
            raise SmsdUnavailable(_reason(error), in_doubt=writes) from error
        return result

    def _close(self) -> None:
        """Close the connection, which rolls back what is not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*_ERRORS):
                connection.close()

    def _connected(self) -> Any:
        if self.is_postgresql:
            if self._connection is None:
                self._connection = _postgresql(self._database)
            return self._connection
        found = Path(self._database).stat()
        if self._connection is None or (found.st_dev, found.st_ino) != self._file:
            self._close()
            self._file = (found.st_dev, found.st_ino)
            self._connection = _sqlite(self._database)
        return self._connection

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        cursor = self._connection.execute(sql.replace("?", "%s") if self.is_postgresql else sql, parameters)
        return cursor.fetchall() if cursor.description else ()


def _sqlite(path: str) -> sqlite3.Connection:
    """Open the file. A file that is missing is not created: smsd's tables are made by its operator."""
    connection = sqlite3.connect(
        f"file:{quote(str(Path(path).resolve()))}?mode=rw",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = lambda octets: octets.decode("utf-8", "replace")  # smsd may store invalid UTF-8
    return connection


def _postgresql(url: str) -> "psycopg.Connection[Any]":
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_S,
        client_encoding="utf8",
        keepalives_idle=STATEMENT_S,  # and give up on a host that is gone
        keepalives_interval=5,
        keepalives_count=2,
        tcp_user_timeout=STATEMENT_S * 1000,
    )
    connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
    connection.execute("SET DateStyle = ISO")
    return connection


def _reason(error: Exception) -> str:
    """Return what is wrong in one line, without values that a database quotes."""
    if isinstance(error, psycopg.errors.Error) and error.sqlstate:
        return f"smsd's database: {type(error).__name__}"
    if isinstance(error, OSError):
        return f"smsd's database: {error.strerror or type(error).__name__}"
    return f"smsd's database: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
