"""A rental that received nothing is refunded as its group says, never more than the caps, and never for nothing."""

import json

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.refunds import RefundCaps
from dtmf_server.core.token_grant import Grant
from dtmf_server.operations import account, close_account, meter, rent, rental_refunds, send, tokens, verify
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import carriers, events, numbers
from dtmf_server.storage import tokens as stored_tokens
from dtmf_server.storage.db import Database, Row, Tx
from effort import REFUND_ACCOUNTS
from harness import DAY_US, MINUTE_US, START_US, give_coins, open_account
from money.test_races import at_once

MINUTE = 13  # sats, the price of us-mobile
PERCENT, WITHIN = 50, 20
CAPS = RefundCaps(network_sats=1000, group_sats=5000)
COINS = 100_000


@pytest.fixture(autouse=True)
def _terms(db: Database) -> None:
    def set_terms(tx: Tx) -> None:
        terms = {"monthly_cap": None, "reclaim_days": 0, "line_type": None}
        numbers.set_terms(tx, "us-mobile", **terms, refund_within_minutes=WITHIN, refund_percent=PERCENT)
        numbers.set_terms(tx, "tiny", **terms, refund_within_minutes=WITHIN, refund_percent=PERCENT)

    db.write_blocking(set_terms)


class Renter:
    """An account with coins, or without a deposit."""

    def __init__(
        self, db: Database, *, seed: int = 0, coins: int = COINS, network: str | None = "192.0.2.0/24"
    ) -> None:
        self.db, self.id, self.network = db, open_account(db, seed=seed), network
        if coins:
            give_coins(db, self.id, coins)

    def rents(self, at_us: int = START_US, group: str = "us-mobile", max_minutes: int | None = None) -> Row:
        return self.db.write_blocking(
            lambda tx: rent.start(
                tx, self.id, group, now_us=at_us, cooldown_us=0, max_minutes=max_minutes, network=self.network
            )
        )

    def ends(self, rental: Row, at_us: int, caps: RefundCaps = CAPS) -> None:
        self.db.write_blocking(lambda tx: rent.end(tx, self.id, rental["e164"], now_us=at_us, refund_caps=caps))

    def refunded(self) -> int:
        rows = self.db.read_blocking(lambda tx: account.transactions(tx, self.id, after=0, limit=1000))
        return sum(row["amount"] for row in rows if row["kind"] == "rental_refunded")

    def events(self) -> list[Row]:
        return self.db.read_blocking(lambda tx: events.of_account(tx, self.id, after=0, limit=1000))

    def receives(self, rental: Row, at_us: int) -> None:
        sms = InboundMessage(rental["e164"], "+1234", "hello")
        self.db.write_blocking(lambda tx: receive_many(tx, [sms], now_us=at_us))


def decide(db: Database, at_us: int) -> None:
    """Run the meter."""
    db.write_blocking(lambda tx: meter.sweep(tx, now_us=at_us))
    while db.write_blocking(lambda tx: rental_refunds.decide_due(tx, caps=CAPS, now_us=at_us)):
        pass


def test_an_unused_rental_is_refunded_at_once_by_the_service(db: Database) -> None:
    renter = Renter(db)
    rental = renter.rents()
    renter.ends(rental, START_US + 9 * MINUTE_US)
    assert renter.refunded() == 10 * MINUTE * PERCENT // 100
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT debit, credit FROM transfers WHERE kind = 'rental_refunded'"))
    assert (row["debit"], row["credit"]) == (2, renter.id), "from the service's revenue"
    decide(db, START_US + DAY_US)
    assert renter.refunded() == 10 * MINUTE * PERCENT // 100, "once"
    found = [event for event in renter.events() if event["kind"].startswith("rental.")]
    assert [event["kind"] for event in found] == ["rental.ended", "rental.refunded"]
    assert json.loads(found[1]["data"]) == {"e164": rental["e164"], "amount": 10 * MINUTE * PERCENT // 100}
    assert db.read_blocking(verify.differences) == []


def test_the_set_up_is_refunded_where_the_group_has_no_supply(db: Database) -> None:
    renter = Renter(db)
    rental = renter.rents(group="tiny")
    assert rental["setup_cost"] > 0
    renter.ends(rental, START_US)
    paid = rental["cost_per_minute"] * PERCENT // 100 + rental["setup_cost"] * PERCENT // 100
    assert renter.refunded() == paid
    db.write_blocking(
        lambda tx: tx.run(
            "INSERT INTO supplies (group_id, carrier, stock_min, stock_max, setup_price_max, month_price_max, currency)"
            " VALUES ('tiny', 'x', 0, 1, 0, 1, 'USD')"
        )
    )
    other = Renter(db, seed=1)
    other.ends(other.rents(group="tiny"), START_US)
    assert other.refunded() == rental["cost_per_minute"] * PERCENT // 100
    assert db.read_blocking(verify.differences) == []


def test_a_rental_that_a_limit_ends_is_refunded_by_the_meter(db: Database) -> None:
    renter = Renter(db)
    renter.rents(max_minutes=4)
    decide(db, START_US + DAY_US)
    assert renter.refunded() == 4 * MINUTE * PERCENT // 100
    assert db.read_blocking(verify.differences) == []


@pytest.mark.parametrize("reason", ["late", "received", "sent", "a part", "run out", "no deposit", "debt", "deleted"])
def test_nothing_is_refunded_if(db: Database, reason: str) -> None:
    coins = {"run out": 5 * MINUTE, "no deposit": 0}.get(reason, COINS)
    renter = Renter(db, coins=coins)
    if reason == "no deposit":
        give_without_deposit(db, renter.id, 1000)
    rental, end_us = renter.rents(), START_US + MINUTE_US
    if reason == "late":
        end_us = START_US + WITHIN * MINUTE_US + 1
    elif reason == "received":
        renter.receives(rental, START_US)
    elif reason == "sent":
        message = db.write_blocking(
            lambda tx: send.send(
                tx, renter.id, sender=rental["e164"], to="+447700900000", content="x", now_us=START_US, daily_limit=None
            )
        )
        db.write_blocking(lambda tx: send.failed(tx, message["id"], reason="no", now_us=START_US))
    elif reason == "a part":
        db.write_blocking(lambda tx: store_part(tx, rental["e164"]))
    elif reason == "debt":
        db.write_blocking(lambda tx: tx.run("UPDATE accounts SET debt = 5 WHERE id = :id", id=renter.id))
    if reason == "run out":
        decide(db, START_US + DAY_US)
    elif reason == "deleted":
        db.write_blocking(
            lambda tx: close_account.close_account(tx, renter.id, given_up_max=COINS, now_us=end_us, wall_us=end_us)
        )
    else:
        renter.ends(rental, end_us)
    decide(db, START_US + DAY_US)
    assert renter.refunded() == 0
    assert db.read_blocking(lambda tx: tx.all("SELECT id FROM rentals WHERE network IS NOT NULL")) == []


def give_without_deposit(db: Database, account_id: int, sats: int) -> None:
    """Move coins to an account from another one."""
    giver = Renter(db, seed=9)

    def give(tx: Tx) -> None:
        with open_ledger(tx, [giver.id, account_id], now_us=START_US) as ledger:
            ledger.hand_over(giver.id, account_id, sats, unique_ref="given", reference="given")

    db.write_blocking(give)


def store_part(tx: Tx, e164: str) -> None:
    """Store one part of a long SMS."""
    carriers.lock(tx, "x")
    tx.run(
        "INSERT INTO parts (carrier, recipient, sender, ref, ref_bits, total, number, octets, coding, dcs, udh, stored_wall_us)"
        " VALUES ('x', :e164, '+1234', 1, 8, 2, 1, :octets, 'gsm7', 0, :octets, 0)",
        e164=e164,
        octets=b"x",
    )


def test_one_refund_per_group_until_an_sms_came_there(db: Database) -> None:
    renter, one = Renter(db), MINUTE * PERCENT // 100
    for nth in range(3):
        renter.ends(renter.rents(START_US + nth), START_US + nth)
    assert renter.refunded() == one
    elsewhere = renter.rents(group="tiny")
    renter.receives(elsewhere, START_US + 9)
    renter.ends(renter.rents(START_US + 10), START_US + 10)
    assert renter.refunded() == one, "an SMS in another group does not count"
    used = renter.rents(START_US + 20)
    renter.receives(used, START_US + 20)
    for nth in range(30, 33):
        renter.ends(renter.rents(START_US + nth), START_US + nth)
    assert renter.refunded() == 2 * one
    assert db.read_blocking(verify.differences) == []


def test_a_refund_returns_to_the_tokens_limit_but_not_to_its_day(db: Database) -> None:
    renter, day_sats = Renter(db), []

    def create(tx: Tx, parent_id: int | None = None) -> int:
        asked = Grant(scopes=("rent", "tokens"), sats_max=2000, sats_per_day=1000)
        sha256 = bytes([parent_id or 0]) * 32
        return tokens.add(
            tx, renter.id, token_sha256=sha256, label="x", now_us=START_US, asked=asked, created_by=parent_id
        )

    parent_id = db.write_blocking(create)
    child_id = db.write_blocking(lambda tx: create(tx, parent_id))
    rental = db.write_blocking(
        lambda tx: rent.start(
            tx, renter.id, "us-mobile", now_us=START_US, cooldown_us=0, max_sats=900, network="", started_by=child_id
        )
    )
    renter.ends(rental, START_US + 9 * MINUTE_US)
    cost = 10 * MINUTE - 10 * MINUTE * PERCENT // 100
    for row in db.read_blocking(stored_tokens.restricted):
        assert (row["reserved_sats"], row["spent_sats"]) == (0, cost), "of the child, and of its parent"
        day_sats.append(row["day_sats"])
    assert day_sats == [10 * MINUTE] * 2
    assert db.read_blocking(verify.differences) == []


def test_terms_are_those_of_the_start(db: Database) -> None:
    renter = Renter(db)
    rental = renter.rents()
    db.write_blocking(lambda tx: numbers.set_terms(tx, "us-mobile", monthly_cap=None, reclaim_days=0, line_type=None))
    renter.ends(rental, START_US)
    assert renter.refunded() == MINUTE * PERCENT // 100
    other = Renter(db, seed=1)
    other.ends(other.rents(), START_US)
    assert other.refunded() == 0


def test_accounts_of_one_network_that_rent_and_end_in_a_loop_get_no_more_than_the_cap(db: Database) -> None:
    """A thousand accounts as a proof (DTMF_REFUND_ACCOUNTS); some of them together."""
    caps, at_us = RefundCaps(network_sats=20 * 6, group_sats=30 * 6), START_US
    renters = [Renter(db, seed=seed, coins=50 * MINUTE) for seed in range(REFUND_ACCOUNTS)]

    def loop(nth: int) -> list[tuple[int, str]]:
        for renter in renters[nth::4]:
            for _ in range(2):
                renter.ends(renter.rents(at_us), at_us, caps)
        return []

    at_once(4, loop)
    total = sum(renter.refunded() for renter in renters)
    assert total == min(len(renters) * 6, caps.network_sats)
    elsewhere = [Renter(db, seed=10_000 + nth, network=f"198.51.{nth}.0/24") for nth in range(15)]
    for renter in elsewhere:
        renter.ends(renter.rents(at_us), at_us, caps)
    assert total + sum(renter.refunded() for renter in elsewhere) <= caps.group_sats, "the group's cap"
    tomorrow = Renter(db, seed=20_000)
    tomorrow.ends(tomorrow.rents(at_us + DAY_US), at_us + DAY_US, caps)
    assert tomorrow.refunded() == 6
    assert db.read_blocking(verify.differences) == []
