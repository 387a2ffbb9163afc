"""`python server.py FULL run …`: run `dtmf-server` on a SQLite file with the `synchronous` mode given first.

Only for the proof that FULL is needed; the service itself has no such option.
"""

import sys

from dtmf_server.cli.main import main
from dtmf_server.server import startup
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import sqlite_path
from dtmf_server.storage.sqlite.engine import SQLiteDatabase

SYNCHRONOUS = sys.argv.pop(1)


def open_database(url: str) -> Database:
    """Open the SQLite database at this URL."""
    return SQLiteDatabase(sqlite_path(url), synchronous=SYNCHRONOUS)


if __name__ == "__main__":
    startup.open_database = open_database
    sys.exit(main())
