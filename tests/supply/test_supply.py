"""Numbers are bought when they are needed and given back before the next month; nothing is paid twice or forgotten."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from dtmf_server.core.errors import NoNumbersAvailable, TooManySupplyNumbers
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.number_supply import NEEDS_ADDRESS, PRICE_UNIT
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dtmf_server.operations import rent, supply
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import supplies, supply_numbers
from dtmf_server.storage.db import Database, Row
from dtmf_server.workers.supply import ClockJumped, Supplier, compare, work
from harness import FakeWall, give_coins, open_account
from supply.conftest import RULES, TERMS
from support.providers.number_market import Market
from support.selling import Seller

Make = Callable[..., Supplier]


def step(supplier: Supplier, wall: FakeWall | None = None, us: int = 0) -> None:
    """One pass of the worker, after some time."""
    if wall is not None:
        wall.advance(us=us)
    asyncio.run(work(supplier))


def renter(db: Database, seed: int, wall: FakeWall, *, trusted: bool = True) -> int:
    give_coins(db, who := open_account(db, seed=seed, now_us=wall()), 1_000_000, now_us=wall())
    if trusted:
        row = db.write_blocking(lambda tx: rent.start(tx, who, "us-mobile", now_us=wall(), cooldown_us=0))
        db.write_blocking(lambda tx: receive_many(tx, [InboundMessage(row["e164"], "+1234", "hi")], now_us=wall()))
        db.write_blocking(lambda tx: rent.end(tx, who, row["e164"], now_us=wall()))
    return who


def rented(db: Database, who: int, wall: FakeWall, rules: object = RULES) -> Row:
    return db.write_blocking(
        lambda tx: rent.start(tx, who, "demand", now_us=wall(), cooldown_us=DAY_US, rules=rules)  # type: ignore[arg-type]  # SupplyRules
    )


def states(db: Database) -> dict[str, int]:
    rows = db.read_blocking(lambda tx: tx.all("SELECT state, count(*) AS n FROM supply_numbers GROUP BY state"))
    return {row["state"]: int(row["n"]) for row in rows}


def booked(db: Database) -> int:
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT coalesce(sum(amount), 0) AS n FROM supply_costs"))
    return int(row["n"])


def trouble(db: Database) -> str:
    row = db.read_blocking(lambda tx: supplies.of_group(tx, "demand"))
    assert row is not None
    return str(row["trouble"])


def paid(market: Market) -> int:
    return int(sum((amount for *_, amount in market.charges), Decimal(0)) * PRICE_UNIT)


def test_stock_min_is_bought_and_each_rental_buys_the_next(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied()
    step(supplier)
    assert states(db) == {"free": 3} and len(market.owned) == 3
    step(supplier)
    assert len(market.purchases) == 3
    rented(db, renter(db, 1, wall), wall)
    step(supplier)
    assert len(market.purchases) == 4
    assert booked(db) == paid(market)


def test_an_unused_number_is_given_back_the_day_before_its_renewal(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied(replace(TERMS, stock_min=2))
    step(supplier)
    e164 = rented(db, renter(db, 1, wall), wall)["e164"]
    db.write_blocking(lambda tx: supply_numbers.stop(tx, True))
    step(supplier, wall, 30 * DAY_US - MINUTE_US)  # January has 31 days
    assert len(market.owned) == 2
    step(supplier, wall, 2 * MINUTE_US)
    assert [*market.owned] == [e164] and states(db) == {"free": 1, "gone": 1, "wanted": 1}
    step(supplier, wall, DAY_US)  # the rented one is renewed
    market.pass_time()
    assert booked(db) == paid(market) == 3 * 1_150_000


def test_a_number_in_cooldown_stays(db: Database, market: Market, supplied: Make, wall: FakeWall) -> None:
    supplier = supplied(replace(TERMS, stock_min=0, stock_max=1))
    who = renter(db, 1, wall)
    with pytest.raises(NoNumbersAvailable) as refused:
        rented(db, who, wall)
    assert refused.value.members == {"retry_after": 15}
    step(supplier)
    e164 = rented(db, who, wall)["e164"]
    wall.advance(us=30 * DAY_US + HOUR_US)
    db.write_blocking(lambda tx: rent.end(tx, who, e164, now_us=wall()))
    step(supplier)
    assert [*market.owned] == [e164], "its last renter may rent it again"
    step(supplier, wall, 2 * DAY_US)
    market.pass_time()
    assert booked(db) == paid(market) == 2 * 1_150_000, "it was renewed once"
    step(supplier, wall, 26 * DAY_US)  # two months have 59 days
    assert not market.owned


def test_no_stock_says_when_to_ask_again_only_while_something_can_be_bought(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplied(replace(TERMS, stock_min=0))
    who = renter(db, 1, wall)
    for _ in range(3):
        with pytest.raises(NoNumbersAvailable) as refused:
            rented(db, who, wall)
        assert refused.value.members == {"retry_after": 15}
    assert states(db) == {"wanted": 1}, "asking again wants no second number"
    db.write_blocking(lambda tx: supply_numbers.stop(tx, True))
    with pytest.raises(NoNumbersAvailable) as refused:
        rented(db, who, wall)
    assert refused.value.members == {}


def test_an_account_has_at_most_five_bought_numbers_cooldowns_included(
    db: Database, supplied: Make, wall: FakeWall
) -> None:
    supplier, who = supplied(replace(TERMS, stock_min=8)), renter(db, 1, wall)
    step(supplier)
    for _ in range(5):
        e164 = rented(db, who, wall)["e164"]
        db.write_blocking(lambda tx, e164=e164: rent.end(tx, who, e164, now_us=wall()))
        wall.advance(us=SECOND_US)
    rentals = db.read_blocking(lambda tx: tx.all("SELECT DISTINCT e164 FROM rentals WHERE group_id = 'demand'"))
    assert len(rentals) == 1, "a loop of renting and ending gets the same number again"
    for _ in range(5):
        rented(db, who, wall)
    with pytest.raises(TooManySupplyNumbers):
        rented(db, who, wall)


def test_the_spend_of_an_hour_and_a_day_is_capped_and_half_a_day_is_for_trusted_accounts(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    month = 1_150_000
    rules = replace(RULES, per_hour=4 * month, per_day=8 * month, per_account=100)
    supplier = supplied(replace(TERMS, stock_min=4), rules=rules)
    step(supplier)
    assert len(market.purchases) == 4
    stranger = renter(db, 1, wall, trusted=False)
    for _ in range(3):  # each rental of an account without SMS wants the next number
        rented(db, stranger, wall, rules)
        step(supplier, wall, 2 * HOUR_US)
    assert len(market.purchases) == 7
    step(supplier, wall, 2 * HOUR_US)
    spent = db.read_blocking(lambda tx: supply_numbers.spent(tx, currency="USD", now_us=wall()))
    assert spent.day_untrusted == 3 * month
    for _ in range(3):
        rented(db, stranger, wall, rules)
        step(supplier, wall, HOUR_US)
    assert len(market.purchases) == 8, "half of the daily cap is used up, or all of it"
    day_us = wall()
    for hours in range(24):
        assert market.spent(after_us=day_us - (hours + 1) * HOUR_US, until_us=day_us - hours * HOUR_US) <= Decimal(
            "4.60"
        )
    assert market.spent(after_us=day_us - DAY_US, until_us=day_us) <= Decimal("9.20")


def test_a_number_gone_between_search_and_purchase_returns_its_price(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied(replace(TERMS, stock_min=1))
    seller.between = lambda at: market.for_sale.pop(0) if at == "order" and not market.purchases else None
    step(supplier)
    assert states(db) == {"wanted": 1}
    assert db.read_blocking(lambda tx: supply_numbers.spent(tx, currency="USD", now_us=wall())).day == 0
    seller.between = lambda _: None
    step(supplier)
    assert states(db) == {"free": 1} and len(market.purchases) == 1


def test_an_empty_account_pauses_the_supply_and_says_so(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall
) -> None:
    supplier, market.money = supplied(replace(TERMS, stock_min=1)), Decimal(1)
    step(supplier)
    assert trouble(db) == "empty" and states(db) == {"wanted": 1}
    before = len(seller.requests)
    step(supplier, wall, MINUTE_US)
    assert len(seller.requests) == before, "it waits"
    market.money = Decimal(100)
    step(supplier, wall, 10 * MINUTE_US)
    assert trouble(db) == "" and states(db) == {"free": 1}


def test_prices_above_the_caps_and_countries_with_requirements_are_refused(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier, market.month = supplied(), Decimal("2.01")
    step(supplier)
    assert "more than the price caps" in trouble(db)
    market.month, market.needs_address = Decimal(1), True
    step(supplier, wall, HOUR_US)
    assert trouble(db) == NEEDS_ADDRESS and not market.purchases


@pytest.mark.parametrize("arrives", [True, False])
def test_after_a_lost_answer_the_number_is_looked_up_before_it_is_ordered_again(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall, arrives: bool
) -> None:
    supplier = supplied(replace(TERMS, stock_min=1))
    lost = iter([0.9, 0.9, 0.0, *[0.9] * 99] if not arrives else [0.9, 0.9, 0.9, 0.0, *[0.9] * 99])
    seller.faults, seller.chance.random = 0.5, lambda: next(lost)  # type: ignore[method-assign]  # chosen here
    # Each request draws: die? lost before? die? lost after? Without kills, "die" draws too.
    seller._die = lambda: None  # type: ignore[method-assign]  # no kills here
    step(supplier)
    assert states(db) == {"reserved": 1} and len(market.purchases) == arrives
    seller.faults = 0.0
    step(supplier, wall, MINUTE_US)
    assert states(db) == ({"free": 1} if arrives else {"reserved": 1})
    step(supplier, wall, 10 * MINUTE_US)
    assert states(db) == {"free": 1} and len(market.purchases) == 1


def test_a_repeated_order_that_is_refused_is_settled_by_the_list(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied(replace(TERMS, stock_min=1))
    step(supplier)
    db.write_blocking(lambda tx: tx.run("DELETE FROM supply_costs"))
    db.write_blocking(  # as if the process had died before it stored the purchase
        lambda tx: tx.run("UPDATE supply_numbers SET state = 'reserved', bought_at_us = NULL, renews_at_us = NULL")
    )
    seller.listed_late = 1
    step(supplier, wall, 11 * MINUTE_US)  # not listed: it is ordered again, and refused because it is ours
    assert states(db) == {"reserved": 1} and len(market.purchases) == 1
    step(supplier, wall, MINUTE_US)
    assert states(db) == {"free": 1} and len(market.purchases) == 1 and booked(db) == paid(market)


def test_strangers_and_missing_numbers_are_named(db: Database, market: Market, supplied: Make, wall: FakeWall) -> None:
    supplier = supplied()
    step(supplier)
    e164 = rented(db, renter(db, 1, wall), wall)["e164"]
    free = next(each for each in market.owned if each != e164)
    market.buy("+13055550499", "by hand")
    del market.owned[e164], market.owned[free]
    asyncio.run(compare(supplier))
    found = {(row["e164"], bool(row["only_ours"])) for row in db.read_blocking(supply_numbers.differences)}
    assert found == {("+13055550499", False), (e164, True), (free, True)}
    step(supplier)
    assert "+13055550499" in market.owned, "a stranger is never given back"
    rows = db.read_blocking(lambda tx: tx.all("SELECT e164, state FROM supply_numbers"))
    assert {row["e164"]: row["state"] for row in rows if row["e164"] in (e164, free)} == {e164: "free", free: "gone"}


def test_while_the_clock_has_jumped_nothing_is_given_back(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied()
    step(supplier)

    def jumped(_tx: object) -> int:
        raise ClockJumped

    with pytest.raises(ClockJumped):
        step(replace(supplier, now_us=jumped), wall, 40 * DAY_US)
    assert len(market.owned) == 3
    wall.advance(us=-40 * DAY_US)
    step(supplier)
    assert len(market.owned) == 3 and booked(db) == paid(market)


def test_a_stopped_supply_buys_nothing_and_still_gives_back(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied()
    step(supplier)
    db.write_blocking(lambda tx: supply_numbers.stop(tx, True))
    rented(db, renter(db, 1, wall), wall)
    step(supplier)
    assert len(market.purchases) == 3
    step(supplier, wall, 30 * DAY_US + HOUR_US)
    assert len(market.owned) == 1


def test_a_group_without_its_supply_wants_nothing_and_gives_back(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied()
    step(supplier)
    db.write_blocking(partial(supplies.remove, group_id="demand"))
    step(supplier, wall, 30 * DAY_US + HOUR_US)
    assert not market.owned and states(db) == {"gone": 3}


def test_the_margin_of_a_group_is_known(db: Database, supplied: Make, wall: FakeWall) -> None:
    supplier = supplied(replace(TERMS, stock_min=1))
    step(supplier)
    rented(db, renter(db, 1, wall), wall)
    (row,) = db.read_blocking(supplies.figures)
    assert (row["group_id"], row["cost"], row["cost_sats"], row["earned_sats"]) == ("demand", 1_150_000, 1150, 1)


def test_prices_are_exact(db: Database) -> None:
    assert supply.units(Decimal("1.15")) == 1_150_000
    assert supply.price(1_150_000) == Decimal("1.15")
