"""Databases to measure on: SQLite files and PostgreSQL databases, each migrated once and then copied."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from benchmarks.environments import CACHE
from dtmf_server.storage import migrate


class Engine(Protocol):
    """Creates databases."""

    name: str

    def empty(self) -> str:
        """Return the URL of a new database with the latest schema."""

    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database that has no open connections."""

    def drop(self, url: str) -> None:
        """Delete the database."""

    def about(self) -> str:
        """Return the version, and how durable a commit is."""


class SQLiteFiles:
    """SQLite files in one folder."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def empty(self) -> str:
        """Create a new file."""
        url = self._next()
        migrate.upgrade(url)
        return url

    def copy(self, url: str) -> str:
        """Copy the file, and sync the copy to disk before anything is measured."""
        copied = self._next()
        shutil.copyfile(path_of(url), path_of(copied))
        with path_of(copied).open("rb") as file:
            os.fsync(file.fileno())
        return copied

    def drop(self, url: str) -> None:
        """Delete the file and SQLite's files beside it."""
        for path in self._folder.glob(path_of(url).name + "*"):
            path.unlink()

    def about(self) -> str:
        """Return the library's version; durability costs a disk sync here."""
        import sqlite3

        return f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL"

    def _next(self) -> str:
        self._made += 1
        return f"sqlite:///{self._folder}/{self._made}.db"


class PostgreSQLDatabases:
    """Databases on one server."""

    name = "PostgreSQL"

    def __init__(self, server: str) -> None:
        self._server = server
        self._base, _, _ = server.rpartition("/")
        self._made: list[str] = []

    def empty(self) -> str:
        """Create a new database."""
        url = self._create("template0")
        migrate.upgrade(url)
        return url

    def copy(self, url: str) -> str:
        """Let the server copy the database, and write the copy out before anything is measured."""
        copied = self._create(url.rpartition("/")[2])
        self._admin(sql.SQL("CHECKPOINT"))
        return copied

    def drop(self, url: str) -> None:
        """Drop the database, disconnecting its clients."""
        self._made.remove(url)
        name = sql.Identifier(url.rpartition("/")[2])
        self._admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def about(self) -> str:
        """Return the server's version and durability settings."""
        with psycopg.connect(self._server) as connection:
            settings = [
                connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
                for name in ("server_version", "fsync", "synchronous_commit")
            ]
        version, fsync, commit = (row[0] if row else "?" for row in settings)
        return f"PostgreSQL {version}, fsync={fsync}, synchronous_commit={commit}"

    def drop_all(self) -> None:
        """Drop the remaining databases."""
        for url in list(self._made):
            self.drop(url)

    def _create(self, template: str) -> str:
        name = f"dtmf_bench_{os.getpid()}_{os.urandom(4).hex()}"
        self._admin(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        self._made.append(f"{self._base}/{name}")
        return self._made[-1]

    def _admin(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)


def path_of(url: str) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


@contextlib.contextmanager
def sqlite() -> Iterator[SQLiteFiles]:
    """SQLite on a disk: in the cache folder, since the system's temporary folder may be in memory."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="databases-", dir=CACHE) as folder:
        yield SQLiteFiles(Path(folder))


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQLDatabases]:
    """Yield the server that DTMF_TEST_PG_URL names, or else a private one that syncs its commits."""
    import postgres  # type: ignore[import-not-found]  # tests/postgres.py: found at run time

    url = os.environ.get("DTMF_TEST_PG_URL")
    with contextlib.nullcontext(url) if url else postgres.start_server(fsync=True) as server:
        databases = PostgreSQLDatabases(server)
        try:
            yield databases
        finally:
            databases.drop_all()
