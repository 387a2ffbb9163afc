"""The schema revision of a database, read without Alembic, which takes a quarter of a second to import."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dtmf_server.storage.open import sqlite_path

MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
_CURRENT = "SELECT version_num FROM alembic_version"


def newest() -> str:
    """Return the newest revision. The names of migrations begin with theirs."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py"))


def is_newest(url: str) -> bool:
    """True if the database can be opened and has the newest revision. If not, `migrate.upgrade` migrates it or says what
    is wrong."""
    read = _read_sqlite if url.startswith("sqlite:///") else _read_postgresql
    return read(url) == newest()


def _read_sqlite(url: str) -> str | None:
    path = quote(str(sqlite_path(url).absolute()))
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=60)) as connection:
            return next((row[0] for row in connection.execute(_CURRENT)), None)
    except sqlite3.Error:
        return None


def _read_postgresql(url: str) -> str | None:
    import psycopg  # noqa: PLC0415 - psycopg only where it is used

    try:
        with psycopg.connect(url) as server:
            return next((row[0] for row in server.execute(_CURRENT)), None)
    except psycopg.Error:
        return None
