"""Fixtures of the tests of `dtmf`: run in this process, against the real service on SQLite.

A conftest.py of such a folder imports them.
"""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF, cli
from dtmf_server.storage.db import Database
from harness import give_coins, open_account
from support.cli_process import SOURCE, TOKEN, Refused, Run, Said


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """An empty SQLite database: the engine makes no difference to a client."""
    path = tmp_path / "dtmf.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in and to keep configuration in; nothing of the caller's environment."""
    for name in [*os.environ]:
        if name.startswith("DTMF_") or name in {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"}:
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    return folder


@pytest.fixture
def account(db: Database) -> int:
    """An account with 100,000 satoshis."""
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    return account_id


@pytest.fixture
def dtmf(account: int, url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DTMF]:
    """The account's client; the environment says the same to the command."""
    monkeypatch.setenv("DTMF_URL", url)
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    with DTMF() as client:
        yield client


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `dtmf` in this process."""

    def run_here(*arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code: Any = cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert TOKEN not in said.out + said.err
        return Said(code, said.out, said.err)

    return run_here


@pytest.fixture
def refused(run: Run) -> Refused:
    """Runs it, and gives exit status and the one line on stderr with which it must refuse."""

    def refused_here(*arguments: object, stdin: str = "") -> tuple[int, str]:
        said = run(*arguments, stdin=stdin)
        assert said.out == ""
        assert said.err.startswith("dtmf: ")
        assert said.err.count("\n") == 1, said.err
        return said.code, said.err.removeprefix("dtmf: ").rstrip("\n")

    return refused_here
