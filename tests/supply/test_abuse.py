"""The limits hold against renters who drain the caps, outages of the provider, and carriers that no longer answer."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from dtmf_server.carriers.base import CarrierRefused
from dtmf_server.core.errors import NoNumbersAvailable
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.storage.db import Database
from dtmf_server.workers.supply import Supplier
from harness import FakeWall
from supply.conftest import RULES, TERMS
from supply.test_supply import rented, renter, states, step
from support.providers.number_market import Market
from support.selling import Seller

Make = Callable[..., Supplier]
MONTH = 1_150_000


def test_strangers_who_use_up_their_half_of_the_day_leave_the_other_half_to_trusted_accounts(
    db: Database, market: Market, supplied: Make, wall: FakeWall
) -> None:
    rules = replace(RULES, per_day=8 * MONTH, per_account=100)
    supplier = supplied(replace(TERMS, stock_min=2), rules=rules)
    customer, stranger = renter(db, 1, wall), renter(db, 2, wall, trusted=False)
    for _ in range(6):
        step(supplier, wall, MINUTE_US)
        rented(db, stranger, wall, rules)
    step(supplier, wall, MINUTE_US)
    assert (len(market.purchases), states(db)) == (6, {"free": 6, "wanted": 2}), "the strangers' half is used up"
    for _ in range(2):  # the second time, one number of the cap is left
        with pytest.raises(NoNumbersAvailable) as refused:
            rented(db, customer, wall, rules)
        assert refused.value.members == {"retry_after": 15}
        step(supplier, wall, MINUTE_US)
        rented(db, customer, wall, rules)
    assert len(market.purchases) == 8


def test_orders_that_wait_for_the_provider_count_as_spent_when_they_are_repeated(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall
) -> None:
    rules = replace(RULES, per_hour=4 * MONTH, per_day=12 * MONTH)
    supplier, sell = supplied(replace(TERMS, stock_min=30), rules=rules), market.buy

    def lose(step: str) -> None:
        if step == "order":
            raise CarrierRefused("the request was lost", permanent=False, may_be_taken=True)

    seller.between = lose
    for _ in range(30 * 4):
        step(supplier, wall, 15 * MINUTE_US)
    assert states(db)["reserved"] >= 4
    seller.between = lambda _: None
    for _ in range(40):
        step(supplier, wall, 15 * MINUTE_US)
    assert market.buy == sell and len(market.purchases) >= 12
    for at_us, *_ in market.charges:
        assert market.spent(after_us=at_us - HOUR_US, until_us=at_us) <= Decimal("4.60")
        assert market.spent(after_us=at_us - DAY_US, until_us=at_us) <= Decimal("13.80")


def test_numbers_that_a_carrier_does_not_take_back_do_not_hold_up_the_others(
    db: Database, market: Market, seller: Seller, supplied: Make, wall: FakeWall
) -> None:
    supplier = supplied(replace(TERMS, stock_min=24))
    for _ in range(2):
        step(supplier)
    stuck = [*market.owned][:22]
    db.write_blocking(lambda tx: tx.run("UPDATE supply_numbers SET carrier = 'removed' WHERE e164 = ANY(:e)", e=stuck))
    supplier = supplied(replace(TERMS, stock_min=0))
    for _ in range(3):
        step(supplier, wall, 30 * DAY_US)
    assert {*market.owned} == {*stuck}
