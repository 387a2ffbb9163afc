"""Buy numbers for groups with a supply, and give them back. One process runs this at a time.

Each pass first settles what an earlier one left in doubt, also one that was killed. Between two transactions there is one
request to the provider at most, and what it could have done is committed before it is sent.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from dtmf_server.carriers.base import CarrierRefused, NumberOffer, SellsNumbers, SmsCarrier
from dtmf_server.core.number_supply import LISTED_AFTER_US, NEEDS_ADDRESS, SupplyRules
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import supply, supply_comparison, supply_status
from dtmf_server.operations.supply import Given, Offer, Order, Wanted
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import supplies
from dtmf_server.storage.db import Database, Tx
from dtmf_server.workers.clock_guard import ClockGuard
from dtmf_server.workers.waiting import wait_for

log = logging.getLogger("dtmf.supply")

POLL_INTERVAL_S = 30.0
OFFERS_MAX = 30

T = TypeVar("T")


class ClockJumped(Exception):
    """The clock can't be trusted: nothing is bought, booked or given back."""


@dataclass(frozen=True, slots=True)
class Supplier:
    """The means of a pass: the database, its clock (which raises ClockJumped), the carriers that sell, and the limits."""

    db: Database
    now_us: Callable[[Tx], int]
    sellers: Mapping[str, SellsNumbers]
    rules: SupplyRules
    cooldown_us: int
    turns: Iterator[int] = field(default_factory=count)  # of passes

    async def write(self, fn: Callable[[Tx, int], T]) -> T:
        """Run a transaction with the current time."""
        return await self.db.write(lambda tx: fn(tx, self.now_us(tx)))


async def run_supply(runtime: Runtime, carriers: Mapping[str, SmsCarrier], guard: ClockGuard) -> None:
    """Do passes until cancelled: when a number was rented, and every 30 seconds. Compare with the providers once a day."""
    sellers = {name: carrier for name, carrier in carriers.items() if isinstance(carrier, SellsNumbers)}
    clock, settings, jumps = runtime.clock, runtime.settings, Repeats()

    def now_us(tx: Tx) -> int:
        found = clock.now_us(tx)
        if guard.has_jumped():
            raise ClockJumped
        return found

    supplier = Supplier(runtime.db, now_us, sellers, settings.supply, settings.cooldown_us)
    for warning in await runtime.db.read(lambda tx: supply_status.cheap(tx, rules=settings.supply)):
        log.warning("%s", warning)
    woken = runtime.db.wakeups.listen("supply")
    compared_us = 0
    try:
        while True:
            woken.clear()
            try:
                if await work(supplier):
                    continue
                at_us = await runtime.db.read(clock.now_us)
                if at_us >= compared_us + DAY_US:
                    await compare(supplier)
                    compared_us = at_us
            except ClockJumped:
                if line := jumps.failed(
                    "the clock has jumped: no numbers are bought or given back", now_s=time.monotonic()
                ):
                    log.error("%s", line)
            else:
                jumps.worked(now_s=time.monotonic())
            await wait_for(woken, timeout_s=POLL_INTERVAL_S)
    finally:
        runtime.db.wakeups.unlisten(woken)


async def work(supplier: Supplier) -> int:
    """Do one pass: settle doubts, buy, stock, book months, give back. Return how many numbers made progress."""
    done = 0
    rules, cooldown_us, turn = supplier.rules, supplier.cooldown_us, next(supplier.turns)
    for order in await supplier.db.read(lambda tx: supply.in_doubt(tx, turn)):
        done += await _skip_failures(supplier, order.carrier, _settle, order)
    await supplier.write(lambda tx, _: supply.stock(tx))
    wanted = await supplier.write(
        lambda tx, now: supply.plan(tx, now_us=now, cooldown_us=cooldown_us, rules=rules, turn=turn)
    )
    for each in wanted:
        done += await _skip_failures(supplier, each.carrier, _buy, each)
    await supplier.write(lambda tx, _: supply.stock(tx))
    while await supplier.write(lambda tx, now: supply.book_months(tx, now_us=now, rules=rules)):
        pass
    await supplier.write(lambda tx, now: supply.retire_due(tx, now_us=now, cooldown_us=cooldown_us))
    for given in await supplier.db.read(lambda tx: supply.releasing(tx, turn)):
        done += await _skip_failures(supplier, given.carrier, _release, given)
    return done


async def compare(supplier: Supplier) -> None:
    """Compare our numbers with each provider's list. One that seems to be missing is asked for once more by itself."""
    used = await supplier.db.read(supplies.carriers)
    for name, seller in supplier.sellers.items():
        if name not in used:
            continue  # its credentials may not be allowed to list numbers
        try:
            await _compare_one(supplier, name, seller)
        except CarrierRefused as error:
            log.warning("carrier %s: its numbers can't be listed: %s", name, error.reason)


async def _compare_one(supplier: Supplier, name: str, seller: SellsNumbers) -> None:
    owned = [number.e164 for number in await seller.owned()]
    strangers, absent = await supplier.db.read(lambda tx: supply_comparison.compare(tx, name, owned))
    missing = [e164 for e164 in absent if await seller.find(e164, reference="") is None]
    await supplier.write(lambda tx, now: supply_comparison.store_comparison(tx, name, strangers, missing, now_us=now))
    if strangers or missing:
        log.warning(
            "carrier %s: %s numbers that this service does not know, %s that the carrier does not have;"
            " dtmf-server doctor lists them",
            name,
            len(strangers),
            len(missing),
        )


async def _skip_failures(
    supplier: Supplier, carrier: str, do: Callable[[Supplier, SellsNumbers, T], Awaitable[bool]], what: T
) -> bool:
    """Do something with a carrier; what it can't do now is tried again in a later pass. Return whether it is done."""
    seller = supplier.sellers.get(carrier)
    if seller is None:
        log.warning("carrier %s, a supply of numbers, is not configured or does not sell numbers", carrier)
        return False
    try:
        return await do(supplier, seller, what)
    except CarrierRefused as error:
        log.warning("carrier %s, supply: %s", carrier, error.reason)
        return False


async def _buy(supplier: Supplier, seller: SellsNumbers, wanted: Wanted) -> bool:
    """Search, reserve one number, order it. Return whether it was bought."""
    try:
        offers = await seller.offers(wanted.country_code, kind=wanted.kind, limit=OFFERS_MAX)
    except CarrierRefused as error:
        reason = error.reason
        await supplier.write(lambda tx, now: supply.trouble(tx, wanted.group_id, reason, now_us=now))
        raise
    if offers and all(offer.needs_address for offer in offers):
        await supplier.write(lambda tx, now: supply.trouble(tx, wanted.group_id, NEEDS_ADDRESS, now_us=now))
        return False
    suitable = [_priced(offer) for offer in offers if not offer.needs_address]
    rules = supplier.rules
    order = await supplier.write(lambda tx, now: supply.reserve(tx, wanted, suitable, now_us=now, rules=rules))
    if order is None:
        return False
    try:
        await seller.order(_offer(order), reference=order.reference)
    except CarrierRefused as error:
        if error.may_be_taken:
            raise
        reason, is_final = error.reason, error.permanent
        await supplier.write(lambda tx, now: supply.refused(tx, order, now_us=now))
        if not is_final:  # the account can't buy anything at present
            await supplier.write(lambda tx, now: supply.trouble(tx, wanted.group_id, reason, now_us=now))
        raise
    return await _confirm(supplier, seller, order)


async def _confirm(supplier: Supplier, seller: SellsNumbers, order: Order) -> bool:
    """Ask whether the number is ours, and store it if it is."""
    found = await seller.find(order.offer.e164, reference=order.reference)
    if found is None:
        return False
    rules, bought_us = supplier.rules, found.bought_us
    await supplier.write(lambda tx, now: supply.confirm(tx, order, bought_at_us=bought_us, now_us=now, rules=rules))
    return True


async def _settle(supplier: Supplier, seller: SellsNumbers, order: Order) -> bool:
    """Settle an order of an earlier pass: the provider has the number, or the order is repeated, or it provably failed."""
    if await _confirm(supplier, seller, order):
        return True
    now_us = await supplier.db.read(supplier.now_us)
    if now_us < order.ordered_at_us + LISTED_AFTER_US:
        return False  # it may be listed late
    rules = supplier.rules
    repeat = await supplier.write(lambda tx, now: supply.order_again(tx, order, now_us=now, rules=rules))
    if repeat is supply.Repeat.WAIT:
        return False
    if repeat is supply.Repeat.GIVE_UP:
        await supplier.write(lambda tx, now: supply.refused(tx, order, now_us=now))
        return True
    try:
        await seller.order(_offer(order), reference=order.reference)
    except CarrierRefused as error:
        if not error.may_be_taken:  # also because an earlier order succeeded: the list decides after a while
            await supplier.write(lambda tx, _: supply.refused_again(tx, order))
        raise
    return await _confirm(supplier, seller, order)


async def _release(supplier: Supplier, seller: SellsNumbers, given: Given) -> bool:
    await seller.release(given.e164)
    await supplier.write(lambda tx, now: supply.released(tx, given.id, now_us=now))
    return True


def _priced(offer: NumberOffer) -> Offer:
    return Offer(offer.e164, supply.units(offer.setup_price), supply.units(offer.monthly_price), offer.currency)


def _offer(order: Order) -> NumberOffer:
    offer = order.offer
    return NumberOffer(offer.e164, supply.price(offer.setup_price), supply.price(offer.month_price), offer.currency)
