"""`dtmf-server backup --every`: writes backups into a folder on a schedule, and deletes the oldest."""

import argparse
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from dtmf_server.cli.output import print_line
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.units import SECOND_US
from dtmf_server.storage import backup as backups
from dtmf_server.storage import instance, schema_revision
from dtmf_server.storage.db import Database, Tx

RETRY_S = 300  # after a failure
KEEP = 28
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_TIME = "%Y%m%dT%H%M%SZ"
EVERY_MAX_S = 30 * _UNITS_S["d"]


def every(text: str) -> int:
    """Return the seconds of a text like 30m, 6h or 1d. Raises ArgumentTypeError."""
    found = re.fullmatch("([1-9][0-9]{0,3})([mhd])", text)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else 0
    if not 0 < seconds <= EVERY_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 30m, 6h or 1d, at most 30d")
    return seconds


def keep(text: str) -> int:
    """Return how many backups to keep. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def run(
    db: Database,
    folder: Path,
    *,
    every_s: int,
    keep: int,
    wall_us: Callable[[], int],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write a backup whenever the last one is `every_s` old, until `sleep` raises. After a failure, try again. Raises
    CannotStart without the folder."""
    if not folder.is_dir():
        raise CannotStart(f"{folder} is not a folder: create it first")
    revision = schema_revision.newest()
    while True:
        sleep(_write_if_due(db, folder, revision=revision, every_s=every_s, keep=keep, now_us=wall_us()))


def _write_if_due(db: Database, folder: Path, *, revision: str, every_s: int, keep: int, now_us: int) -> float:
    """Write a backup if it is time for one. Return the seconds until the next attempt."""
    try:
        written = of_service(db, folder, now_us=now_us)
        newest_s = (_written_at_s(written[-1]) or 0) if written else 0
        age_s = now_us // SECOND_US - newest_s
        if 0 <= age_s < every_s:
            return every_s - age_s
        print_line(f"wrote {write(db, folder, revision=revision, now_us=now_us)}")
        for old in prune(db, folder, keep=keep, now_us=now_us):
            print_line(f"deleted {old}")
    except CannotStart:
        raise
    except Exception as error:  # the disk may be full, or the database unreachable: the next attempt may succeed
        print_line(f"the backup failed and will be retried: {' '.join(str(error).split())}")
        return min(RETRY_S, every_s)
    return every_s


def write(db: Database, folder: Path, *, revision: str, now_us: int) -> Path:
    """Write a backup and record it. Return its file, which is named after this database and the time. Raises CannotStart if
    the database was migrated to another revision: this process knows the tables of its own."""
    at = datetime.fromtimestamp(now_us // SECOND_US, UTC)
    path = folder / f"{_prefix(db)}{at:{_TIME}}.backup"

    def dump(tx: Tx) -> None:
        if (found := instance.schema_revision(tx)) != revision:
            raise CannotStart(f"the database has revision {found} and this process writes {revision}: restart it")
        backups.write(tx, path, revision=revision)

    db.read_blocking(dump)
    db.write_blocking(lambda tx: instance.set_backed_up(tx, wall_us=now_us))
    return path


def of_service(db: Database, folder: Path, *, now_us: int) -> list[Path]:
    """Return the files that this command wrote for this database, recognized by name and by how they begin, oldest first.
    Those with a time in the future, written while the clock was wrong, count as the oldest."""
    prefix, now_s = _prefix(db), now_us // SECOND_US
    times = {path: _written_at_s(path) for path in folder.iterdir() if path.name.startswith(prefix)}
    found = [
        (at_s <= now_s, at_s, path)
        for path, at_s in times.items()
        if at_s is not None and path.is_file() and not path.is_symlink() and backups.begins_like_one(path)
    ]
    return [path for _, _, path in sorted(found)]


def prune(db: Database, folder: Path, *, keep: int, now_us: int) -> list[Path]:
    """Delete the oldest of these files but `keep`. Return those deleted."""
    old = of_service(db, folder, now_us=now_us)[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _prefix(db: Database) -> str:
    """Return the beginning of the file names of a database, which differs from that of every other."""
    key = db.read_blocking(instance.webhook_key)
    return f"dtmf-{sha256(b'backup' + key).hexdigest()[:8]}-"


def _written_at_s(path: Path) -> int | None:
    """Return the time in the name of a backup; None if this command did not write a file of this name."""
    found = re.fullmatch(r"dtmf-[0-9a-f]{8}-([0-9]{8}T[0-9]{6}Z)\.backup", path.name)
    try:
        return int(datetime.strptime(found[1], _TIME).replace(tzinfo=UTC).timestamp()) if found else None
    except ValueError:
        return None
