"""`dtmf-server accounts suspend|resume|credit|debit|refund|close`: each is recorded, and bad input is refused."""

import json
from collections.abc import Callable

import pytest

from dtmf_server.cli.main import main
from dtmf_server.operations import account, rent
from dtmf_server.runtime.clock import wall_us
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


def test_credits_and_debits_are_recorded_and_booked_once(db: Database, run: Run, account_id: int) -> None:
    credit = ("accounts", "credit", str(account_id), "500", "--reference", "ticket 7", "--text", "sorry", *WHY)
    code, out, _ = run(*credit)
    assert (code, out.splitlines()) == (
        0,
        [f"500 satoshis were credited to account {account_id}, reference ticket 7", "balance 10500 satoshis, debt 0"],
    )
    again = json.loads(run(*credit, "--json")[1])
    assert (again["booked_now"], again["balance"]) == (False, 10_500)
    code, _, err = run("accounts", "credit", str(account_id), "501", "--reference", "ticket 7", *WHY)
    assert code == 1 and "the reference 'ticket 7' was used for accounts credit" in err
    found = json.loads(run("accounts", "debit", str(account_id), "300", "--json", *WHY)[1])
    assert (found["booked_now"], found["balance"], len(found["reference"])) == (True, 10_200, 16)
    code, _, err = run("accounts", "debit", str(account_id), "20000", *WHY)
    assert code == 1 and "add --as-debt" in err
    found = json.loads(run("accounts", "debit", str(account_id), "20000", "--as-debt", "--json", *WHY)[1])
    assert (found["balance"], found["debt"]) == (0, 9800)
    assert [row[1] for row in recorded(db)] == ["accounts credit", "accounts debit", "accounts debit"]
    shown = run("accounts", "show", str(account_id))[1]
    assert "operator_credit  sorry" in shown and "last operator actions" in shown


def test_the_daily_limit_is_the_setting(
    db: Database, run: Run, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTMF_OPERATOR__CREDIT_PER_DAY_SATS", "700")
    assert run("accounts", "credit", str(account_id), "500", *WHY)[0] == 0
    code, _, err = run("accounts", "credit", str(account_id), "201", *WHY)
    assert code == 1 and "[operator] credit_per_day_sats = 700 leaves 200 satoshis" in err
    assert len(recorded(db)) == 1


def test_a_rental_is_refunded_by_its_number(db: Database, run: Run, account_id: int) -> None:
    now_us = wall_us()
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=now_us, cooldown_us=0))
    number, id_ = rental["e164"], rental["id"]
    code, _, err = run("accounts", "refund", "rental", number, *WHY)
    assert code == 1 and "is live: refund it once it has ended" in err
    db.write_blocking(lambda tx: rent.end(tx, account_id, number, now_us=now_us))
    code, out, _ = run("accounts", "refund", "rental", number, *WHY)
    assert code == 0 and out.endswith(f" satoshis were refunded to account {account_id} for rental {id_}\n")
    assert db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=now_us)) == 10_000
    code, _, err = run("accounts", "refund", "rental", str(id_), *WHY)
    assert code == 1 and "was already refunded by an operator" in err
    code, _, err = run("accounts", "refund", "message", "7", "--json", *WHY)
    assert code == 1 and "there is no message 7" in err
    for arguments in (("message", number), ("message", "7", "--sats", "1")):
        code, _, err = run("accounts", "refund", *arguments, *WHY)
        assert code != 0 and "refunded as a whole" in err
    assert [row[2] for row in recorded(db)] == [f"rental {id_}"]


def test_an_account_with_a_balance_is_closed_with_forfeit(db: Database, run: Run, account_id: int) -> None:
    code, _, err = run("accounts", "close", str(account_id), *WHY)
    assert code == 1 and "10000 satoshis: pay it out first, or add --forfeit" in err
    code, out, _ = run("accounts", "close", str(account_id), "--forfeit", *WHY)
    assert (code, out) == (0, f"account {account_id} is closed: 10000 satoshis were forfeited\n")
    assert f"account {account_id}: closed" in run("accounts", "show", str(account_id))[1]
    for command in ("close", "suspend", "resume"):
        code, _, err = run("accounts", command, str(account_id), *WHY)
        assert code == 1 and "was closed" in err
    assert [row[1] for row in recorded(db)] == ["accounts close"]


@pytest.mark.parametrize("sats", ["-5", "0", "1.5", "5000000000000000", "ten", ""])
@pytest.mark.parametrize("command", ["credit", "debit"])
def test_an_impossible_amount_is_a_usage_error(db: Database, run: Run, command: str, sats: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("accounts", command, "1000", sats, *WHY)
    assert ended.value.code == 2
    assert recorded(db) == []


@pytest.mark.parametrize(("option", "value"), [("--reference", ""), ("--reference", "é"), ("--text", "x" * 201)])
def test_an_invalid_reference_or_text_is_a_usage_error(db: Database, run: Run, option: str, value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("accounts", "credit", "1000", "5", option, value, *WHY)
    assert ended.value.code == 2
