"""Ten days in the life of a service, for the pages of the operator's console; and an operator who signs in."""

import hashlib

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.money import SUSPENSE
from dtmf_server.operations import operator_sign_in, rent
from dtmf_server.operations.audit import By, record
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import alerts, canaries, carriers, deposits, strays
from dtmf_server.storage.db import Database, Tx
from harness import DAY_US, MINUTE_US, START_US, give_coins, open_account

DAYS = 10
TEXT = "your code is 604118"
ADDRESS = "bcrt1qj8s2r0x5mgl0c3fn3p9zsnr8ua0xjqd6uyz5cu"
TXID, LOST_TXID = "ab" * 32, "cd" * 32
PAYMENT_HASH = "0f" * 32
WEBHOOK = "https://hooks.example.org/sms?token=verysecret"
NOW_US = START_US + DAYS * DAY_US
SIGN_IN = "/operator/sign-in"


def live(db: Database) -> int:
    """Fill the database. Return the account that did the most; its number is +12025550100."""
    account_id = open_account(db, seed=1)
    for seed in range(2, 6):
        give_coins(db, open_account(db, seed=seed), 20_000 * seed)
    give_coins(db, account_id, 900_000)
    db.write_blocking(lambda tx: _rent(tx, account_id))
    for day in range(DAYS):
        at_us = START_US + day * DAY_US + MINUTE_US
        db.write_blocking(lambda tx, at_us=at_us, day=day: _one_day(tx, account_id, at_us, messages=9 + 3 * (day % 4)))
    db.write_blocking(lambda tx: _payments(tx, account_id))
    db.write_blocking(_carriers)
    db.write_blocking(lambda tx: _operators(tx, account_id))
    return account_id


def _rent(tx: Tx, account_id: int) -> None:
    rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)
    tx.run("UPDATE rentals SET action = 'webhook', destination = :url", url=WEBHOOK)


def _one_day(tx: Tx, account_id: int, at_us: int, *, messages: int) -> None:
    """Receive SMS, and rent another number for two hours."""
    rent.start(tx, account_id, "tiny", now_us=at_us, cooldown_us=0)
    number = tx.one("SELECT e164 FROM rentals WHERE group_id = 'us-mobile'")
    assert number is not None
    for nth in range(messages):
        receive_many(tx, [InboundMessage(number["e164"], "GitHub", TEXT)], now_us=at_us + nth * MINUTE_US)
    rent.end(tx, account_id, "+12025550200", now_us=at_us + 120 * MINUTE_US)
    tx.run(
        "UPDATE deliveries SET state = 'delivered', leased_until_us = NULL, attempts = 1, last_status = 200,"
        " finished_at_us = created_at_us + 40000 * (1 + id % 7) * (1 + id % 5) WHERE state = 'waiting' AND id % 11 > 0"
    )
    tx.run(
        "INSERT INTO attempts (delivery_id, attempt, at_us, duration_us, status, reason, reply)"
        " SELECT id, 1, created_at_us, 42000, 200, 'delivered', :reply FROM deliveries d WHERE NOT EXISTS"
        " (SELECT 1 FROM attempts a WHERE a.delivery_id = d.id)",
        reply=f"got: {TEXT}",
    )


def _payments(tx: Tx, account_id: int) -> None:
    for nth, (address, owner, txid) in enumerate([(ADDRESS, account_id, TXID), (f"{ADDRESS}x", SUSPENSE, LOST_TXID)]):
        script = bytes([nth]) * 22
        deposits.add_address(
            tx, account_id=owner, descriptor_index=nth + 1, address=address, script_pubkey=script, now_us=START_US
        )
        row = deposits.owners(tx, [script])[script]
        deposits.add(tx, txid=txid, vout=0, owner=row, amount=250_000, height=7, coinbase=False, now_us=START_US)
        tx.run("UPDATE deposits SET status = 'credited', alternations = 1 WHERE txid = :txid", txid=txid)
    tx.run(
        "INSERT INTO lightning_invoices (account_id, external_id, payment_hash, bolt11, amount_msat, description,"
        " created_at_us, created_wall_us, expires_at_us, state, is_newcomer) VALUES (:account_id, 'x', :hash, 'lnbcrt1',"
        " 5000000, '', :now_us, :now_us, :now_us, 'expired', :no)",
        account_id=account_id,
        hash=PAYMENT_HASH,
        now_us=START_US,
        no=False,
    )


def _carriers(tx: Tx) -> None:
    carriers.add(tx, "london")
    rows = [
        ("london 1", "bound", NOW_US - DAY_US, NOW_US, 1200, 430, 0, 18_000, ""),
        ("london 2", "closed", NOW_US - MINUTE_US, 0, 0, 0, 3, 0, "the SMSC refused the bind: wrong password"),
    ]
    carriers.note_links(tx, rows, carrier="london", wall_us=NOW_US)
    carriers.set_caught_up(tx, name="london", wall_us=NOW_US - MINUTE_US)
    canaries.put_result(
        tx, e164="+12025550101", carrier="london", kind="one_time_code", result="received", wall_us=NOW_US
    )
    strays.count(tx, {"+447700900123": 4, "02025550101": 12}, now_us=NOW_US)
    alerts.put(tx, "DTMFCarrierLinkDown", "london 2", is_firing=True, text="The link london 2 is down", wall_us=NOW_US)


def _operators(tx: Tx, account_id: int) -> None:
    by = By("grace", "wrote to support", NOW_US - DAY_US)
    record(tx, by, "accounts open", f"account {account_id}", account_id=account_id)
    record(tx, by, "numbers retire", "+12025550199 \u202egnirts")


def make_link(db: Database, *, key: str, operator: str = "ada", wall_us: int) -> str:
    """Create a link and return its path."""
    sha256, by = hashlib.sha256(key.encode()).digest(), By("root", "", wall_us)
    db.write_blocking(lambda tx: operator_sign_in.make_link(tx, by, link_sha256=sha256, operator=operator))
    return f"{SIGN_IN}?key={key}"
