"""`dtmf-server accounts suspend|resume`: each is recorded, repeated ones and bad input are refused."""

import json
from collections.abc import Callable

import pytest

from dtmf_server.cli.main import main
from dtmf_server.operations import rent
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Database
from harness import START_US, give_coins, open_account

Run = Callable[..., tuple[int, str, str]]
WHY = ("--as", "alice", "--reason", "spam")


@pytest.fixture
def run(database_url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the database; return its exit status and output."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--database", database_url])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def account_id(db: Database) -> int:
    """An account with coins that rents a number for nothing."""
    found = open_account(db)
    give_coins(db, found, 10_000)
    db.write_blocking(lambda tx: rent.start(tx, found, "free", now_us=START_US, cooldown_us=0))
    return found


def recorded(db: Database) -> list[tuple[str, str, str, int | None, str]]:
    """Return the audit log, oldest first."""
    rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=2**62, limit=100))
    return [(row["operator"], row["action"], row["object"], row["account_id"], row["reason"]) for row in rows[::-1]]


def test_suspending_and_resuming_is_recorded_and_shown(db: Database, run: Run, account_id: int) -> None:
    code, out, _ = run("accounts", "suspend", str(account_id), *WHY)
    assert (code, out) == (0, f"account {account_id} is suspended: 1 rentals held, 0 unsent messages refunded\n")
    assert f"account {account_id}: suspended, opened" in run("accounts", "show", str(account_id))[1]
    assert json.loads(run("accounts", "list", "--json")[1])["accounts"][0]["state"] == "suspended"
    code, out, _ = run("accounts", "resume", str(account_id), *WHY, "--json")
    assert (code, json.loads(out)) == (0, {"id": account_id, "state": "open", "deliveries": 0})
    held = f"account {account_id}, rentals held"
    assert recorded(db) == [
        ("alice", "accounts suspend", held, account_id, "spam"),
        ("alice", "accounts resume", f"account {account_id}", account_id, "spam"),
    ]


def test_rentals_end_on_request(db: Database, run: Run, account_id: int) -> None:
    code, out, _ = run("accounts", "suspend", str(account_id), "--end-rentals", "--json", *WHY)
    assert (code, json.loads(out)["rentals_ended"]) == (0, 1)
    assert recorded(db)[0][2] == f"account {account_id}, rentals ended"


def test_a_refused_action_is_not_recorded(db: Database, run: Run, account_id: int) -> None:
    assert run("accounts", "resume", str(account_id), *WHY)[0] == 1
    assert run("accounts", "suspend", str(account_id), *WHY)[0] == 0
    code, out, err = run("accounts", "suspend", str(account_id), *WHY)
    assert (code, out) == (1, "") and "already suspended" in err
    code, _, err = run("accounts", "suspend", "77777", *WHY)
    assert code == 1 and "there is no account 77777" in err
    assert len(recorded(db)) == 1


@pytest.mark.parametrize(
    "arguments", [("suspend", "1000"), ("suspend", "-1", *WHY), ("suspend", "+12025550123", *WHY), ("resume", *WHY)]
)
def test_a_reason_and_an_account_id_are_required(db: Database, run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("accounts", *arguments)
    assert ended.value.code == 2
    assert recorded(db) == []
