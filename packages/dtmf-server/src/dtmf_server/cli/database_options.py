"""Resolves the database of a command, and translates the errors of opening it."""

import argparse
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dtmf_server.config import Config, ConfigError
from dtmf_server.core.errors import CannotStart
from dtmf_server.runtime.logging import mask
from dtmf_server.storage import schema_revision
from dtmf_server.storage.open import sqlite_path


def url_of(options: argparse.Namespace, configuration: Config) -> str:
    """Return the database URL: --database, else the configuration's, else a SQLite file in --data."""
    url = options.database or configuration.database.url
    if url is None:
        url = f"sqlite:///{options.data / 'dtmf.db'}"
    if not url.startswith(("sqlite:///", "postgresql://")) or url == "sqlite:///":
        raise ConfigError(f"--database {url.partition('://')[0]}://…: use sqlite:///path or postgresql://…")
    return str(url)


def require_existing(options: argparse.Namespace, configuration: Config) -> str:
    """Return the URL of an existing database, for commands that maintain one. Raises ConfigError if there is none."""
    url = url_of(options, configuration)
    if url.startswith("sqlite:///") and not sqlite_path(url).exists():
        raise ConfigError(f"there is no database at {sqlite_path(url)}: set its folder with --data DIR")
    return url


def require_current_schema(options: argparse.Namespace, configuration: Config) -> str:
    """Return the URL of a database with the latest schema, for commands that read one. Raises CannotStart."""
    url = require_existing(options, configuration)
    if schema_revision.is_newest(url):
        return url
    from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

    with translating_open_errors(url):
        revision, head = migrate.current(url), migrate.head()
    if revision != head:
        raise CannotStart(
            f"the database schema is at {revision or 'nothing'}, this version needs {head}: run dtmf-server migrate"
        )
    return url


def make_folder(url: str) -> None:
    """Create the folder of a SQLite file, accessible only to its owner: it holds messages, and the key for webhook
    secrets."""
    if url.startswith("sqlite:///"):
        with translating_open_errors(url):
            sqlite_path(url).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def translating_open_errors(name: str) -> Iterator[None]:
    """Translate errors that prevent a database or file from being opened into one line."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _open_errors()):
            raise
        cause = getattr(error, "orig", None) or error  # without the statement that SQLAlchemy quotes
        raise CannotStart(f"can't open {mask(name)}: {' '.join(str(cause).split())}") from error


def _open_errors() -> tuple[type[Exception], ...]:
    """Return the errors of opening or migrating a database. Importing them takes longer than opening one."""
    from alembic.util import CommandError  # noqa: PLC0415 - Alembic only where it is used
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - the same

    return OSError, sqlite3.Error, SQLAlchemyError, CommandError


@contextlib.contextmanager
def translating_file_errors(file: Path) -> Iterator[None]:
    """Translate errors that prevent a backup from being written or read into one line."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f"{file}: {error.strerror}") from error
