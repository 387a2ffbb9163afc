"""An account with many live rentals: no operation reads them all, and both run-out (to the microsecond) and account
deletion happen in batches."""

from collections.abc import Callable

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import action_for
from dtmf_server.operations import account, close_account, meter, receive, rent, send, verify
from dtmf_server.storage import tokens
from dtmf_server.storage.db import Database, Tx
from harness import DAY_US, HOUR_US, MINUTE_US, give_coins
from money.large_accounts import PRICE, Counting, Renter, ends
from money.oracle.minutes import pay_minutes

MANY = 450
ROWS_MORE = (
    200  # sums and so on that an operation may read for an account with 450 rentals, beyond those for one rental
)


def rows_read(renter: Renter, do: Callable[[Tx], object]) -> int:
    def run(tx: Tx) -> int:
        counting = Counting(tx)
        do(counting)
        return counting.rows

    return renter.db.write_blocking(run)


def operations(renter: Renter) -> dict[str, Callable[[Tx], object]]:
    e164, at = renter.e164s[-1], {"now_us": renter.now_us + 90_000_000}
    now = {"now_us": at["now_us"]}

    def start_and_end(tx: Tx) -> None:
        rented = rent.start(tx, renter.id, renter.group, **at, cooldown_us=DAY_US)
        rent.end(tx, renter.id, rented["e164"], **at)

    return {
        "an inbound SMS": lambda tx: receive.receive_many(tx, [InboundMessage(e164, "+1234", "hello")], **at),
        "renting and ending": start_and_end,
        "setting an action": lambda tx: rent.set_action(tx, renter.id, e164, action_for("https://x.example/"), **at),
        "sending": lambda tx: send.send(
            tx, renter.id, sender=e164, to="+447700900123", content="hi", daily_limit=None, **at
        ),
        "the balance": lambda tx: account.balance(tx, renter.id, **now),
        "the usage": lambda tx: account.usage(tx, renter.id, **now),
        "one number": lambda tx: rent.live_rental(tx, renter.id, e164, **now),
        "settling": lambda tx: meter.sweep(tx, now_us=renter.now_us + DAY_US),
    }


@pytest.mark.regression("large-account-reads-no-rentals")
@pytest.mark.parametrize("apart_us", [0, 700_001])
def test_no_operation_reads_all_the_rentals_of_its_account(db: Database, apart_us: int) -> None:
    small = Renter(db, 1, seed=1, apart_us=apart_us)
    large = Renter(db, MANY, seed=2, apart_us=apart_us)
    few = {name: rows_read(small, do) for name, do in operations(small).items()}
    many = {name: rows_read(large, do) for name, do in operations(large).items()}
    assert {name: rows for name, rows in many.items() if rows > few[name] + ROWS_MORE} == {}
    assert db.read_blocking(verify.differences) == []


@pytest.mark.regression("mass-run-out-in-portions")
@pytest.mark.parametrize("apart_us", [0, 1, 700_001])
def test_a_mass_run_out_ends_every_rental_at_its_instant_in_batches(db: Database, apart_us: int) -> None:
    renter = Renter(db, MANY, seed=3, apart_us=apart_us, minutes=9)
    late_us = renter.now_us + DAY_US
    expected = renter.plain()
    before = db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=renter.now_us))
    # The minutes that elapse while renting are paid from the same coins.
    coins = MANY * PRICE * 9 + 7 - MANY * PRICE
    left = pay_minutes(coins, expected, late_us)
    assert before <= coins
    portions = []
    while db.write_blocking(lambda tx: meter.sweep(tx, now_us=late_us)):
        portions.append(renter.live())
        assert db.read_blocking(verify.differences) == [], "a batch leaves the books consistent"
        assert db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=late_us)) == left
        assert db.read_blocking(lambda tx: rent.live_rentals(tx, renter.id, now_us=late_us)) == []
    steps = [was - now for was, now in zip([MANY, *portions], portions, strict=False)]
    assert max(steps) <= 250, "a batch blocks everyone else"
    assert ends(db, renter.id) == sorted((r.id, r.ended_us, r.paid_minutes) for r in expected)


@pytest.mark.parametrize("what", ["an SMS", "coins", "a rental"])
def test_an_event_during_a_mass_run_out_takes_effect_after_all_of_it(db: Database, what: str) -> None:
    renter = Renter(db, MANY, seed=4, apart_us=700_001, minutes=9)
    neighbour = Renter(db, 1, seed=5, apart_us=0)
    late_us = renter.now_us + DAY_US
    expected = renter.plain()
    left = pay_minutes(MANY * PRICE * 8 + 7, expected, late_us)
    assert db.write_blocking(lambda tx: meter.sweep(tx, now_us=late_us)) > 0
    assert 0 < renter.live() < MANY, "the run-out is in progress"
    if what == "an SMS":
        inbound = [InboundMessage(e164, "+1", "x") for e164 in (renter.e164s[-1], neighbour.e164s[0])]
        stray, stored = db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=late_us))
        assert stray is None and stored is not None
        assert db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=late_us)) == left
    elif what == "coins":
        give_coins(db, renter.id, 10**6, now_us=late_us)
        assert db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=late_us)) == left + 10**6
    else:
        with pytest.raises(Exception, match=r"(?i)funds|balance"):
            db.write_blocking(lambda tx: rent.start(tx, renter.id, "us-mobile", now_us=late_us, cooldown_us=DAY_US))
    while db.write_blocking(lambda tx: meter.sweep(tx, now_us=late_us)):
        pass
    assert renter.live() == 0
    assert ends(db, renter.id) == sorted((r.id, r.ended_us, r.paid_minutes) for r in expected)
    assert db.read_blocking(verify.differences) == []


@pytest.mark.regression("deletion-in-portions")
def test_a_large_account_is_deleted_in_batches_and_cannot_act_meanwhile(db: Database) -> None:
    renter = Renter(db, MANY, seed=6, apart_us=700_001)
    last = renter.e164s[-1]
    at = {"now_us": renter.now_us + HOUR_US}
    db.write_blocking(lambda tx: receive.receive_many(tx, [InboundMessage(last, "+1", "secret text")] * MANY, **at))
    db.write_blocking(lambda tx: close_account.close_account(tx, renter.id, given_up_max=10**12, wall_us=0, **at))
    assert renter.live() >= MANY - 250, "one transaction ended all the rentals"
    assert db.read_blocking(verify.differences) == []
    assert db.read_blocking(lambda tx: tokens.opened_by(tx, b"x", wall_us=0)) is None
    later = {"now_us": at["now_us"] + DAY_US}
    live_e164 = db.read_blocking(
        lambda tx: tx.one("SELECT e164 FROM rentals WHERE account_id = :id AND ended_at_us IS NULL", id=renter.id)
    )
    assert live_e164 is not None
    inbound = [InboundMessage(live_e164["e164"], "+1", "too late")]
    assert db.write_blocking(lambda tx: receive.receive_many(tx, inbound, **later)) == [None]
    db.write_blocking(lambda tx: meter.sweep(tx, **later))
    while db.write_blocking(close_account.go_on):
        assert db.read_blocking(verify.differences) == []
    rows = db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals WHERE account_id = :id", id=renter.id))
    assert {(row["ended_at_us"], row["end_reason"]) for row in rows} == {(at["now_us"], "renter")}
    kept = db.read_blocking(lambda tx: tx.all("SELECT content FROM messages WHERE content IS NOT NULL"))
    assert kept == []
    assert db.read_blocking(verify.differences) == []


def test_minutes_are_booked_to_each_rental_once_a_day(db: Database) -> None:
    renter = Renter(db, 40, seed=7, apart_us=131_071)
    later_us = renter.now_us + DAY_US + MINUTE_US
    assert db.write_blocking(lambda tx: meter.sweep(tx, now_us=later_us)) == 1
    assert db.write_blocking(lambda tx: meter.share_out(tx, now_us=later_us)) == 40
    assert db.write_blocking(lambda tx: meter.share_out(tx, now_us=later_us)) == 0
    rows = db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals WHERE account_id = :id", id=renter.id))
    assert {row["booked_minutes"] for row in rows} == {
        (later_us - row["started_at_us"]) // MINUTE_US + 1 for row in rows
    }
    assert db.read_blocking(verify.differences) == []
