"""Shared fixtures: the command line run in this process, an account with its client, and a receiver."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.cli.main import main
from dtmf_server.server import process
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database
from harness import START_US, give_coins, initialise, new_token, open_account, runtime_over, serving
from support.webhook_receiver import Receiver, receiving


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run `dtmf-server` in this process; return exit code, stdout and stderr. The command must not start serving."""

    def serve(*_arguments: object, **_named: object) -> None:
        raise AssertionError("it serves")

    monkeypatch.setattr(process, "serve", serve)

    def run_here(*arguments: object) -> tuple[int, str, str]:
        try:
            code: Any = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = leaving.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_here


@pytest.fixture
def refused(run: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """Run a command that must fail with exit code 2. Returns its one line on stderr."""

    def refused_here(*arguments: object) -> str:
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), err
        assert err.startswith("dtmf-server: ")
        assert err.count("\n") == 1, err
        return err

    return refused_here


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """The database file of a sandbox with charges of every kind."""
    path = tmp_path_factory.mktemp("lived") / "dtmf.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    with closing(open_database(f"sqlite:///{path}")) as db:
        initialise(db)
        give_coins(db, open_account(db), 1_000_000)
        with serving(runtime_over(db, wall=lambda: START_US)) as url, DTMF(new_token(), base_url=url) as dtmf:
            dtmf.sandbox.deposit(dtmf.new_address()["address"], 5000)
            number = dtmf.start_rental("us-mobile")["e164"]
            dtmf.sandbox.receive(number, "+1234", "in")
            dtmf.send_message(number, "+1234", "out")
            dtmf.sandbox.advance(3600)
            ended = dtmf.start_rental("tiny")["e164"]
            dtmf.end_rental(ended)
    return path


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    """A folder with a copy of that file."""
    shutil.copy(lived, tmp_path / "dtmf.db")
    return tmp_path


@pytest.fixture
def account(db: Database) -> int:
    """An account with 100,000 satoshis."""
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    return account_id


@pytest.fixture
def dtmf(account: int, url: str) -> Iterator[DTMF]:
    """The account's client."""
    with DTMF(new_token(), base_url=url) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything by default."""
    with receiving() as started:
        yield started
