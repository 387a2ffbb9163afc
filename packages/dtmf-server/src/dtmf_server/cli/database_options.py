"""Where a command finds its database, and what it says when that can't be opened."""

import argparse
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dtmf_server.config import Config, ConfigError
from dtmf_server.core.errors import CannotStart
from dtmf_server.runtime.logging import mask
from dtmf_server.storage.open import sqlite_path


def url_of(options: argparse.Namespace, configuration: Config) -> str:
    """The database: --database, else the configuration's, else a SQLite file in --data."""
    url = options.database or configuration.database.url
    if url is None:
        url = f"sqlite:///{options.data / 'dtmf.db'}"
    if not url.startswith(("sqlite:///", "postgresql://")) or url == "sqlite:///":
        raise ConfigError(f"--database {url.partition('://')[0]}://…: give sqlite:///path or postgresql://…")
    return str(url)


def require_existing(options: argparse.Namespace, configuration: Config) -> str:
    """The same for commands that look after a database: it must be there."""
    url = url_of(options, configuration)
    if url.startswith("sqlite:///") and not sqlite_path(url).exists():
        raise ConfigError(f"there is no database at {sqlite_path(url)}: name its folder with --data DIR")
    return url


def require_current_schema(options: argparse.Namespace, configuration: Config) -> str:
    """The same for commands that read it: its tables must be the newest."""
    from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

    url = require_existing(options, configuration)
    with translating_open_errors(url):
        revision, head = migrate.current(url), migrate.head()
    if revision != head:
        raise CannotStart(f"the database is at {revision or 'nothing'}, this program at {head}: dtmf-server migrate")
    return url


def make_folder(url: str) -> None:
    """Makes the folder of a SQLite file, for its owner alone: it holds texts, and what signs webhooks."""
    if url.startswith("sqlite:///"):
        with translating_open_errors(url):
            sqlite_path(url).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def translating_open_errors(name: str) -> Iterator[None]:
    """Says in one line what keeps a database or file from being opened: its folder, its server, what it holds."""
    from alembic.util import CommandError  # noqa: PLC0415 - `--help` does not wait for it
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - the same

    try:
        yield
    except (OSError, sqlite3.Error, SQLAlchemyError, CommandError) as error:
        cause = getattr(error, "orig", None) or error  # without the statement that SQLAlchemy quotes
        raise CannotStart(f"can't open {mask(name)}: {' '.join(str(cause).split())}") from error


@contextlib.contextmanager
def translating_file_errors(file: Path) -> Iterator[None]:
    """Says in one line what keeps a backup from being written or read."""
    try:
        yield
    except OSError as error:
        raise CannotStart(f"{file}: {error.strerror}") from error
