"""Brings a database to the newest tables, all steps in one transaction: killed at any point, nothing has happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import event

_LOCK = 6_477_001  # PostgreSQL advisory lock: one process migrates, the others wait for it


def head() -> str:
    """The newest revision."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(url: str) -> str | None:
    """The database's revision, None for an empty one."""
    with _transaction(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str, revision: str = "head") -> None:
    """Applies every missing migration, or none if one of them fails. Raises CommandError for a SQLite file of another
    program."""
    config = _config()
    with _transaction(url) as connection:
        _refuse_foreign(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _refuse_foreign(connection: sqlalchemy.Connection) -> None:
    """A SQLite file is one program's: tables without a revision are not this service's."""
    if connection.dialect.name != "sqlite" or MigrationContext.configure(connection).get_current_revision() is not None:
        return
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    if set(tables) - {"alembic_version"}:
        raise CommandError(f"it belongs to another program, and has a table {tables[0]!r}: choose another file")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@contextmanager
def _transaction(url: str) -> Iterator[sqlalchemy.Connection]:
    """One transaction that takes in table definitions too, on either engine."""
    engine = sqlalchemy.create_engine(_driver_url(url), poolclass=sqlalchemy.pool.NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _own_sqlite_transactions)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection
            if engine.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                assert not broken, f"a migration broke foreign keys: {broken[:3]}"
    finally:
        engine.dispose()


def _own_sqlite_transactions(connection: object, _record: object) -> None:
    """The driver begins nothing by itself; foreign keys are off while tables are rebuilt, and checked at the end."""
    connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3.Connection behind SQLAlchemy's type
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the same
    for pragma in (
        "busy_timeout = 60000",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = OFF",
        "secure_delete = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _driver_url(url: str) -> str:
    """The URL as SQLAlchemy wants it: psycopg 3 by name."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1) if url.startswith("postgresql://") else url
