"""Fresh databases, one after the other and quickly: an empty service for each run of the machine, on any engine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.storage import schema
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database, sqlite_path
from dtmf_server.storage.sqlite.engine import SQLiteDatabase

_made = count(1)
_open: dict[str, Database] = {}  # servers' databases, which are emptied and not made anew


@contextmanager
def fresh_database(url: str) -> Iterator[Database]:
    """An open database without anything but its tables, as the one at this URL was before anyone used it."""
    if not url.startswith("sqlite:///"):
        database = _open.get(url) or _open.setdefault(url, open_database(url))
        database.write_blocking(_empty)
        yield database
        return
    template = sqlite_path(url)
    path = template.with_name(f"{template.stem}-{next(_made)}.db")
    shutil.copyfile(template, path)
    database = SQLiteDatabase(path, synchronous="OFF")  # what a power cut leaves is not asked here
    try:
        yield database
    finally:
        database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def close_all() -> None:
    """Closes what is still open."""
    while _open:
        _open.popitem()[1].close()


def _empty(tx: Tx) -> None:
    """Deletes every row but the ledger's own accounts. The books refuse that: their triggers are off meanwhile."""
    for table in (schema.transfers, schema.minute_bookings):
        tx.run(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
    for table in reversed(schema.metadata.sorted_tables):
        tx.run(f"DELETE FROM {table.name}" + (f" WHERE id >= {FIRST_CUSTOMER}" if table is schema.accounts else ""))
    for table in (schema.transfers, schema.minute_bookings):
        tx.run(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
