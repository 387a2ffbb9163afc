"""Fresh databases in quick succession: an empty service for each run of the state machine, on either engine."""

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
_APPEND_ONLY = (schema.transfers, schema.minute_bookings, schema.operator_actions, schema.rental_prices)
_open: dict[str, Database] = {}  # server databases, emptied and reused


@contextmanager
def fresh_database(url: str) -> Iterator[Database]:
    """Yield an open database that is empty but for its tables, like a new one at this URL."""
    if not url.startswith("sqlite:///"):
        database = _open.get(url) or _open.setdefault(url, open_database(url))
        database.write_blocking(_empty)
        yield database
        return
    template = sqlite_path(url)
    path = template.with_name(f"{template.stem}-{next(_made)}.db")
    shutil.copyfile(template, path)
    database = SQLiteDatabase(path, synchronous="OFF")  # power cuts are not tested here
    try:
        yield database
    finally:
        database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def close_all() -> None:
    """Close every database that is still open."""
    while _open:
        _open.popitem()[1].close()


def _empty(tx: Tx) -> None:
    """Delete every row except the ledger's system accounts. Triggers that make tables append-only are off meanwhile."""
    for table in _APPEND_ONLY:
        tx.run(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
    for table in reversed(schema.metadata.sorted_tables):
        tx.run(f"DELETE FROM {table.name}" + (f" WHERE id >= {FIRST_CUSTOMER}" if table is schema.accounts else ""))
    for table in _APPEND_ONLY:
        tx.run(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
