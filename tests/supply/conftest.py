"""A service with one group whose numbers come from a simulated market."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from dtmf_server.core.number_supply import PRICE_UNIT, SupplyRules, Terms
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import supplies
from dtmf_server.storage.db import Database, Tx
from dtmf_server.workers.supply import Supplier
from harness import FakeWall, Group, stock
from support.providers.number_market import Market
from support.selling import Seller

GROUP = Group("demand", rental_cost_per_minute=1, cost_per_inbound_message=0)
RULES = SupplyRules(per_hour=1000 * PRICE_UNIT, per_day=1000 * PRICE_UNIT, per_account=5, sats_per_unit=1000)
TERMS = Terms(stock_min=3, stock_max=100, setup_price_max=PRICE_UNIT, month_price_max=2 * PRICE_UNIT, currency="USD")


@pytest.fixture
def market(wall: FakeWall) -> Market:
    """500 numbers for sale."""
    return Market(wall, [f"+1305555{n:04d}" for n in range(500)])


@pytest.fixture
def seller(market: Market) -> Seller:
    return Seller(market, chance=Random(1))


@pytest.fixture
def supplied(db: Database, wall: FakeWall, seller: Seller) -> Iterator[Callable[..., Supplier]]:
    """Make the supplier: `supplied(terms=…, rules=…)`."""

    def make(terms: Terms = TERMS, rules: SupplyRules = RULES, **more: Any) -> Supplier:
        def begin(tx: Tx) -> None:
            if not tx.one("SELECT 1 FROM groups WHERE id = 'demand'"):
                stock(tx, {GROUP: []})
            supplies.put(tx, "demand", carrier="market", terms=terms)

        db.write_blocking(begin)
        return Supplier(db, lambda _: wall(), {"market": seller}, rules, more.get("cooldown_us", DAY_US))

    return make
