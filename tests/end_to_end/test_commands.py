"""The command line: the findings of verify, usage errors, and no tracebacks."""

import os
import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.server_process import command, rows

Run = Callable[..., tuple[int, str, str]]


def test_verify_reports_that_a_correct_ledger_is_correct(data: Path, run: Run) -> None:
    code, out, err = run("verify", "--data", data)
    assert (code, err) == (0, "")
    assert out.endswith("the ledger is consistent\n")
    assert out.startswith("1 accounts, ")


@pytest.mark.parametrize(
    ("tampering", "differs"),
    [
        (["UPDATE accounts SET balance = balance + 1 WHERE id = 1000"], r"account 1000: the ledger has \d+"),
        (["UPDATE accounts SET debt = 1 WHERE id = 1000"], "account 1000: the ledger has a debt of 0"),
        (["UPDATE accounts SET depletes_at_us = depletes_at_us + 1"], "account 1000: runs out at"),
        (
            ["DROP TRIGGER transfers_append_only_update", "UPDATE transfers SET amount = amount + 1 WHERE id = 1"],
            "account 1000: the ledger has 1",
        ),
        (
            [
                "DROP TRIGGER transfers_append_only_update",
                "UPDATE transfers SET amount = amount + 1 WHERE kind = 'message_sent'",
            ],
            "message 2: costs 1000 satoshis, but 1001 are booked",
        ),
        (
            ["DROP TRIGGER transfers_append_only_update", "UPDATE transfers SET balance = balance + 1 WHERE id = 2"],
            "transfer 2 of account 1000: the balance after it should be",
        ),
        (
            ["DROP TRIGGER transfers_append_only_delete", "DELETE FROM transfers WHERE kind = 'message_received'"],
            "message 1: costs 705 satoshis, but 0 are booked",
        ),
        (["UPDATE messages SET cost = cost + 1 WHERE inbound"], "message 1: costs 706 satoshis, but 705 are booked"),
        (["UPDATE messages SET cost = 0 WHERE NOT inbound"], "message 2: costs 0 satoshis, but 1000 are booked"),
        (["UPDATE rentals SET booked_minutes = booked_minutes + 1 WHERE id = 1"], "rental 1: .* are in the ledger"),
        (["UPDATE rentals SET booked_minutes = 5 WHERE id = 2"], "rental 2: .* minutes are in the ledger"),
        (["UPDATE rentals SET ended_at_us = ended_at_us + 60000000 WHERE id = 2"], "rental 2: lasted 2 started"),
        (["UPDATE deposits SET amount = amount + 1"], "deposit .*: status is credited, but 5000 of 5001"),
        (
            ["UPDATE deposits SET account_id = 4"],
            "of account 4: status is credited, but 5000 of 5000 .* to account 1000",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_verify_reports_tampering(data: Path, run: Run, tampering: list[str], differs: str) -> None:
    with closing(sqlite3.connect(data / "dtmf.db")) as connection:
        for statement in tampering:
            changed = connection.execute(statement).rowcount
            assert changed != 0, "the tampering changed nothing"
        connection.commit()
    code, out, err = run("verify", "--data", data)
    assert (code, err) == (1, "")
    *differences, summary = out.splitlines()
    assert any(re.search(differs, line) for line in differences), out
    assert f"{len(differences)} differences" in summary


@pytest.mark.parametrize("table", ["transfers", "minute_bookings"])
def test_triggers_prevent_changes_to_the_ledger(data: Path, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            rows(data / "dtmf.db", statement)


# --- help and wrong usage ---------------------------------------------------------------------------------------


def test_help_names_every_command_and_what_it_does(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for line in ("serve the API and the website", "upgrade the database to the latest schema", "exit 1 if anything"):
        assert line in " ".join(out.split())


@pytest.mark.parametrize("name", ["run", "migrate", "verify"])
def test_each_command_has_help_for_its_options(run: Run, name: str) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    for option in ("--config FILE", "--data DIR", "--database URL", *(("--host", "--port") if name == "run" else ())):
        assert option in out


def test_version_is_printed(run: Run) -> None:
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    assert out.startswith("dtmf-server ")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of files whose content doesn't match their names."""
    (tmp_path / "file").write_text("a file")
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "dtmf.db").write_bytes(b"not a database, " * 1000)
    (tmp_path / "folder" / "dtmf.db").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text("[server\n")
    (tmp_path / "key.toml").write_text("[server]\nprot = 8000\n")
    (tmp_path / "type.toml").write_text('[server]\nport = "many"\n')
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    return tmp_path


USAGE = [
    "",
    "rum",
    "run extra",
    "--data x",
    "run --unknown",
    "run --port",
    "run --port many",
    "run --port -1",
    "run --port 65536",
    "run --port 1e3",
    "verify --port 8000",
    "run --log-level loud",
]
REFUSED = [
    ("run --config missing.toml", "missing.toml"),
    ("run --config empty", "empty"),
    ("run --config bad.toml", "bad.toml:1"),
    ("run --config key.toml", "port"),
    ("run --config type.toml", "type.toml:2"),
    ("run --config binary.toml", "binary.toml"),
    ("run --host not/a/host --sandbox --port 0", "not/a/host"),
    ("run --data file --port 0", "file"),
    ("run --data file/below --port 0", "file/below"),
    ("run --data folder --port 0", "folder/dtmf.db"),
    ("run --data garbage --port 0", "garbage/dtmf.db"),
    ("run --database sqlite:///other.db --data file --port 0", "file/token"),
    ("run --database mysql://root@127.0.0.1/dtmf", "mysql://"),
    ("run --database dtmf.db", "dtmf.db"),
    ("run --database sqlite:///", "sqlite:///"),
    ("run --database postgresql://user@127.0.0.1:1/dtmf --port 0", "127.0.0.1"),
    ("verify --data missing", "missing/dtmf.db"),
    ("verify --data empty", "empty/dtmf.db"),
    ("verify --data file", "file/dtmf.db"),
    ("verify --data folder", "folder/dtmf.db"),
    ("verify --data garbage", "garbage/dtmf.db"),
    ("verify --config missing.toml", "missing.toml"),
    ("restore missing.backup --data new", "missing.backup"),
    ("restore empty --data new", "empty"),
    ("restore file --data new", "file"),
    ("migrate --data missing", "missing/dtmf.db"),
    ("migrate --data garbage", "garbage/dtmf.db"),
    ("migrate --database postgresql://user@127.0.0.1:1/dtmf", "127.0.0.1"),
]


@pytest.mark.parametrize("line", USAGE, ids=lambda line: line or "nothing")
def test_usage_errors_show_the_usage(run: Run, odd: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(odd)
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("usage: dtmf-server")
    assert "dtmf-server" in err.splitlines()[-1]
    assert "error: " in err.splitlines()[-1]


@pytest.mark.parametrize(("line", "named"), REFUSED)
def test_an_impossible_request_is_one_line_that_names_the_problem(
    refused: Callable[..., str], odd: Path, monkeypatch: pytest.MonkeyPatch, line: str, named: str
) -> None:
    monkeypatch.chdir(odd)
    assert named in refused(*line.split())


@pytest.mark.parametrize(
    ("name", "value"),
    [("DTMF_SERVER__PORT", "many"), ("DTMF_SEVER__PORT", "1"), ("DTMF_MODE", "prod"), ("DTMF_DATABASE__URL", "x")],
)
def test_the_error_for_an_invalid_environment_setting_names_it(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name in refused("run", "--data", tmp_path, "--port", "0")


def test_a_backup_that_cannot_be_written_is_one_line(data: Path, refused: Callable[..., str]) -> None:
    for name in ("missing/whole.backup", "folder"):
        (data / "folder").mkdir(exist_ok=True)
        assert str(data / name) in refused("backup", "--data", data, data / name)


def test_other_users_cannot_read_a_backup_or_the_database(data: Path, run: Run) -> None:
    before = os.umask(0)
    try:
        assert run("backup", "--data", data, data / "whole.backup")[0] == 0
        assert run("restore", "--data", data / "new", data / "whole.backup")[0] == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((data / "whole.backup").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "new").stat().st_mode) == 0o700


def test_a_database_of_a_newer_version_is_rejected(data: Path, refused: Callable[..., str]) -> None:
    rows(data / "dtmf.db", "UPDATE alembic_version SET version_num = '9999'")
    for name in ("run", "verify", "migrate"):
        assert "9999" in refused(name, "--data", data)


@pytest.mark.parametrize("line", ["rum", "verify --data missing", "run --log-level debug --data /dev/null"])
def test_a_subprocess_prints_no_traceback(line: str) -> None:
    said = command(*line.split())
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    assert said.err.splitlines()[-1].startswith("dtmf-server: ")
