"""The operator lists accounts, finds and shows one, and reads the audit log."""

import getpass
import json
from collections.abc import Callable
from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.cli.main import main
from dtmf_server.operations import find_account
from dtmf_server.storage.db import Database
from harness import FakeWall, new_token, open_account

Run = Callable[..., tuple[int, str, str]]
TEXT = "the code is 493817"


@pytest.fixture
def run(database_url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on the database; return its exit status and output."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--database", database_url])
        return code, *capsys.readouterr()

    return run


def shown(run: Run, what: str) -> Any:
    """Return what `accounts show --json` prints."""
    code, out, err = run("accounts", "show", what, "--json")
    assert (code, err) == (0, ""), err
    return json.loads(out)


def test_an_account_is_found_by_what_its_renter_knows(db: Database, url: str, run: Run, wall: FakeWall) -> None:
    account_id, other_id = open_account(db), open_account(db, seed=1)
    with DTMF(new_token(), base_url=url) as dtmf, DTMF(new_token(1), base_url=url) as other:
        address = dtmf.new_address()["address"]
        dtmf.sandbox.deposit(address, 100_000)
        invoice = dtmf.new_invoice(5000)
        dtmf.sandbox.pay(invoice["invoice"])
        e164 = dtmf.start_rental("us-mobile")["e164"]
        dtmf.sandbox.receive(e164, "+1234", TEXT)
        dtmf.create_token("ci job")
        txid = dtmf.deposits()[0]["txid"]
        other.create_token("another")
    found = shown(run, str(account_id))
    for what in (e164, address, txid, f"{txid}:0", invoice["payment_hash"], invoice["invoice"], "ci job"):
        assert shown(run, what)["id"] == account_id, what
    assert shown(run, "another")["id"] == other_id
    assert (found["debt"], found["live_rentals"]) == (0, 1)
    report = db.read_blocking(lambda tx: find_account.report(tx, account_id, now_us=wall(), wall_us=wall()))
    assert report.usage.balance == 105_000 - 13 - 705
    assert [rental["e164"] for rental in found["rentals"]] == [e164]
    assert [token["label"] for token in found["tokens"]] == ["ci job", "first"]
    assert [deposit["outpoint"] for deposit in found["deposits"]] == [f"{txid}:0"]
    assert found["transactions"][0]["amount"] == -705
    _, lines, _ = run("accounts", "show", e164)
    for secret in (TEXT, new_token(), "sha256"):
        assert secret not in lines + json.dumps(found)
    assert e164 in lines and "ci job" in lines and f"account {account_id}: open" in lines


def test_the_last_renter_of_a_number_is_found_after_the_rental(db: Database, url: str, run: Run) -> None:
    account_id = open_account(db)
    with DTMF(new_token(), base_url=url) as dtmf:
        dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
        e164 = dtmf.start_rental("us-mobile")["e164"]
        dtmf.end_rental(e164)
    assert shown(run, e164)["id"] == account_id


@pytest.mark.parametrize(
    "what", ["999999", "4", "999", "+12025550199", "ab" * 32, f"{'ab' * 32}:0", "no label", "lnbc1", ""]
)
def test_an_unknown_account_is_refused(db: Database, run: Run, what: str) -> None:
    open_account(db)
    code, out, err = run("accounts", "show", what)
    assert (code, out) == (1, "") and f"no account has {what!r}" in err


def test_a_label_of_several_accounts_names_them(db: Database, run: Run) -> None:
    ids = [open_account(db, seed=seed) for seed in range(3)]
    code, _, err = run("accounts", "show", "first")
    assert code == 1 and ", ".join(map(str, ids)) in err


def test_accounts_are_listed_in_pages(db: Database, run: Run) -> None:
    ids = [open_account(db, seed=seed) for seed in range(5)]
    listed: list[int] = []
    after = 0
    while after is not None:
        found = json.loads(run("accounts", "list", "--limit", "2", "--after", str(after), "--json")[1])
        listed += [account["id"] for account in found["accounts"]]
        after = found["after"]
    assert listed == ids
    assert f"accounts list --after {ids[1]}" in run("accounts", "list", "--limit", "2")[1]


def test_accounts_that_share_a_network_and_hold_unpaid_addresses_are_listed(db: Database, url: str, run: Run) -> None:
    ids = [open_account(db, seed=seed) for seed in range(3)]
    for seed in (0, 2):
        with DTMF(new_token(seed), base_url=url) as dtmf:
            dtmf.new_address()
    db.write_blocking(
        lambda tx: tx.run("UPDATE addresses SET network = :network", network=bytes(16))
    )  # as in production
    (network,) = shown(run, str(ids[0]))["networks"]
    found = json.loads(run("accounts", "list", "--network", network, "--json")[1])
    assert [account["id"] for account in found["accounts"]] == [ids[0], ids[2]]


def test_opening_an_account_is_recorded(db: Database, run: Run) -> None:
    assert run("accounts", "open", "--as", "alice", "--reason", "invited at the fair")[0] == 0
    assert run("accounts", "open")[0] == 0
    code, out, _ = run("audit", "list", "--json")
    newest, oldest = json.loads(out)["actions"]
    assert code == 0 and newest["operator"] == getpass.getuser() and newest["reason"] == ""
    assert (oldest["operator"], oldest["action"], oldest["reason"]) == ("alice", "accounts open", "invited at the fair")
    assert oldest["object"] == f"account {oldest['account_id']}"
    only = json.loads(run("audit", "list", "--account", str(oldest["account_id"]), "--json")[1])
    assert only == {"actions": [oldest], "before": None}
    assert "alice  accounts open account" in run("audit", "list")[1]
    page = json.loads(run("audit", "list", "--limit", "1", "--json")[1])
    assert page == {"actions": [newest], "before": newest["id"]}
    assert json.loads(run("audit", "list", "--before", str(newest["id"]), "--json")[1])["actions"] == [oldest]
    assert json.loads(run("audit", "show", str(oldest["id"]), "--json")[1]) == {"action": oldest}
    assert run("audit", "show", "999")[:2] == (1, "there is no action 999\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("accounts", "open", "--as", ""),
        ("accounts", "open", "--as", "a" * 101),
        ("accounts", "open", "--reason", "two\nlines"),
        ("accounts", "open", "--reason", "a" * 501),
        ("accounts", "list", "--limit", "0"),
        ("accounts", "list", "--limit", "1001"),
        ("accounts", "list", "--after", "-1"),
        ("accounts", "list", "--network", "xyz"),
        ("audit", "list", "--before", "x"),
    ],
)
def test_invalid_options_are_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2 and "error: argument" in capsys.readouterr().err
