"""Upgrades a database to the latest schema, all steps in one transaction: if killed at any point, nothing has
changed."""

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

_LOCK = 6_477_001  # PostgreSQL advisory lock: one process migrates, the others wait


def head() -> str:
    """Return the newest revision."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(url: str) -> str | None:
    """Return the database's revision, or None for an empty one."""
    with _transaction(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every missing migration, or none if one fails. Raises CommandError for a SQLite file of another program."""
    config = _config()
    with _transaction(url) as connection:
        _refuse_foreign(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _refuse_foreign(connection: sqlalchemy.Connection) -> None:
    """Refuse a SQLite file with tables but no revision: it belongs to another program."""
    if connection.dialect.name != "sqlite" or MigrationContext.configure(connection).get_current_revision() is not None:
        return
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    if set(tables) - {"alembic_version"}:
        raise CommandError(f"it belongs to another program (it has a table {tables[0]!r}): choose another file")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@contextmanager
def _transaction(url: str) -> Iterator[sqlalchemy.Connection]:
    """Open one transaction that includes table definitions, on either engine."""
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
    """Keep the driver from starting transactions. Foreign keys are off while tables are rebuilt, and checked at the
    end."""
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
    """Return the URL as SQLAlchemy expects it, naming psycopg 3."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1) if url.startswith("postgresql://") else url
