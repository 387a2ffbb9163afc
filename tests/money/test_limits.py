"""A rental never costs or lasts more than its limits, and ends exactly there."""

from functools import partial

import pytest

from dtmf_server.core.errors import LimitReached, LimitTooLow, NumberNotRented, Refusal
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import account, ended, limits, meter, rent, send, verify
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import events, numbers
from dtmf_server.storage.db import Database, Row
from harness import DAY_US, MINUTE_US, START_US, give_coins, open_account
from money.test_races import at_once

MINUTE, SMS, SEGMENT = 13, 705, 1000  # prices of us-mobile
LOWEST = MINUTE + SMS
PHONE = "+447700900000"


class Renter:
    """An account with coins."""

    def __init__(self, db: Database, *, seed: int = 0, coins: int = 100_000) -> None:
        self.db, self.id = db, open_account(db, seed=seed)
        give_coins(db, self.id, coins)

    def rents(self, at_us: int = START_US, **chosen: int | str | None) -> str:
        start = partial(rent.start, account_id=self.id, group_id="us-mobile", now_us=at_us, cooldown_us=0, **chosen)
        return str(self.db.write_blocking(start)["e164"])  # type: ignore[arg-type]  # the limits

    def receives(self, e164: str, at_us: int, count: int = 1) -> list[int | None]:
        sms = [InboundMessage(e164, "+1234", "hello")] * count
        return self.db.write_blocking(lambda tx: receive_many(tx, sms, now_us=at_us))

    def sends(self, e164: str, at_us: int, text: str = "x") -> Row:
        return self.db.write_blocking(
            lambda tx: send.send(tx, self.id, sender=e164, to=PHONE, content=text, now_us=at_us, daily_limit=None)
        )

    def sets(self, e164: str, at_us: int, **chosen: int | None) -> Row:
        return self.db.write_blocking(lambda tx: limits.set_limits(tx, self.id, e164, now_us=at_us, **chosen))

    def sweeps(self, at_us: int) -> None:
        self.db.write_blocking(lambda tx: meter.sweep(tx, now_us=at_us))

    def cost(self, at_us: int) -> int:
        return 100_000 - self.db.read_blocking(lambda tx: account.balance(tx, self.id, now_us=at_us))

    def live(self, at_us: int) -> list[str]:
        return [row["e164"] for row in self.db.read_blocking(lambda tx: rent.live_rentals(tx, self.id, now_us=at_us))]

    def last(self, e164: str, at_us: int) -> tuple[str, int, int]:
        """Return reason, duration in microseconds and minutes of the last ended rental."""
        over = self.db.read_blocking(lambda tx: ended.of_number(tx, self.id, e164, now_us=at_us))[0]
        return over["end_reason"], over["ended_at_us"] - over["started_at_us"], over["booked_minutes"]


@pytest.mark.parametrize("minutes", [1, 2, 60, 1441])
@pytest.mark.parametrize("seen_us", [0, 1, MINUTE_US, 400 * DAY_US])
def test_a_rental_ends_after_exactly_its_minutes_whenever_the_meter_comes(
    db: Database, minutes: int, seen_us: int
) -> None:
    renter = Renter(db)
    e164 = renter.rents(max_minutes=minutes)
    end_us = START_US + minutes * MINUTE_US
    assert renter.live(end_us - 1) == [e164]
    assert renter.live(end_us + seen_us) == []
    assert renter.last(e164, end_us + seen_us) == ("limit", minutes * MINUTE_US, minutes)
    assert renter.cost(end_us + seen_us) == minutes * MINUTE, "as the renter sees it, before the meter has written it"
    renter.sweeps(end_us + seen_us)
    assert renter.last(e164, end_us + seen_us) == ("limit", minutes * MINUTE_US, minutes)
    assert renter.cost(end_us + seen_us) == minutes * MINUTE
    *_, event = db.read_blocking(lambda tx: events.of_account(tx, renter.id, after=0, limit=9))
    assert (event["kind"], event["at_us"]) == ("rental.ended", end_us) and '"limit"' in event["data"]
    assert db.read_blocking(verify.differences) == []


def test_the_first_limit_ends_the_rental_and_others_go_on(db: Database) -> None:
    renter = Renter(db)
    brief = renter.rents(max_minutes=3, max_sats=LOWEST + 5 * MINUTE)
    dear = renter.rents(max_minutes=9, max_sats=LOWEST + 5 * MINUTE)
    other = renter.rents(START_US + 7)
    assert renter.live(START_US + 3 * MINUTE_US) == [dear, other]
    late_us = START_US + 10 * MINUTE_US
    assert renter.live(late_us) == [other]
    assert (renter.last(brief, late_us)[2], renter.last(dear, late_us)[2]) == (3, 6)
    renter.sweeps(late_us)
    assert renter.cost(late_us) == (3 + 6 + 10) * MINUTE
    assert db.read_blocking(verify.differences) == []


def test_hundreds_of_rentals_that_end_at_once_end_in_portions(db: Database) -> None:
    renter = Renter(db)
    kept = renter.rents()
    db.write_blocking(lambda tx: stock_more(tx, 450))
    for _ in range(450):
        renter.rents(max_minutes=2)
    late_us = START_US + DAY_US
    assert renter.live(late_us) == [kept]
    renter.receives(kept, late_us)
    assert renter.live(late_us) == [kept]
    paid = (1441 + 2 * 450) * MINUTE + SMS
    assert renter.cost(late_us) == paid
    assert db.read_blocking(verify.differences) == []


def stock_more(tx, count: int) -> None:  # type: ignore[no-untyped-def]  # a function over a transaction
    """Add numbers to us-mobile."""
    for nth in range(count):
        tx.run(
            "INSERT INTO numbers (e164, group_id, rented, released_at_us) VALUES (:e164, 'us-mobile', :no, 0)",
            e164=f"+1303555{nth:04}",
            no=False,
        )


def test_an_sms_that_uses_up_the_limit_is_the_last_one(db: Database) -> None:
    renter = Renter(db)
    e164 = renter.rents(max_sats=LOWEST + SMS + 10)
    assert None not in renter.receives(e164, START_US)
    assert renter.live(START_US) == [e164]
    assert [id_ is None for id_ in renter.receives(e164, START_US + 5, count=3)] == [False, True, True]
    assert renter.last(e164, START_US + 5) == ("limit", 5, 1)
    assert renter.cost(START_US + DAY_US) == MINUTE + 2 * SMS
    assert db.read_blocking(verify.differences) == []


def test_the_limit_includes_the_set_up_and_may_be_used_to_the_last_satoshi(db: Database) -> None:
    renter = Renter(db)
    group = db.read_blocking(lambda tx: numbers.group(tx, "tiny"))
    assert group is not None and group["setup_cost"] > 0
    lowest = group["setup_cost"] + group["rental_cost_per_minute"] + group["cost_per_inbound_message"]
    most = lowest + 2 * group["rental_cost_per_minute"]
    start = partial(rent.start, account_id=renter.id, group_id="tiny", now_us=START_US, cooldown_us=0, max_sats=most)
    assert db.write_blocking(start)["limit_at_us"] == START_US + 3 * MINUTE_US
    e164 = renter.rents(max_sats=LOWEST + SMS)
    renter.receives(e164, START_US)
    assert e164 in renter.live(START_US), "exactly one more SMS can be paid"
    renter.receives(e164, START_US)
    assert e164 not in renter.live(START_US)
    assert db.read_blocking(verify.differences) == []


def test_an_sms_from_before_the_end_that_arrives_after_it_costs_what_is_left(db: Database) -> None:
    renter = Renter(db)
    e164 = renter.rents(max_sats=LOWEST + 100)
    renter.receives(e164, START_US + MINUTE_US // 2)
    late = InboundMessage(e164, "+1234", "hello", received_us=START_US + 5)
    db.write_blocking(
        lambda tx: receive_many(tx, [late, late], now_us=START_US + MINUTE_US, wall_us=START_US + MINUTE_US)
    )
    costs = db.read_blocking(lambda tx: tx.all("SELECT cost FROM messages ORDER BY id"))
    assert [row["cost"] for row in costs] == [SMS, 100, 0]
    assert renter.cost(START_US + DAY_US) == LOWEST + 100
    assert db.read_blocking(verify.differences) == []


def test_sending_beyond_the_limit_is_refused_and_a_refund_makes_room_again(db: Database) -> None:
    renter = Renter(db)
    e164 = renter.rents(max_sats=LOWEST + SEGMENT + 5)
    with pytest.raises(LimitReached) as refused:
        renter.sends(e164, START_US, "x" * 161)
    assert refused.value.members == {"limit": LOWEST + SEGMENT + 5, "remaining": SMS + SEGMENT + 5}
    message = renter.sends(e164, START_US)
    assert renter.live(START_US) == [e164], "one inbound SMS can still be paid"
    db.write_blocking(lambda tx: send.failed(tx, message["id"], reason="no", now_us=START_US))
    renter.sends(e164, START_US)
    with pytest.raises(LimitReached):
        renter.sends(e164, START_US)
    assert renter.live(START_US + MINUTE_US) == [], "another minute would leave too little for an SMS"
    assert db.read_blocking(verify.differences) == []


def test_a_message_that_leaves_too_little_for_an_sms_ends_the_rental(db: Database) -> None:
    renter = Renter(db)
    e164 = renter.rents(max_sats=MINUTE + SEGMENT)
    message = renter.sends(e164, START_US + 1)
    assert renter.last(e164, START_US + 1) == ("limit", 1, 1)
    db.write_blocking(lambda tx: send.failed(tx, message["id"], reason="no", now_us=START_US + DAY_US))
    assert renter.live(START_US + DAY_US) == [] and renter.cost(START_US + DAY_US) == MINUTE
    assert db.read_blocking(verify.differences) == []


@pytest.mark.parametrize(
    ("limit", "minimum"), [({"max_sats": LOWEST - 1}, LOWEST), ({"max_sats": 1}, LOWEST), ({"max_minutes": 0}, 1)]
)
def test_a_limit_below_the_minimum_rents_nothing(db: Database, limit: dict[str, int], minimum: int) -> None:
    renter = Renter(db)
    with pytest.raises(LimitTooLow) as refused:
        renter.rents(**limit)
    assert refused.value.members == {"field": next(iter(limit)), "minimum": minimum}
    assert renter.live(START_US) == [] and renter.cost(START_US) == 0


def test_a_change_never_ends_the_rental_at_once(db: Database) -> None:
    renter = Renter(db)
    e164 = renter.rents()
    renter.receives(e164, START_US)
    now_us = START_US + 5 * MINUTE_US
    for chosen, minimum in (({"max_minutes": 5}, 6), ({"max_sats": 6 * MINUTE + 2 * SMS - 1}, 6 * MINUTE + 2 * SMS)):
        with pytest.raises(LimitTooLow) as refused:
            renter.sets(e164, now_us, **chosen)
        assert refused.value.members["minimum"] == minimum
        row = renter.sets(e164, now_us, **{next(iter(chosen)): minimum})
        assert row["limit_at_us"] == START_US + 6 * MINUTE_US
        assert renter.live(START_US + 6 * MINUTE_US - 1) == [e164]
        assert renter.sets(e164, now_us, max_minutes=None, max_sats=None)["limit_at_us"] is None
    assert renter.live(START_US + DAY_US) == [e164]
    renter.sets(e164, START_US + DAY_US, max_minutes=1442)
    assert renter.live(START_US + DAY_US + 2 * MINUTE_US) == []
    with pytest.raises(NumberNotRented, match="it reached its limit"):
        renter.sets(e164, START_US + DAY_US + 2 * MINUTE_US, max_minutes=9999)
    other = Renter(db, seed=1)
    with pytest.raises(NumberNotRented):
        other.sets(e164, now_us, max_minutes=9999)
    with pytest.raises(NumberNotRented):
        db.write_blocking(lambda tx: limits.set_label(tx, other.id, e164, "mine", now_us=now_us))
    assert db.read_blocking(verify.differences) == []


def test_limits_hold_while_messages_ends_and_changes_race(db: Database) -> None:
    most = LOWEST + 3 * SMS + SEGMENT
    renter = Renter(db)
    e164 = renter.rents(max_sats=most)
    at_us = START_US + 1

    def act(nth: int) -> list[tuple[int, str]]:
        try:
            if nth % 4 == 0:
                return [(200, str(renter.receives(e164, at_us)[0] is None))]
            if nth % 4 == 1:
                renter.sends(e164, at_us)
            elif nth % 4 == 2:
                renter.sets(e164, at_us, max_sats=most - nth % 2)
            elif nth == 31:
                db.write_blocking(lambda tx: rent.end(tx, renter.id, e164, now_us=at_us))
            else:
                renter.receives(e164, at_us)
        except Refusal as refusal:
            return [(refusal.status, refusal.code)]
        return [(200, "")]

    answers = at_once(32, act)
    assert {code for _, code in answers} <= {"", "True", "False", "limit_too_low", "limit_reached", "number_not_rented"}
    assert renter.cost(START_US + DAY_US) <= most, "satoshis over the cap"
    assert renter.live(at_us) == []
    over = db.read_blocking(lambda tx: tx.all("SELECT id FROM events WHERE kind = 'rental.ended'"))
    assert len(over) == 1 and db.read_blocking(verify.differences) == []


def test_a_run_out_before_the_limit_ends_the_rental_as_before(db: Database) -> None:
    renter = Renter(db, coins=5 * MINUTE)
    e164 = renter.rents(max_minutes=6, max_sats=10_000)
    late_us = START_US + DAY_US
    assert renter.last(e164, late_us) == ("depleted", 5 * MINUTE_US, 5)
    renter.sweeps(late_us)
    assert renter.last(e164, late_us) == ("depleted", 5 * MINUTE_US, 5)
    assert db.read_blocking(verify.differences) == []
