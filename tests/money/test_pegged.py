"""Rentals in a group with prices in a currency: each price holds as long as it was promised, and changes at its instant."""

import json
from decimal import Decimal
from functools import partial

import pytest

from dtmf_server.core.errors import PriceUnavailable
from dtmf_server.core.pegged import PriceTerms
from dtmf_server.operations import account, meter, pegged, verify
from dtmf_server.storage import events, group_prices, numbers
from dtmf_server.storage.db import Database, Row, Tx
from harness import DAY_US, HOUR_US, MINUTE_US, START_US
from money.pegged_renter import GROUP, NOTICE_US, RATE, TERM_US, PeggedRenter, announce, peg, refresh
from money.test_races import at_once

DAY = 24 * 60  # minutes


def told(db: Database, account_id: int) -> list[Row]:
    rows = db.read_blocking(lambda tx: events.of_account(tx, account_id, after=0, limit=100))
    return [row for row in rows if row["kind"] == "price.changing"]


def stock_more(db: Database, count: int) -> None:
    db.write_blocking(lambda tx: numbers.add_numbers(tx, GROUP, [f"+1202556{n:04d}" for n in range(count)]))


def sweep_all(db: Database, at_us: int) -> int:
    """Let the meter work until nothing is due. Return in how many transactions."""
    times = 0
    while db.write_blocking(lambda tx: meter.sweep(tx, now_us=at_us)):
        times += 1
    while db.write_blocking(lambda tx: meter.share_out(tx, now_us=at_us)):
        pass
    return times


def test_prices_are_rounded_up_to_a_whole_satoshi(db: Database) -> None:
    peg(db, Decimal("50001"), minute_micros=1)
    group = db.read_blocking(lambda tx: numbers.group(tx, GROUP))
    assert group is not None
    assert (group["rental_cost_per_minute"], group["cost_per_inbound_message"], group["setup_cost"]) == (1, 705, 0)
    refresh(db, Decimal(49_999), at_us=START_US)
    group = db.read_blocking(lambda tx: numbers.group(tx, GROUP))
    assert group is not None and group["cost_per_inbound_message"] == 706 and group["rate"] == "49999"


def test_a_running_rental_follows_after_its_term_and_seven_days_after_an_event(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    e164 = renter.rents()
    refresh(db, RATE / 2, at_us=START_US)
    other = renter.rents()
    assert (renter.price(e164, START_US), renter.price(other, START_US)) == ((13, 705), (26, 1410))
    assert announce(db, NOTICE_US - 1) == 0 and told(db, renter.id) == []
    refresh(db, RATE / 2, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    (event,) = told(db, renter.id)
    assert json.loads(event["data"]) == {
        "e164": e164,
        "effective_at": "2018-01-31T01:01:01.000000",
        "cost_per_minute": 26,
        "cost_per_inbound_message": 1410,
    }
    before = (30 * DAY) * (13 + 26)
    assert renter.cost(TERM_US - 1) == before
    assert renter.cost(TERM_US) == before + 26 + 26, "as the renter sees it, before the meter has written it"
    assert renter.cost(TERM_US + 10 * MINUTE_US) == before + 11 * (26 + 26)
    usage = db.read_blocking(lambda tx: account.usage(tx, renter.id, now_us=TERM_US))
    assert usage.cost_per_minute == 52
    sweep_all(db, TERM_US + 10 * MINUTE_US)
    assert renter.price(e164, TERM_US + 10 * MINUTE_US) == (26, 1410)
    assert renter.cost(TERM_US + 10 * MINUTE_US) == before + 11 * (26 + 26)
    assert db.read_blocking(verify.differences) == []
    refresh(db, RATE, at_us=TERM_US + 23 * DAY_US)
    announce(db, TERM_US + 23 * DAY_US)
    assert len(told(db, renter.id)) == 3, "the other one's term ended with the same rate; then both follow again"
    sweep_all(db, TERM_US + 60 * DAY_US)
    assert renter.cost(TERM_US + 60 * DAY_US) == before + 30 * DAY * 52 + (30 * DAY + 1) * 26
    assert db.read_blocking(verify.differences) == []


@pytest.mark.parametrize("step_us", [MINUTE_US * 1441, 37 * DAY_US + 1, 400 * DAY_US])
def test_the_books_are_the_same_however_often_the_meter_comes(db: Database, step_us: int) -> None:
    peg(db)
    renter, poor = PeggedRenter(db), PeggedRenter(db, seed=1, coins=40 * DAY * 13)
    renter.rents()
    e164 = poor.rents()
    refresh(db, RATE / 3, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    end_us = START_US + 400 * DAY_US
    for at_us in range(NOTICE_US, end_us, step_us):
        sweep_all(db, at_us)
    sweep_all(db, end_us)
    assert renter.cost(end_us) == 30 * DAY * 13 + (370 * DAY + 1) * 39
    reason, lasted_us, minutes = poor.last(e164, end_us)
    assert (reason, minutes) == ("depleted", 30 * DAY + 10 * DAY // 3)
    assert lasted_us == minutes * MINUTE_US
    assert db.read_blocking(verify.differences) == []


def test_an_sms_costs_the_price_of_the_instant_at_which_it_is_stored(db: Database) -> None:
    peg(db, minute_micros=1)
    renter = PeggedRenter(db)
    e164 = renter.rents()
    refresh(db, RATE / 2, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    minutes = 30 * DAY
    renter.receives(e164, TERM_US - 1)
    assert renter.cost(TERM_US - 1) == minutes + 705
    renter.receives(e164, TERM_US, 2)  # the meter has not come
    assert renter.cost(TERM_US) == minutes + 705 + 2 * 1410 + 1
    assert db.read_blocking(verify.differences) == []


def test_an_unchanged_price_is_not_announced_and_applies_for_another_term(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    e164 = renter.rents()
    refresh(db, RATE * Decimal("1.0001"), at_us=NOTICE_US)
    announce(db, NOTICE_US)
    assert told(db, renter.id) == []
    refresh(db, RATE / 2, at_us=NOTICE_US + DAY_US)
    announce(db, TERM_US + 22 * DAY_US)
    assert told(db, renter.id) == []
    refresh(db, RATE / 2, at_us=TERM_US + 23 * DAY_US)
    announce(db, TERM_US + 23 * DAY_US)
    assert len(told(db, renter.id)) == 1
    assert renter.price(e164, TERM_US + 23 * DAY_US) == (13, 705)


def test_a_late_announcement_still_leaves_seven_days(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    renter.rents()
    late_us = TERM_US + DAY_US + 5
    refresh(db, RATE / 2, at_us=late_us)
    announce(db, late_us)
    change_us = TERM_US + 8 * DAY_US + MINUTE_US  # the first minute that starts seven days later
    assert json.loads(told(db, renter.id)[0]["data"])["effective_at"] == "2018-02-08T01:02:01.000000"
    sweep_all(db, change_us + MINUTE_US)
    assert renter.cost(change_us + MINUTE_US) == (38 * DAY + 1) * 13 + 2 * 26
    assert db.read_blocking(verify.differences) == []


def test_without_a_rate_running_rentals_stay_at_their_price_and_new_ones_are_refused_after_the_grace(
    db: Database,
) -> None:
    peg(db)
    renter = PeggedRenter(db)
    e164 = renter.rents()
    terms = PriceTerms(rate_after_wall_us=START_US)
    renter.rents(price_terms=terms)
    with pytest.raises(PriceUnavailable) as refused:
        renter.rents(price_terms=PriceTerms(rate_after_wall_us=START_US + 1))
    assert (refused.value.status, refused.value.code) == (503, "price_unavailable")
    for at_us in (NOTICE_US, NOTICE_US + DAY_US, NOTICE_US + 9 * DAY_US):
        announce(db, at_us)  # the last rate is that of the start
    assert told(db, renter.id) == []
    sweep_all(db, NOTICE_US + 9 * DAY_US)
    assert renter.price(e164, NOTICE_US + 9 * DAY_US) == (13, 705)
    refresh(db, RATE / 2, at_us=NOTICE_US + 9 * DAY_US)
    announce(db, NOTICE_US + 9 * DAY_US)
    assert len(told(db, renter.id)) == 0, "it is looked at once a day"
    refresh(db, RATE / 2, at_us=NOTICE_US + 10 * DAY_US)
    announce(db, NOTICE_US + 10 * DAY_US)
    assert len(told(db, renter.id)) == 2
    assert db.read_blocking(verify.differences) == []


def test_a_group_that_returns_to_satoshis_keeps_announced_prices_only(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    announced = renter.rents()
    refresh(db, RATE / 2, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    kept = renter.rents(NOTICE_US)
    db.write_blocking(lambda tx: group_prices.unpeg(tx, GROUP))
    end_us = NOTICE_US + 60 * DAY_US
    announce(db, end_us)
    sweep_all(db, end_us)
    assert (renter.price(announced, end_us), renter.price(kept, end_us)) == ((26, 1410), (26, 1410))
    assert announce(db, end_us) == 0
    assert db.read_blocking(verify.differences) == []


def test_a_limit_in_satoshis_counts_both_prices(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    most = 30 * DAY * 13 + 100 * 39 + 3 * 705 + 38  # one satoshi less than another minute
    e164 = renter.rents(max_sats=most)
    lasting = renter.rents(max_minutes=30 * DAY + 5, max_sats=most)
    refresh(db, RATE / 3, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    assert db.read_blocking(verify.differences) == []
    end_us = TERM_US + 100 * MINUTE_US
    assert renter.live(TERM_US + 4 * MINUTE_US) == [e164, lasting]
    assert renter.live(end_us - 1) == [e164]
    assert renter.live(end_us) == []
    sweep_all(db, end_us)
    assert renter.last(e164, end_us) == ("limit", 30 * DAY_US + 100 * MINUTE_US, 30 * DAY + 100)
    assert renter.last(lasting, end_us)[2] == 30 * DAY + 5
    assert renter.cost(end_us) == 2 * 30 * DAY * 13 + (100 + 5) * 39
    assert db.read_blocking(verify.differences) == []


def test_a_limit_that_the_old_price_uses_up_ends_the_rental_before_the_change(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    e164 = renter.rents(max_sats=29 * DAY * 13 + 705)
    last = renter.rents(max_sats=30 * DAY * 13 + 705)
    refresh(db, RATE / 3, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    sweep_all(db, TERM_US)
    assert renter.last(e164, TERM_US) == ("limit", 29 * DAY_US, 29 * DAY)
    assert renter.last(last, TERM_US) == ("limit", 30 * DAY_US, 30 * DAY), "it ends as its price would change"
    assert db.read_blocking(verify.differences) == []


def test_a_limit_that_pays_exactly_for_the_minutes_before_a_lower_price_goes_on(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    e164 = renter.rents(max_sats=30 * DAY * 13 + 705)
    refresh(db, RATE * 2, at_us=NOTICE_US)  # 7 a minute, 353 an SMS
    announce(db, NOTICE_US)
    end_us = TERM_US + 50 * MINUTE_US
    assert (renter.live(end_us - 1), renter.live(end_us)) == ([e164], [])
    sweep_all(db, end_us)
    assert renter.cost(end_us) == 30 * DAY * 13 + 50 * 7
    assert db.read_blocking(verify.differences) == []


@pytest.mark.parametrize("factor", [Decimal("0.5"), Decimal(4)])
def test_a_monthly_cap_changes_between_two_periods(db: Database, factor: Decimal) -> None:
    peg(db, cap_micros=6_500 * 1000)
    renter = PeggedRenter(db)
    renter.rents()
    refresh(db, RATE / factor, at_us=NOTICE_US + 2 * DAY_US)
    announce(db, NOTICE_US + 2 * DAY_US)  # two days late: the change waits for the next period
    change_us = TERM_US + 30 * DAY_US
    assert json.loads(told(db, renter.id)[0]["data"])["effective_at"] == "2018-03-02T01:01:01.000000"
    cap = int(13_000 * factor)
    assert renter.cost(change_us - 1) == 2 * 13_000
    assert renter.cost(change_us + DAY_US) == 2 * 13_000 + cap
    sweep_all(db, change_us + 29 * DAY_US)
    assert renter.cost(change_us + 29 * DAY_US) == 2 * 13_000 + cap
    usage = db.read_blocking(lambda tx: account.usage(tx, renter.id, now_us=change_us + 29 * DAY_US))
    assert usage.cost_per_minute == 0
    assert db.read_blocking(verify.differences) == []


def test_a_warning_of_a_low_balance_follows_a_higher_price(db: Database) -> None:
    peg(db)
    coins = 30 * DAY * 13 + 30 * 60 * 13  # for 30 hours more, or for 10 at the next price
    renter = PeggedRenter(db, coins=coins)
    renter.rents()
    refresh(db, RATE / 3, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    sweep_all(db, TERM_US)
    rows = db.read_blocking(lambda tx: events.of_account(tx, renter.id, after=0, limit=9))
    (low,) = [row for row in rows if row["kind"] == "balance.low"]
    assert low["at_us"] == TERM_US - 1
    assert json.loads(low["data"])["runs_out_at_us"] == TERM_US + 10 * HOUR_US
    assert db.read_blocking(verify.differences) == []


def test_hundreds_of_rentals_change_in_portions(db: Database) -> None:
    peg(db)
    stock_more(db, 450)
    renter = PeggedRenter(db, coins=1_000_000_000)
    for _ in range(430):
        renter.rents()
    refresh(db, RATE / 2, at_us=NOTICE_US)
    assert announce(db, NOTICE_US) == 9
    assert sweep_all(db, TERM_US) >= 3
    assert len(told(db, renter.id)) == 100, "a page of them"
    assert renter.cost(TERM_US) == 430 * (30 * DAY * 13 + 26)
    assert db.read_blocking(verify.differences) == []


def test_two_workers_announce_once_and_a_rolled_back_announcement_leaves_nothing(db: Database) -> None:
    peg(db)
    renter = PeggedRenter(db)
    renter.rents()
    refresh(db, RATE / 2, at_us=NOTICE_US)

    def dies(tx: Tx) -> None:
        pegged.announce(tx, now_us=NOTICE_US, wall_us=NOTICE_US)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.write_blocking(dies)
    assert told(db, renter.id) == [] and db.read_blocking(verify.differences) == []
    announcing = partial(pegged.announce, now_us=NOTICE_US, wall_us=NOTICE_US)
    at_once(4, lambda _: [(db.write_blocking(announcing), "announced")])
    assert len(told(db, renter.id)) == 1
    at_once(4, lambda _: [(db.write_blocking(partial(meter.sweep, now_us=TERM_US)), "swept")])
    assert renter.cost(TERM_US) == 30 * DAY * 13 + 26
    assert db.read_blocking(verify.differences) == []
