"""Every credit pays the debt first, and the renter sees what is owed."""

from collections.abc import Callable

import httpx2
import pytest

from dtmf_server.core.deposit_rules import Block, ChainStep, Output
from dtmf_server.core.money import Kind
from dtmf_server.operations import deposit, verify
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage.db import Database, Tx
from harness import START_US, new_token, open_account, runtime_over, serving

DEPTHS = ((0, 1),)


OF_MESSAGES = verify.WrongMessageCost | verify.WrongMessageState


@pytest.fixture
def account_id(db: Database) -> int:
    """An account that spent all but 990 of a 40,000 deposit, which a reorganisation then removed: it owes 39,010."""
    id_ = open_account(db)
    derive = runtime_over(db).derive
    assert derive is not None

    def live(tx: Tx) -> None:
        address = deposit.new_address(tx, id_, derive=derive, now_us=START_US)
        row = tx.one("SELECT script_pubkey FROM addresses WHERE address = :address", address=address)
        assert row is not None
        paid = Output("ab" * 32, 0, bytes(row["script_pubkey"]), 40_000)
        follow(tx, ChainStep(0, [Block(1, "one", "", [paid])], None))
        with open_ledger(tx, [id_], now_us=START_US) as ledger:
            for message in range(39):
                ledger.charge(id_, 1000, kind=Kind.MESSAGE_SENT, unique_ref=f"{message}", reference=f"{message}")
            ledger.charge(id_, 10, kind=Kind.RENTAL_SETUP, unique_ref="1", reference="+12025550100")
        follow(tx, ChainStep(0, [Block(1, "other", "", []), Block(2, "two", "other", [])], None))

    db.write_blocking(live)
    return id_


def follow(tx: Tx, step: ChainStep) -> None:
    """Apply a chain step."""
    deposit.follow(tx, step, depths=DEPTHS, now_us=START_US)


def refund(db: Database, account_id: int, message: int, sats: int = 1000) -> None:
    """Refund a message, as if the carrier had refused it."""

    def give_back(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=START_US) as ledger:
            ledger.refund(account_id, sats, kind=Kind.MESSAGE_REFUNDED, unique_ref=f"{message}", reference=f"{message}")

    db.write_blocking(give_back)


def standing(db: Database, account_id: int) -> tuple[int, int]:
    """Return balance and debt."""
    row = db.read_blocking(lambda tx: tx.one("SELECT balance, debt FROM accounts WHERE id = :id", id=account_id))
    assert row is not None
    return row["balance"], row["debt"]


@pytest.mark.regression("refund-pays-debt")
def test_a_refund_pays_the_debt_first(db: Database, account_id: int):
    assert standing(db, account_id) == (0, 39_010)
    refund(db, account_id, 0)
    assert standing(db, account_id) == (0, 38_010)
    for message in range(1, 38):
        refund(db, account_id, message)
    assert standing(db, account_id) == (0, 1010)
    refund(db, account_id, 38, 1500)
    assert standing(db, account_id) == (490, 0)
    wrong = [one for one in db.read_blocking(verify.differences) if not isinstance(one, OF_MESSAGES)]
    assert wrong == []


@pytest.mark.regression("refund-pays-debt")
def test_usage_and_transactions_show_the_debt(db: Database, account_id: int):
    refund(db, account_id, 0)
    with serving(runtime_over(db)) as url:
        headers = {"Authorization": f"Bearer {new_token()}"}
        with httpx2.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60) as client:
            usage = client.get("/usage").json()
            lines = client.get("/transactions").json()
            document = client.get(f"{url}/schema/openapi.json").json()
    assert usage.get("debt") == 38_010
    assert "debt" in document["components"]["schemas"]["Usage"]["properties"]
    moved = [(line["kind"], line["amount"], line["balance"]) for line in lines]
    assert moved[-4:] == [
        ("debt", 39_010, 40_000),
        ("deposit_reversed", -40_000, 0),
        ("message_refunded", 1000, 1000),
        ("debt_paid", -1000, 0),
    ]
    balance = 0
    for line in lines:
        balance += line["amount"]
        assert line["balance"] == balance, line


@pytest.mark.parametrize("balance", [0, 1, 39_999, 40_000, 40_001])
def test_a_reversal_is_booked_in_full(db: Database, balance: int):
    account_id = open_account(db)

    def reverse(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=START_US) as ledger:
            if balance:
                ledger.deposit(account_id, balance, unique_ref="other:0:0", reference="other:0")
            ledger.reverse_deposit(account_id, 40_000, unique_ref="one:0:1", reference="one:0")

    db.write_blocking(reverse)
    assert standing(db, account_id) == (max(0, balance - 40_000), max(0, 40_000 - balance))
    assert db.read_blocking(verify.differences) == []


def test_verify_accepts_reversals_booked_by_older_releases(db: Database, account_id: int):
    """Older releases booked a reversal only up to the balance, and the rest as a separate debt."""

    def as_before(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=START_US) as ledger:
            ledger.deposit(account_id, 39_010, unique_ref="x:0:0", reference="x:0")
            ledger.deposit(account_id, 500, unique_ref="y:0:0", reference="y:0")
            ledger.charge(account_id, 500, kind=Kind.RENTAL_SETUP, unique_ref="2", reference="+12025550101")
        tx.run(
            "INSERT INTO transfers (at_us, kind, ref, debit, credit, amount, account_id, balance, reference)"
            " VALUES (:at, 'debt', 'y:0:1', 3, 1, 500, :id, 0, 'y:0')",
            at=START_US,
            id=account_id,
        )
        tx.run("UPDATE accounts SET debt = 500 WHERE id = :id", id=account_id)

    db.write_blocking(as_before)
    wrong = [one for one in db.read_blocking(verify.differences) if not isinstance(one, OF_MESSAGES)]
    assert wrong == []


@pytest.mark.regression("refund-pays-debt")
def test_the_website_shows_the_debt(db: Database, account_id: int, visit: Callable[[str], dict[str, str]]):
    with serving(runtime_over(db)) as url:
        pages = visit(url)
    for path, text in pages.items():
        assert "39 010" in text, path
        assert "owe" in text, path


@pytest.fixture
def visit() -> Callable[[str], dict[str, str]]:
    """Return the text of an account's pages, by path."""
    from support.visitor import Visitor  # shared with the website's tests

    def look(url: str) -> dict[str, str]:
        with Visitor(url) as visitor:
            visitor.sign_in(new_token())
            return {path: visitor.open(path).text for path in ("/top-up", "/transactions", "/messages")}

    return look
