"""Deposits and refunds for a deleted account go to suspense, and the operator can assign them."""

import pytest

from dtmf_server.cli.main import main
from dtmf_server.core.deposit_rules import Block, ChainStep, Mempool, Output
from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import SUSPENSE, Kind
from dtmf_server.operations import close_account, deposit, suspense, verify
from dtmf_server.operations.audit import By
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.storage import deposits, operator_actions
from dtmf_server.storage.db import Database, Tx
from harness import START_US, open_account

DEPTHS = ((0, 1),)
TXID = "cd" * 32
BY = By("alice", "the customer proved it", START_US)


def address_of(db: Database, account_id: int) -> str:
    """Return a new address."""
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    return db.write_blocking(lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US))


def output_to(db: Database, address: str, sats: int, txid: str = TXID) -> Output:
    """Return an output that pays an address."""
    row = db.read_blocking(lambda tx: deposits.address(tx, address))
    assert row is not None
    return Output(txid, 0, bytes(row["script_pubkey"]), sats)


def follow(db: Database, step: ChainStep) -> None:
    """Apply a chain step."""
    db.write_blocking(lambda tx: deposit.follow(tx, step, depths=DEPTHS, now_us=START_US))


def close(db: Database, account_id: int) -> None:
    """Delete the account, as its renter."""
    db.write_blocking(
        lambda tx: close_account.close_account(tx, account_id, given_up_max=10**9, now_us=START_US, wall_us=START_US)
    )


def refund(db: Database, account_id: int, sats: int, message: int = 7) -> None:
    """Refund a message of the account, as if the carrier had refused it."""

    def give_back(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=START_US) as ledger:
            ledger.refund(account_id, sats, kind=Kind.MESSAGE_REFUNDED, unique_ref=f"{message}", reference=f"{message}")

    db.write_blocking(give_back)


def balances(db: Database, *account_ids: int) -> list[int]:
    """Return the balances of these accounts."""
    rows = db.read_blocking(lambda tx: tx.all("SELECT id, balance FROM accounts"))
    found = {row["id"]: row["balance"] for row in rows}
    return [found[id_] for id_ in account_ids]


def hand_on(db: Database, what: str, to: str) -> None:
    """Assign funds in suspense, as the operator."""
    db.write_blocking(lambda tx: suspense.assign(tx, what, to_account_of=to, now_us=START_US, by=BY))


def differences(db: Database) -> list[verify.Difference]:
    """Return what `verify` finds, except for the messages invented by these tests' refunds."""
    return db.read_blocking(verify.differences)


@pytest.mark.regression("suspense-of-deleted")
def test_a_deposit_to_a_deleted_accounts_address_goes_to_suspense_and_to_its_owners_new_account(
    db: Database, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "dtmf_server.runtime.logging.setup", lambda *_args, **_options: None
    )  # keep this process's own logging configuration
    old, new = open_account(db, seed=1), open_account(db, seed=2)
    address, theirs = address_of(db, old), address_of(db, new)
    follow(db, ChainStep(0, [Block(1, "a", "", [output_to(db, address, 500, "ef" * 32)])], None))
    close(db, old)
    follow(db, ChainStep(1, [Block(2, "b", "a", [output_to(db, address, 40_000)])], None))
    assert balances(db, old, SUSPENSE, new) == [0, 40_000, 0]
    assert differences(db) == []
    named = ["--as", "bob", "--reason", "signed with its key"]
    status = main(["deposits", "assign", address, "--to", theirs, "--database", database_url, *named])
    (action,) = db.read_blocking(lambda tx: operator_actions.newest(tx, before=100, limit=10))
    assert (action["operator"], action["reason"], action["object"]) == ("bob", "signed with its key", address)
    assert (status, "with 1 deposits: 40000 satoshis credited" in capsys.readouterr().out) == (0, True)
    assert balances(db, old, SUSPENSE, new) == [0, 0, 40_000]
    follow(db, ChainStep(2, [Block(3, "c", "b", [output_to(db, address, 600, "aa" * 32)])], None))
    assert balances(db, old, SUSPENSE, new) == [0, 0, 40_600]
    follow(db, ChainStep(1, [Block(2, "x", "a", []), Block(3, "y", "x", [])], None))
    assert balances(db, old, SUSPENSE, new) == [0, 0, 0]
    assert differences(db) == []


@pytest.mark.regression("suspense-of-deleted")
def test_a_payment_dropped_before_the_account_was_deleted_goes_to_suspense(db: Database):
    old = open_account(db)
    output = output_to(db, address_of(db, old), 9000)
    follow(db, ChainStep(0, [Block(1, "a", "", [])], Mempool({TXID}, [output])))
    follow(db, ChainStep(1, [], Mempool(set(), [])))
    close(db, old)
    follow(db, ChainStep(1, [Block(2, "b", "a", [output])], Mempool(set(), [])))
    assert balances(db, old, SUSPENSE) == [0, 9000]
    assert differences(db) == []


def test_a_recredited_deposit_pays_the_debt_of_its_own_reversal(db: Database):
    old = open_account(db)
    output = output_to(db, address_of(db, old), 9000)
    follow(db, ChainStep(0, [Block(1, "a", "", [output])], None))
    close(db, old)  # forfeits 9,000
    follow(db, ChainStep(0, [Block(1, "x", "", []), Block(2, "y", "x", [])], None))
    follow(db, ChainStep(2, [Block(3, "z", "y", [output])], None))
    assert balances(db, old, SUSPENSE) == [0, 0]
    debts = db.read_blocking(lambda tx: tx.all("SELECT id FROM accounts WHERE debt > 0"))
    assert (debts, differences(db)) == ([], [])


@pytest.mark.regression("suspense-of-deleted")
@pytest.mark.parametrize("by_number", [False, True])
def test_a_refund_to_a_deleted_account_goes_to_suspense_and_to_its_owners_new_account(db: Database, by_number: bool):
    old, new = open_account(db, seed=1), open_account(db, seed=2)
    address, theirs = address_of(db, old), address_of(db, new)
    close(db, old)
    refund(db, old, 1000)
    refund(db, old, 250, message=8)
    assert balances(db, old, SUSPENSE, new) == [0, 1250, 0]
    assert [one for one in differences(db) if "message" not in one] == []
    for _ in range(1 + by_number):  # repeating it finds nothing more
        hand_on(db, str(old) if by_number else address, theirs)
        assert balances(db, old, SUSPENSE, new) == [0, 0, 1250]
    assert differences(db) == []


def test_a_refund_of_a_deleted_account_pays_its_debt_first(db: Database):
    old = open_account(db)
    output = output_to(db, address_of(db, old), 900)
    follow(db, ChainStep(0, [Block(1, "a", "", [output])], None))
    close(db, old)
    follow(db, ChainStep(0, [Block(1, "x", "", []), Block(2, "y", "x", [])], None))
    refund(db, old, 1000)
    assert balances(db, old, SUSPENSE) == [0, 100]
    assert differences(db) == []


def test_assigned_funds_pay_the_debt_of_the_new_account_first(db: Database):
    old, new = open_account(db, seed=1), open_account(db, seed=2)
    address, theirs = address_of(db, old), address_of(db, new)
    close(db, old)
    refund(db, old, 1000)

    def owe(tx: Tx) -> None:
        with open_ledger(tx, [new], now_us=START_US) as ledger:
            ledger.reverse_deposit(new, 300, unique_ref="z:0:1", reference="z:0")

    db.write_blocking(owe)
    hand_on(db, address, theirs)
    assert balances(db, SUSPENSE, new) == [0, 700]


def test_only_funds_of_a_deleted_account_or_without_account_can_be_assigned(db: Database):
    old, new = open_account(db, seed=1), open_account(db, seed=2)
    address, theirs = address_of(db, old), address_of(db, new)
    for what in (address, str(old), "99999", "bc1qnothing"):
        with pytest.raises(Refusal):
            hand_on(db, what, theirs)
    close(db, old)
    with pytest.raises(Refusal):
        hand_on(db, address, address)
