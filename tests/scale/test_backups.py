"""A backup is complete or it is refused; it is portable between the engines, and can be made while the service runs."""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

import effort
from dtmf_server.cli.main import main
from dtmf_server.storage import backup as backups
from end_to_end.test_kill import new_load
from support.databases import Place, PostgreSQLPlace, SQLitePlace, contents, is_unused
from support.kill_points import Dying
from support.load import Load
from support.server_process import Service

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `dtmf-server` in this process, without environment settings; return exit status and output."""
    for name in [name for name in os.environ if name.startswith("DTMF_")]:
        monkeypatch.delenv(name)

    def run_here(*arguments: object) -> tuple[int, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_here


@pytest.fixture
def backup(lived_sqlite: Path, tmp_path: Path, run: Run) -> bytes:
    """A complete backup."""
    file = tmp_path / "whole.backup"
    code, said = run("backup", "--database", f"sqlite:///{lived_sqlite}", file)
    assert code == 0, said
    return file.read_bytes()


def damaged_by_a_cut(whole: bytes) -> Iterator[tuple[str, bytes]]:
    for length in effort.chosen(len(whole), effort.SCALE_CUTS, salt="cut"):
        yield f"cut after {length} of {len(whole)} bytes", whole[:length]


def damaged_by_a_flip(whole: bytes) -> Iterator[tuple[str, bytes]]:
    for place in effort.chosen(8 * len(whole), effort.SCALE_CUTS, salt="flip"):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        if not _holds_the_same(bytes(flipped), whole):  # false where the bit is mere padding of a byte
            yield f"bit {place} flipped", bytes(flipped)


def _holds_the_same(one: bytes, other: bytes) -> bool:
    try:
        return gzip.decompress(one) == gzip.decompress(other)
    except (OSError, EOFError, zlib.error):
        return False


def damaged_otherwise(whole: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "twice", whole + whole
    yield "with something behind it", whole + b"\n"
    yield "its second half first", whole[len(whole) // 2 :] + whole[: len(whole) // 2]
    yield "zeros in the middle", whole[:300] + bytes(200) + whole[500:]
    yield "another file", b"SQLite format 3\x00" + bytes(1000)


@pytest.mark.parametrize("damages", [damaged_by_a_cut, damaged_by_a_flip, damaged_otherwise])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    backup: bytes,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    damages: Callable[[bytes], Iterator[tuple[str, bytes]]],
) -> None:
    file, target, tried = tmp_path / "damaged.backup", tmp_path / "target" / "dtmf.db", 0
    for damage, content in damages(backup):
        file.write_bytes(content)
        if tried >= effort.SCALE_RESTORED:
            with pytest.raises(backups.NotABackup):  # the first check that `restore` makes
                backups.revision_of(file)
            tried += 1
            continue
        code, said = run("restore", "--database", f"sqlite:///{target}", file)
        assert code == 2, f"{damage}: restored, {said}"
        assert said.startswith("dtmf-server: ") and "damaged.backup" in said and said.count("\n") == 1, (damage, said)
        assert not target.exists() or is_unused(contents(f"sqlite:///{target}")), damage
        tried += 1
    with capsys.disabled():
        print(f"{tried} backups {damages.__name__.replace('_', ' ')}: all refused, nothing restored")
    file.write_bytes(backup)  # the undamaged backup is accepted: the damage was the reason for the refusals
    assert run("restore", "--database", f"sqlite:///{target}", file)[0] == 0


def test_damage_with_a_valid_checksum_is_refused_by_checking_the_rows(backup: bytes, tmp_path: Path, run: Run) -> None:
    lines = gzip.decompress(backup).split(b"\n")
    wrong = {
        "a missing row": lines[:5] + lines[6:],
        "no last line": lines[:-2],
        "an unknown table": [line.replace(b'"table":"accounts"', b'"table":"acounts"') for line in lines],
        "a satoshi more": [line.replace(b",5000,", b",5001,") for line in lines],
        "another format": [line.replace(b"dtmf backup 1", b"dtmf backup 2") for line in lines],
        "another revision": [line.replace(b'"revision":"', b'"revision":"9') for line in lines],
        "no revision": [line.replace(b'"revision"', b'"revisioo"') for line in lines],
        "no columns": [line.replace(b'"columns"', b'"colums"') for line in lines],
        "an unknown column": [line.replace(b'"balance"', b'"balanse"') for line in lines],
        "no JSON": [*lines[:5], b"{", *lines[5:]],
    }
    file, target = tmp_path / "wrong.backup", tmp_path / "target" / "dtmf.db"
    for damage, kept in wrong.items():
        assert kept != lines, damage
        file.write_bytes(packed(b"\n".join(kept)))
        code, said = run("restore", "--database", f"sqlite:///{target}", file)
        assert code == 2, (damage, said)
        assert said.startswith("dtmf-server: ") and "Traceback" not in said, (damage, said)
        assert not target.exists() or is_unused(contents(f"sqlite:///{target}")), damage


def packed(lines: bytes) -> bytes:
    """Pack these lines into a backup file."""
    raw = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
        file.write(lines)
    return raw.getvalue()


def test_a_round_trip_through_the_other_engine_preserves_everything(
    lived_sqlite: Path, lived_postgres: str, postgres_url: str, tmp_path: Path, run: Run
) -> None:
    files, servers = SQLitePlace(tmp_path, lived_sqlite), PostgreSQLPlace(postgres_url, lived_postgres)
    for source, other in ((files, servers), (servers, files)):
        way: list[str] = [source.lived()]
        for number, target in enumerate((other, source)):
            way.append(target.empty())
            file = tmp_path / f"{source.engine}-{number}.backup"
            assert run("backup", "--database", way[-2], file)[0] == 0
            code, said = run("restore", "--database", way[-1], file)
            assert (code, "the ledger is consistent" in said) == (0, True), said
        first, second, third = map(contents, way)
        assert first is not None and first["transfers"] and first == second == third
    servers.drop_all()


def test_a_backup_is_restored_only_into_an_empty_database(place: Place, tmp_path: Path, run: Run) -> None:
    used, file = place.lived(), tmp_path / "backup"
    assert run("backup", "--database", used, file)[0] == 0
    before = contents(used)
    code, said = run("restore", "--database", used, file)
    assert code == 2 and "in use" in said
    assert contents(used) == before


def test_each_backup_of_a_service_under_load_is_consistent(tmp_path: Path, dying: Dying) -> None:
    with Service(tmp_path / "data") as service:
        load = new_load(service.wait_ready(), Random(effort.SCALE_SEED))
        load.add(300)
        threads = load.run(service.url, until_done=True)
        acked: list[set[str]] = []
        for number in range(2):
            acked.append(messages_acked(load))
            said = dying.command("backup", "--data", tmp_path / "data", tmp_path / f"{number}.backup")
            assert said.code == 0, said
        for thread in threads:
            thread.join()
        assert service.stop() == 0
    assert load.refused == []
    assert len(acked[0]) < len(acked[-1]), "nothing was acknowledged during the backups"
    for number, before in enumerate(acked):
        said = dying.command("restore", "--data", tmp_path / f"{number}", tmp_path / f"{number}.backup")
        assert said.code == 0 and "the ledger is consistent" in said.said, said
        found = contents(f"sqlite:///{tmp_path / str(number) / 'dtmf.db'}")
        assert found is not None
        texts = {value for row in found["messages"] for value in row if isinstance(value, str)}
        assert before <= texts, "messages acknowledged before the backup began are in it"


def messages_acked(load: Load) -> set[str]:
    """Return the texts of the messages acknowledged so far."""
    return {key for key in list(load.acked) if load.kinds[key] in ("receive", "send")}
