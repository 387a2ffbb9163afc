"""Sixty days of a supply whose requests get lost and whose process dies at any step, then the weeks until all is given back.

The records of the service and the charges of the provider must agree: each purchase is of a distinct number, nothing is paid and
unknown, no hour and no day costs more than its cap, and in the end only rented numbers are owned.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from dtmf_server.core.errors import Refusal
from dtmf_server.core.number_supply import PRICE_UNIT, SupplyRules, Terms
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.operations import rent
from dtmf_server.storage import supplies, supply_numbers
from dtmf_server.storage.db import Database, Tx
from dtmf_server.workers.supply import Supplier, compare, work
from harness import FakeWall, Group, give_coins, open_account, stock
from support.providers.number_market import Market
from support.selling import Killed, Seller

DAYS, STEP_US = 60, 3 * HOUR_US
MONTH = Decimal("1.15")
LOST, KILLS = 0.05, 0.02
RULES = SupplyRules(per_hour=4 * 1_150_000, per_day=12 * 1_150_000, per_account=5, sats_per_unit=1000)
TERMS = Terms(stock_min=3, stock_max=40, setup_price_max=0, month_price_max=2 * PRICE_UNIT, currency="USD")
ACCOUNTS = 12


@dataclass
class Result:
    """The figures of one run, and everything that was wrong."""

    purchases: int
    kills: int
    requests: int
    wrong: list[str]


class World:
    """One service, one provider, and renters."""

    def __init__(self, db: Database, *, seed: int, step_us: int = STEP_US) -> None:
        self.db, self.chance, self.wall, self.step_us = db, Random(seed), FakeWall(), step_us
        self.market = Market(self.wall, [f"+1305{n:07d}" for n in range(5_550_000, 5_552_000)], month=MONTH)
        self.seller = Seller(self.market, chance=self.chance, faults=LOST, kills=KILLS)
        self.seller.between = self.change
        self.kills = 0
        self.taken: set[str] = set()
        db.write_blocking(self._begin)
        self.accounts = [open_account(db, seed=n) for n in range(ACCOUNTS)]
        for who in self.accounts:
            give_coins(db, who, 10**9)

    def _begin(self, tx: Tx) -> None:
        stock(tx, {Group("demand", rental_cost_per_minute=1): []})
        supplies.put(tx, "demand", carrier="market", terms=TERMS)

    def change(self, step: str) -> None:
        """Change the provider behind the service's back: numbers get sold to others between search and purchase."""
        if step == "order" and self.chance.random() < 0.05 and self.market.for_sale:
            self.market.for_sale.pop(0)

    def supplier(self) -> Supplier:
        """A new process."""
        chance, kills = self.chance, self.seller.kills

        class Dying:
            """The database, whose process may die before and after each transaction."""

            async def write(_self, fn: Any, **options: Any) -> Any:
                if chance.random() < kills:
                    raise Killed
                found = await self.db.write(fn, **options)
                if chance.random() < kills:
                    raise Killed
                return found

            async def read(_self, fn: Any) -> Any:
                return await self.db.read(fn)

        return Supplier(Dying(), lambda _: self.wall(), {"market": self.seller}, RULES, DAY_US)  # type: ignore[arg-type]  # the part that is used

    def pass_(self, *, listing: bool = False) -> None:
        """One pass of the worker; a killed one is followed by another in the next process."""
        for _ in range(20):
            try:
                asyncio.run(compare(self.supplier()) if listing else work(self.supplier()))
            except Killed:
                self.kills += 1
            else:
                return

    def renters(self) -> None:
        """Rent and end at random."""
        who = self.chance.choice(self.accounts)
        live = self.db.read_blocking(partial(rent.live_rentals, account_id=who, now_us=self.wall()))
        try:
            if live and self.chance.random() < 0.45:
                e164 = self.chance.choice(live)["e164"]
                self.db.write_blocking(lambda tx: rent.end(tx, who, e164, now_us=self.wall()))
            else:
                self.db.write_blocking(
                    lambda tx: rent.start(tx, who, "demand", now_us=self.wall(), cooldown_us=DAY_US, rules=RULES)
                )
        except Refusal:
            pass

    def run(self, days: int = DAYS) -> Result:
        """Sixty days, then stop, end most rentals, and two quiet months until everything else is given back."""
        for nth in range(days * DAY_US // self.step_us):
            for _ in range(self.chance.randrange(4)):
                self.renters()
            self.pass_(listing=nth % 8 == 7)
            self.pass_()
            self.wall.advance(us=self.step_us + self.chance.randrange(MINUTE_US))
        self.db.write_blocking(lambda tx: supply_numbers.stop(tx, True))
        for who in self.accounts[1:]:
            for row in self.db.read_blocking(partial(rent.live_rentals, account_id=who, now_us=self.wall())):
                e164 = row["e164"]
                self.db.write_blocking(lambda tx, w=who, e=e164: rent.end(tx, w, e, now_us=self.wall()))  # type: ignore[misc]  # bound now
        for _ in range(34 * DAY_US // self.step_us):
            self.pass_()
            self.wall.advance(us=self.step_us)
        self.seller.faults = self.seller.kills = 0.0
        for _ in range(4):
            self.wall.advance(us=11 * MINUTE_US)
            self.pass_()
        return Result(len(self.market.purchases), self.kills, len(self.seller.requests), self.wrong())

    def wrong(self) -> list[str]:
        """Return everything that contradicts the promise."""
        market, found = self.market, []
        market.pass_time()
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT * FROM supply_numbers"))
        bought = Counter(row["e164"] for row in rows if row["bought_at_us"] is not None)
        if bought != Counter(market.purchases):
            found.append(
                f"bought {bought - Counter(market.purchases)}, paid and unknown {Counter(market.purchases) - bought}"
            )
        if len(set(market.purchases)) != len(market.purchases):
            found.append("a number was bought twice")
        live = self.db.read_blocking(lambda tx: tx.all("SELECT e164 FROM rentals WHERE ended_at_us IS NULL"))
        if {*market.owned} - {row["e164"] for row in live}:
            found.append(f"owned and not rented: {len(market.owned)} owned, {len(live)} rented")
        if {row["e164"] for row in live} - {*market.owned}:
            found.append("rented and not owned")
        for at_us, *_ in market.charges:
            if market.spent(after_us=at_us - HOUR_US, until_us=at_us) * PRICE_UNIT > RULES.per_hour:
                found.append(f"an hour cost more than its cap, at {at_us}")
            if market.spent(after_us=at_us - DAY_US, until_us=at_us) * PRICE_UNIT > RULES.per_day:
                found.append(f"a day cost more than its cap, at {at_us}")
        costs = self.db.read_blocking(lambda tx: tx.all("SELECT coalesce(sum(amount), 0) AS n FROM supply_costs"))
        paid = int(sum((amount for *_, amount in market.charges), Decimal(0)) * PRICE_UNIT)
        if costs[0]["n"] != paid:
            found.append(f"booked {costs[0]['n']}, charged {paid}")
        return found
