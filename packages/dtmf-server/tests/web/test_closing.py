"""Data export and account deletion."""

import csv
import io
import json

import pytest

from dtmf_server.operations import sandbox, verify
from dtmf_server.storage import accounts, deposits
from dtmf_server.storage.db import Database
from harness import give_coins, new_token
from support.visitor import Visitor

from .conftest import ONE_ENGINE, receive

SECRETS = ("canary text", "+447700900777", "hook.example", "my secret label", "reply to canary", "own.example")


def everything(db: Database) -> str:
    """Return the database's contents as text."""
    from dtmf_server.storage.schema import metadata

    def read(tx) -> str:
        return "".join(
            f"{table.name}{tuple(dict(row).values())}\n"
            for table in metadata.sorted_tables
            for row in tx.all(f"SELECT * FROM {table.name}")
        )

    return db.read_blocking(read)


@pytest.fixture
def lived_in(renter: Visitor, db: Database, e164: str) -> Visitor:
    """A renter whose account has one of everything."""
    receive(db, e164, "canary text received", sender="+447700900777")
    renter.do(f"/numbers/{e164}", f"/numbers/{e164}/send", to="+447700900777", content="reply to canary")
    renter.do("/tokens", "/tokens", label="my secret label")
    address = f"/numbers/{e164}/action"
    renter.do(f"/numbers/{e164}", address, action="webhook", webhook_url="https://hook.example/x")
    receive(db, e164, "canary text posted")
    headers = {"Authorization": f"Bearer {new_token(1)}"}
    renter.client.put("/api/v1/account/webhook", json={"url": "https://own.example/x"}, headers=headers)
    return renter


def test_deleting_an_account_keeps_only_the_books(lived_in: Visitor, db: Database, account_id: int) -> None:
    assert all(secret in everything(db) for secret in SECRETS)
    page = lived_in.open("/account/delete")
    assert "I forfeit the remaining" in page.text and "Your rental of 1 number ends" in page.text
    assert lived_in.send(page, "/account/delete", agreed="yes").path == "/account/deleted"
    assert "Your account has been deleted" in lived_in.open("/account/deleted").text
    left = everything(db)
    assert [secret for secret in SECRETS if secret in left] == []
    assert lived_in.open("/messages").path == "/sign-in"
    assert lived_in.sign_in(new_token(1)).status == 401
    authorization = {"Authorization": f"Bearer {new_token(1)}"}
    assert lived_in.client.get("/api/v1/account", headers=authorization).status_code == 401
    assert db.read_blocking(verify.differences) == []
    account = db.read_blocking(lambda tx: accounts.load(tx, account_id))
    assert (account.balance, account.live_rentals, account.depletes_at_us) == (0, 0, None)
    assert "given_up" in left


@ONE_ENGINE
def test_nothing_is_deleted_without_confirmation(lived_in: Visitor, db: Database, account_id: int) -> None:
    page = lived_in.open("/account/delete")
    refused = lived_in.send(page, "/account/delete")
    assert refused.status == 422 and refused.error_at("agreed")
    give_coins(db, account_id, 5)
    grown = lived_in.send(page, "/account/delete", agreed="yes")
    assert grown.status == 409 and "has grown" in grown.text
    assert lived_in.open("/messages").path == "/messages"
    assert lived_in.send(grown, "/account/delete", agreed="yes").path == "/account/deleted", "now it was seen"


@ONE_ENGINE
def test_an_account_with_a_pending_deposit_cannot_be_deleted(lived_in: Visitor, db: Database, account_id: int) -> None:
    lived_in.do("/sandbox", "/sandbox/faucet", amount="1000", pending="yes")
    page = lived_in.do("/account/delete", "/account/delete", agreed="yes")
    assert page.status == 409 and "pending" in page.text
    db.write_blocking(lambda tx: sandbox.mine(tx, 2))
    assert db.read_blocking(lambda tx: deposits.deposits_of(tx, account_id))


def test_everything_can_be_exported(renter: Visitor, db: Database, e164: str) -> None:
    texts = [f"text {number}" for number in range(501)] + ['=HYPERLINK("evil")', "+1+1", "two\nlines, \u202e"]
    for text in texts:
        receive(db, e164, text)
    answer = renter.client.get("/export/messages.json")
    assert "attachment" in answer.headers["content-disposition"]
    assert [message["text"] for message in json.loads(answer.text)] == texts
    rows = list(csv.DictReader(io.StringIO(renter.client.get("/export/messages.csv").text)))
    assert [row["text"] for row in rows[:501]] == texts[:501]
    assert rows[501]["text"] == "'" + texts[501] and rows[502]["text"] == "'+1+1", "no formula reaches a spreadsheet"
    assert rows[503]["text"] == texts[503]
    assert {row["number"] for row in rows} == {e164}
    moved = json.loads(renter.client.get("/export/transactions.json").text)
    assert sum(row["sats"] for row in moved) == moved[-1]["balance_sats"]
    csv_rows = list(csv.DictReader(io.StringIO(renter.client.get("/export/transactions.csv").text)))
    assert len(csv_rows) == len(moved) > 501
    assert renter.open("/export/passwords.csv").status == 404


@ONE_ENGINE
def test_an_empty_account_exports_empty_files(other: Visitor) -> None:
    assert json.loads(other.client.get("/export/messages.json").text) == []
    assert other.client.get("/export/messages.csv").text == ""
