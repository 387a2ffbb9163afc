"""Create databases, empty or copied from one with a history, and read their content."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg

from dtmf_server.storage import migrate, schema
from dtmf_server.storage.open import sqlite_path
from postgres import drop_database, fresh_database

Contents = dict[str, list[tuple[Any, ...]]]


class Place(Protocol):
    """Databases of one engine."""

    engine: str

    def empty(self) -> str:
        """Return the URL of a database without tables."""

    def lived(self) -> str:
        """Return the URL of a copy of the database with a history."""


class SQLitePlace:
    """Files in a folder."""

    engine = "sqlite"

    def __init__(self, folder: Path, lived: Path) -> None:
        self._folder, self._lived = folder, lived
        self._numbers = count(1)

    def empty(self) -> str:
        """Create an empty file, because `migrate` requires one."""
        path = self._folder / f"{next(self._numbers)}" / "dtmf.db"
        path.parent.mkdir()
        path.touch()
        return f"sqlite:///{path}"

    def lived(self) -> str:
        """Copy the file."""
        url = self.empty()
        shutil.copyfile(self._lived, sqlite_path(url))
        return url


class PostgreSQLPlace:
    """Databases of a server."""

    engine = "postgresql"

    def __init__(self, server: str, lived: str) -> None:
        self._server, self._lived = server, lived
        self._made: list[str] = []

    def empty(self) -> str:
        """Create a database."""
        self._made.append(fresh_database(self._server))
        return self._made[-1]

    def lived(self) -> str:
        """Copy the database."""
        self._made.append(fresh_database(self._server, template=self._lived))
        return self._made[-1]

    def drop_all(self) -> None:
        """Drop the created databases."""
        for url in self._made:
            drop_database(self._server, url)


def wait_until_left(url: str) -> None:
    """Wait until the transactions of a killed process have ended. The server notices its death by itself."""
    if not url.startswith("postgresql://"):
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(2000):
            row = connection.execute(others + " AND backend_type = 'client backend'").fetchone()
            if row == (0,):
                return
            connection.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("a client is still connected")


def contents(url: str) -> Contents | None:
    """Return every row of every table in the same form for both engines, without the time of the last backup; None for a
    database without tables."""
    if url.startswith("postgresql://"):
        with psycopg.connect(url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return _contents(connection.execute, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    with closing(sqlite3.connect(sqlite_path(url))) as file:
        file.execute("BEGIN")
        return _contents(file.execute, "SELECT name FROM sqlite_master WHERE type = 'table'")


def _contents(execute: Callable[..., Any], names: str) -> Contents | None:
    there = {name for (name,) in execute(names).fetchall()}
    tables = schema.metadata.sorted_tables
    if not there:
        return None
    assert there >= {table.name for table in tables}, "some tables are there, some are not"
    assert execute("SELECT version_num FROM alembic_version").fetchall() == [(migrate.head(),)]
    found = {}
    for table in tables:
        columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name != "backed_up_wall_us")
        rows = execute(f"SELECT {columns} FROM {table.name}").fetchall()
        found[table.name] = sorted((tuple(map(_plain, row)) for row in rows), key=repr)
    return found


def _plain(value: Any) -> Any:
    """Convert booleans to integers: SQLite stores 0 and 1 where PostgreSQL stores false and true."""
    return int(value) if isinstance(value, bool) else value


def is_unused(found: Contents | None) -> bool:
    """Return whether nothing was restored: no tables, or only new tables without a service in them."""
    return found is None or (not any(rows for name, rows in found.items() if name != "accounts"))
