"""SMS from carriers that say when they received them: stored once, and for the renter of that time only."""

import pytest

from dtmf_server.core.inbound import Concatenation, InboundMessage, Part
from dtmf_server.operations import ingest, rent, retention, strays, verify
from dtmf_server.storage import carriers
from dtmf_server.storage.db import Database, Row
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, give_coins, open_account

E164, PRICE = "+12025550200", 705  # the one number of its group
SECOND_US = 1_000_000


class Number:
    """One number that changes hands, and the carrier that brings its SMS."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.first, self.second = open_account(db, seed=0), open_account(db, seed=1)
        for account_id in (self.first, self.second):
            give_coins(db, account_id, 100_000_000)
        db.write_blocking(lambda tx: carriers.add(tx, "pigeon"))

    def rented(self, account_id: int, *, from_us: int, until_us: int | None = None) -> None:
        self.db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=from_us, cooldown_us=0))
        if until_us is not None:
            self.db.write_blocking(lambda tx: rent.end(tx, account_id, E164, now_us=until_us))

    def brings(self, *sms: InboundMessage, at_us: int) -> None:
        """A callback that arrives at this time."""
        self.db.write_blocking(lambda tx: ingest.ingest_batch(tx, "pigeon", sms, live=(), now_us=at_us, wall_us=at_us))

    def stored(self) -> list[tuple[int, str, int]]:
        """Account, text and cost of every message, oldest first."""
        rows: list[Row] = self.db.read_blocking(lambda tx: tx.all("SELECT * FROM messages ORDER BY id"))
        return [(row["account_id"], row["content"], row["cost"]) for row in rows]

    def unowned(self) -> int:
        return sum(stray.count for stray in self.db.read_blocking(strays.latest))


@pytest.fixture
def number(db: Database) -> Number:
    return Number(db)


def sms(text: str, *, received_us: int | None, ref: str = "") -> InboundMessage:
    return InboundMessage(E164, "Bank", text, carrier_ref=ref or text, received_us=received_us)


@pytest.mark.parametrize("late_us", [HOUR_US, 8 * DAY_US, 25 * DAY_US])
def test_a_late_callback_reaches_the_renter_of_its_time_and_not_the_next_one(number: Number, late_us: int) -> None:
    number.rented(number.first, from_us=START_US, until_us=START_US + HOUR_US)
    number.rented(number.second, from_us=START_US + HOUR_US + MINUTE_US)
    received_us = START_US + 30 * MINUTE_US
    number.brings(sms("yours", received_us=received_us), at_us=received_us + late_us)
    assert number.stored() == [(number.first, "yours", PRICE)]
    assert number.db.read_blocking(verify.differences) == []


def test_a_callback_from_before_the_first_renter_or_between_two_belongs_to_no_renter(number: Number) -> None:
    number.rented(number.first, from_us=START_US, until_us=START_US + HOUR_US)
    number.rented(number.second, from_us=START_US + 2 * HOUR_US)
    now_us = START_US + 3 * HOUR_US
    number.brings(sms("before", received_us=START_US - HOUR_US), at_us=now_us)
    number.brings(sms("between", received_us=START_US + 90 * MINUTE_US), at_us=now_us)
    assert number.stored() == []
    assert number.unowned() == 2


def test_a_carrier_whose_clock_is_a_minute_slow_loses_no_sms(number: Number) -> None:
    number.rented(number.first, from_us=START_US)
    number.brings(sms("soon", received_us=START_US - MINUTE_US), at_us=START_US + SECOND_US)
    number.brings(sms("fast", received_us=START_US + DAY_US), at_us=START_US + SECOND_US)
    assert [text for _, text, _ in number.stored()] == ["soon", "fast"]


def test_a_slow_clock_never_gives_the_sms_of_one_renter_to_another(number: Number) -> None:
    number.rented(number.first, from_us=START_US, until_us=START_US + HOUR_US)
    number.rented(number.second, from_us=START_US + HOUR_US + MINUTE_US)
    between_us = START_US + HOUR_US + 30 * SECOND_US
    number.brings(sms("whose?", received_us=between_us), at_us=START_US + 2 * HOUR_US)
    assert number.stored() == []
    assert number.unowned() == 1


def test_an_sms_whose_renter_has_deleted_texts_is_not_stored(number: Number) -> None:
    number.rented(number.first, from_us=START_US, until_us=START_US + HOUR_US)
    now_us = START_US + 40 * DAY_US
    while number.db.write_blocking(lambda tx: retention.erase(tx, now_us=now_us, retention_us=30 * DAY_US)):
        pass
    number.brings(sms("late", received_us=START_US + MINUTE_US), at_us=now_us)
    assert number.stored() == []
    assert number.unowned() == 1


@pytest.mark.parametrize("later_us", [SECOND_US, HOUR_US, 8 * DAY_US, 40 * DAY_US, 400 * DAY_US])
def test_an_id_of_the_carrier_is_recognized_as_long_as_the_number_is_in_stock(number: Number, later_us: int) -> None:
    number.rented(number.first, from_us=START_US)
    number.brings(sms("one", received_us=None, ref="SMabc"), at_us=START_US)
    again_us = START_US + later_us
    while number.db.write_blocking(lambda tx: ingest.forget(tx, wall_us=again_us)):
        pass
    number.brings(sms("one", received_us=None, ref="SMabc"), at_us=again_us)
    number.brings(sms("other case is another SMS", received_us=None, ref="SMABC"), at_us=again_us)
    assert [text for _, text, _ in number.stored()] == ["one", "other case is another SMS"]


def test_ids_of_sms_for_numbers_not_in_stock_expire_after_90_days(number: Number) -> None:
    number.brings(InboundMessage("+4712345678", "Bank", "?", carrier_ref="a"), at_us=START_US)

    def forget(days: int) -> int:
        return number.db.write_blocking(lambda tx: ingest.forget(tx, wall_us=START_US + days * DAY_US))

    assert (forget(89), forget(91), forget(91)) == (0, 1, 0)


def test_a_redacted_sms_is_shown_and_never_charged(number: Number) -> None:
    number.rented(number.first, from_us=START_US)
    redacted = InboundMessage(E164, "Bank", "Your code is [redacted]", carrier_ref="a", redacted=True)
    number.brings(redacted, sms("plain", received_us=None), at_us=START_US)
    assert [cost for *_, cost in number.stored()] == [0, PRICE]
    reasons = number.db.read_blocking(lambda tx: tx.all("SELECT reason FROM messages ORDER BY id"))
    assert [row["reason"] for row in reasons] == ["the carrier removed the code from this SMS", None]


@pytest.mark.parametrize("is_whole", [True, False])
def test_parts_belong_to_the_renter_of_the_time_of_the_first(number: Number, is_whole: bool) -> None:
    number.rented(number.first, from_us=START_US, until_us=START_US + HOUR_US)
    number.rented(number.second, from_us=START_US + 2 * HOUR_US)
    now_us = START_US + 3 * HOUR_US
    for place in (1, 2)[: 2 if is_whole else 1]:
        part = Part(Concatenation(7, 8, 2, place), b"ab"[place - 1 : place], "gsm7")
        received_us = START_US + place * MINUTE_US
        number.brings(InboundMessage(E164, "Bank", part, carrier_ref=str(place), received_us=received_us), at_us=now_us)
    number.db.write_blocking(
        lambda tx: ingest.flush_incomplete(
            tx, "pigeon", patience_us=0, now_us=now_us + SECOND_US, wall_us=now_us + SECOND_US
        )
    )
    assert [(account_id, text) for account_id, text, _ in number.stored()] == [
        (number.first, "ab" if is_whole else "a[…]")
    ]
