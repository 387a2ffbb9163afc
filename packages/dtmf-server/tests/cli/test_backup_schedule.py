"""Backups on a schedule: none is replaced, only files of the same database are deleted, and a failure is tried again."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.cli import backup_schedule
from dtmf_server.cli.backup_schedule import RETRY_S
from dtmf_server.cli.main import main
from dtmf_server.core.errors import CannotStart
from dtmf_server.storage import backup as backups
from dtmf_server.storage import instance
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database
from harness import START_US, FakeWall, initialise

HOUR_S = 3600


class Stopped(Exception):
    """The test has seen enough rounds."""


@pytest.fixture
def schedule(db: Database, wall: FakeWall, tmp_path: Path) -> Callable[..., list[float]]:
    """Run so many rounds in a folder; return the waits between them. Time passes only while waiting."""
    folder = tmp_path / "backups"
    folder.mkdir()

    def run(rounds: int, *, keep: int = 3, into: Path = folder) -> list[float]:
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) >= rounds:
                raise Stopped
            wall.advance(seconds=seconds)

        with pytest.raises(Stopped):
            backup_schedule.run(db, into, every_s=6 * HOUR_S, keep=keep, wall_us=wall, sleep=sleep)
        return waits

    return run


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "backups").iterdir())


def test_backups_are_written_at_the_interval_and_the_oldest_deleted(
    db: Database, schedule: Callable[..., list[float]], tmp_path: Path
) -> None:
    assert schedule(5) == [6 * HOUR_S] * 5
    times = [name.rpartition("-")[2] for name in files(tmp_path)]
    assert times == ["20180101T130101Z.backup", "20180101T190101Z.backup", "20180102T010101Z.backup"]
    for path in (tmp_path / "backups").iterdir():
        assert backups.revision_of(path) and path.stat().st_mode & 0o777 == 0o600
    assert db.read_blocking(instance.unprotected_since_us) == START_US + 24 * HOUR_S * 1_000_000


def test_after_a_restart_the_next_backup_is_due_after_the_newest_file(
    schedule: Callable[..., list[float]], wall: FakeWall, tmp_path: Path
) -> None:
    schedule(1)
    wall.advance(seconds=HOUR_S)
    assert schedule(2) == [5 * HOUR_S, 6 * HOUR_S]
    assert len(files(tmp_path)) == 2


def test_other_files_are_never_deleted(schedule: Callable[..., list[float]], tmp_path: Path) -> None:
    schedule(1)
    (own,) = files(tmp_path)
    prefix = own[: len("dtmf-01234567-")]
    folder = tmp_path / "backups"
    others = {
        "dtmf-ffffffff-20170101T000000Z.backup": (folder / own).read_bytes(),  # of another database
        f"{prefix}20170101T000000Z.backup": b"not a backup",
        f"{prefix}20170101T000000Z.backup.old": (folder / own).read_bytes(),
        "notes.txt": b"",
    }
    for name, content in others.items():
        (folder / name).write_bytes(content)
    (folder / f"{prefix}20170102T000000Z.backup").symlink_to(folder / own)
    schedule(3, keep=1)
    assert {*others, f"{prefix}20170102T000000Z.backup"} <= {*files(tmp_path)} and own not in files(tmp_path)
    assert len(files(tmp_path)) == len(others) + 2


def test_files_from_the_future_count_as_the_oldest(schedule: Callable[..., list[float]], tmp_path: Path) -> None:
    """They were written while the clock was wrong: the backup that was just written must not be deleted for them."""
    schedule(1)
    (own,) = files(tmp_path)
    folder, prefix = tmp_path / "backups", own[: len("dtmf-01234567-")]
    for at in ("20380101T000000Z", "99999999T999999Z"):
        (folder / f"{prefix}{at}.backup").write_bytes((folder / own).read_bytes())
    assert schedule(2, keep=1) == [6 * HOUR_S] * 2
    assert files(tmp_path) == [f"{prefix}20180101T070101Z.backup", f"{prefix}99999999T999999Z.backup"]


def test_a_process_of_an_earlier_version_writes_no_backup_of_a_migrated_database(
    db: Database, schedule: Callable[..., list[float]], tmp_path: Path
) -> None:
    db.write_blocking(lambda tx: tx.run("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CannotStart, match=r"the database has revision 9999 and this process writes \w+: restart it"):
        schedule(1)
    assert files(tmp_path) == []


def test_a_failure_is_printed_and_tried_again(
    schedule: Callable[..., list[float]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(backups, "write", full)
        assert schedule(2) == [RETRY_S, RETRY_S]
    assert "the backup failed and will be retried: [Errno 28] No space left on device" in capsys.readouterr().out
    assert files(tmp_path) == []
    assert schedule(1) == [6 * HOUR_S] and len(files(tmp_path)) == 1


def test_a_missing_folder_is_refused(schedule: Callable[..., list[float]], tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="is not a folder: create it first"):
        schedule(1, into=tmp_path / "none")


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("6h", 21_600), ("30d", 2_592_000)])
def test_times_are_read(text: str, seconds: int) -> None:
    assert backup_schedule.every(text) == seconds


@pytest.mark.parametrize("text", ["0h", "6", "h", "6 h", "-6h", "31d", "1w", "1.5h", "٣h", ""])
def test_invalid_times_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        backup_schedule.every(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "10001", "²", ""])
def test_invalid_counts_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        backup_schedule.keep(text)


def test_a_backup_is_only_restored_into_a_service_of_its_mode(
    migrated_sqlite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_a, **_o: None)
    (tmp_path / "real.db").write_bytes(migrated_sqlite.read_bytes())
    database = open_database(f"sqlite:///{tmp_path / 'real.db'}")
    initialise(database, mode="production")
    database.close()
    monkeypatch.setenv("DTMF_MODE", "production")
    assert main(["backup", "--database", f"sqlite:///{tmp_path / 'real.db'}", str(tmp_path / "real.backup")]) == 0
    monkeypatch.delenv("DTMF_MODE")
    target = ["--database", f"sqlite:///{tmp_path / 'new.db'}", str(tmp_path / "real.backup")]
    assert main(["restore", *target]) == 2
    assert "this is a backup of a production service, and the configuration is for sandbox" in capsys.readouterr().err
    monkeypatch.setenv("DTMF_MODE", "production")
    assert main(["restore", *target]) == 0
