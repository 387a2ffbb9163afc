"""No command overwrites an existing file: backups, restores, the token file, another program's database."""

import hashlib
import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from support.server_process import Said, Service, command

CONTENT = b"something without any other copy"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a sandbox that has run once."""
    folder = tmp_path_factory.mktemp("stopped") / "data"
    with Service(folder) as service:
        service.wait_ready().stop()
    return folder


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(stopped, tmp_path / "data"))


def make(kind: str, path: Path) -> None:
    """Create a file of this kind with this name."""
    if kind == "file":
        path.write_bytes(CONTENT)
    elif kind == "empty file":
        path.touch()
    elif kind == "link to a file":
        target = path.with_name("target")
        target.write_bytes(CONTENT)
        path.symlink_to(target)
    elif kind == "link to nothing":
        path.symlink_to(path.with_name("nothing"))
    elif kind == "second name of a file":
        path.with_name("first").write_bytes(CONTENT)
        os.link(path.with_name("first"), path)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)


def state(folder: Path) -> dict[str, tuple[int, str]]:
    """Return every name in the folder with its type, mode and content."""
    found = {}
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        held = str(path.readlink()) if path.is_symlink() else path.read_bytes().hex() if stat.S_ISREG(mode) else ""
        found[path.name] = (mode, hashlib.sha256(held.encode()).hexdigest())
    return found


def refused(said: Said, name: Path) -> None:
    assert (said.code, said.out) == (2, ""), said
    assert str(name) in said.err.splitlines()[-1], said
    assert "Traceback" not in said.err, said


KINDS = ["file", "empty file", "link to a file", "link to nothing", "second name of a file", "folder", "pipe"]


@pytest.mark.regression("backup-overwrites")
@pytest.mark.parametrize("kind", KINDS)
def test_backup_does_not_replace_an_existing_file(data: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    make(kind, folder / "dtmf.backup")
    before = state(folder)
    said = command("backup", "--data", data, folder / "dtmf.backup")
    assert state(folder) == before, said
    refused(said, folder / "dtmf.backup")


@pytest.mark.regression("backup-overwrites-database")
@pytest.mark.parametrize("name", ["dtmf.db", "dtmf.db.lock", "token", "url"])
def test_backup_does_not_replace_the_services_own_files(data: Path, name: str) -> None:
    before = (data / name).read_bytes()
    said = command("backup", "--data", data, data / name)
    assert (data / name).read_bytes() == before, said
    refused(said, data / name)
    assert command("verify", "--data", data).code == 0


def test_of_two_concurrent_backups_to_one_name_only_one_succeeds(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    said: list[Said] = []
    threads = [
        threading.Thread(target=lambda: said.append(command("backup", "--data", data, folder / "one")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.code for each in said) == [0, 2, 2, 2], said
    assert [path.name for path in folder.iterdir()] == ["one"]
    assert command("restore", "--data", tmp_path / "new", folder / "one").code == 0


def test_backup_to_a_relative_path(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("backup", "--data", data, "relative.backup").code == 0
    assert stat.S_IMODE((tmp_path / "relative.backup").stat().st_mode) == 0o600
    refused(command("backup", "--data", data, "relative.backup"), Path("relative.backup"))


def test_without_o_tmpfile_a_backup_does_not_replace_a_file_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dtmf_server.storage.files import new_file

    monkeypatch.delattr(os, "O_TMPFILE")
    with new_file(tmp_path / "one") as file:
        file.write(CONTENT)
        assert not (tmp_path / "one").exists()
    assert (tmp_path / "one").read_bytes() == CONTENT
    with pytest.raises(FileExistsError), new_file(tmp_path / "two") as file:
        file.write(CONTENT)
        (tmp_path / "two").write_bytes(b"was faster")
    assert (tmp_path / "two").read_bytes() == b"was faster"
    with pytest.raises(RuntimeError), new_file(tmp_path / "three"):
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.regression("run-overwrites-token-file")
@pytest.mark.parametrize("kind", ["file", "link to a file", "second name of a file"])
@pytest.mark.parametrize("name", ["token", "url"])
def test_run_does_not_overwrite_another_programs_file(tmp_path: Path, name: str, kind: str) -> None:
    make(kind, tmp_path / name)
    before = state(tmp_path)
    with Service(tmp_path) as service:
        service._ready.wait(60)
        service.process.terminate()
        code = service.wait(60)
    after = state(tmp_path)
    assert {each: after.get(each) for each in before} == before
    assert code == 2
    assert str(tmp_path / name) in service.err[-1]


@pytest.mark.regression("migrates-foreign-database")
@pytest.mark.parametrize("name", ["run", "restore"])
def test_another_programs_database_is_not_changed(data: Path, tmp_path: Path, name: str) -> None:
    backup, file = tmp_path / "backup", tmp_path / "other.db"
    assert command("backup", "--data", data, backup).code == 0
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
    arguments = ["--database", f"sqlite:///{file}", *([backup] if name == "restore" else ["--data", tmp_path / "new"])]
    with Service(tmp_path / "new", *arguments[:2]) if name == "run" else closing(file.open()) as service:
        if isinstance(service, Service):
            service._ready.wait(60)
            service.process.terminate()
            said = Said(service.wait(60), "", "\n".join(service.err))
        else:
            said = command(name, *arguments)
    with closing(sqlite3.connect(file)) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("recipes",)]
    assert said.code == 2 and "recipes" in said.err, said
