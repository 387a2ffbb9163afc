"""Opening the database that a URL names."""

from pathlib import Path

from dtmf_server.storage.db import Database
from dtmf_server.storage.sqlite.engine import SQLiteDatabase


def open_database(url: str) -> Database:
    """Open the database of `sqlite:///path` or `postgresql://…`; its tables must exist (`migrate.upgrade`)."""
    if url.startswith("sqlite:///"):
        return SQLiteDatabase(sqlite_path(url))
    from dtmf_server.storage.postgresql.engine import PostgreSQLDatabase  # noqa: PLC0415 - psycopg only where it is used

    return PostgreSQLDatabase(url)


def sqlite_path(url: str) -> Path:
    """Return the file of a `sqlite:///` URL."""
    return Path(url.removeprefix("sqlite:///"))
