"""`dtmf-server backup --every`: writes a backup into a folder again and again, and deletes the oldest."""

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
from dtmf_server.storage import instance
from dtmf_server.storage.db import Database

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
    while True:
        sleep(_write_if_due(db, folder, every_s=every_s, keep=keep, now_us=wall_us()))


def _write_if_due(db: Database, folder: Path, *, every_s: int, keep: int, now_us: int) -> float:
    """Write a backup if it is time for one. Return the seconds until the next attempt."""
    try:
        written = of_service(db, folder)
        age_s = now_us // SECOND_US - _written_at_s(written[-1]) if written else every_s
        if 0 <= age_s < every_s:
            return every_s - age_s
        print_line(f"wrote {write(db, folder, now_us=now_us)}")
        for old in prune(db, folder, keep=keep):
            print_line(f"deleted {old}")
    except Exception as error:  # the next attempt may succeed: the disk was full, or the database away
        print_line(f"the backup failed and is tried again: {' '.join(str(error).split())}")
        return min(RETRY_S, every_s)
    return every_s


def write(db: Database, folder: Path, *, now_us: int) -> Path:
    """Write a backup and record it. Return its file, which is named after this database and the time."""
    from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

    at = datetime.fromtimestamp(now_us // SECOND_US, UTC)
    path = folder / f"{_prefix(db)}{at:{_TIME}}.backup"
    revision = migrate.head()
    db.read_blocking(lambda tx: backups.write(tx, path, revision=revision))
    db.write_blocking(lambda tx: instance.set_backed_up(tx, wall_us=now_us))
    return path


def of_service(db: Database, folder: Path) -> list[Path]:
    """Return the files that this command wrote for this database, oldest first: by name, and by how they begin."""
    name = re.compile(re.escape(_prefix(db)) + r"[0-9]{8}T[0-9]{6}Z\.backup")
    found = [path for path in folder.iterdir() if name.fullmatch(path.name)]
    return sorted(path for path in found if path.is_file() and not path.is_symlink() and backups.begins_like_one(path))


def prune(db: Database, folder: Path, *, keep: int) -> list[Path]:
    """Delete the oldest of these files but `keep`. Return those deleted."""
    old = of_service(db, folder)[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _prefix(db: Database) -> str:
    """Return the beginning of the file names of a database, which differs from that of every other."""
    key = db.read_blocking(instance.webhook_key)
    return f"dtmf-{sha256(b'backup' + key).hexdigest()[:8]}-"


def _written_at_s(path: Path) -> int:
    text = path.name.removesuffix(".backup").rpartition("-")[2]
    return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
