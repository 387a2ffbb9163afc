"""Buying numbers for groups with a supply, and giving them back: the transactions between the requests to the provider.

Every state change goes through the table in core/number_supply.py. The worker (workers/supply.py) calls these functions;
rentals call those of supply_demand.py.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Literal, TypeVar

from dtmf_server.core import number_supply
from dtmf_server.core.number_supply import Event, State, SupplyRules, Terms
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import numbers, supplies, supply_numbers
from dtmf_server.storage.db import Row, Tx

STATE_MAX = 1000  # numbers in one state that a pass considers
AT_ONCE = 20  # numbers that one pass of the worker buys, settles or gives back
TROUBLE_PAUSE_US = 10 * MINUTE_US
MILLISECOND_US = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """A number for sale, with its prices in millionths of the currency."""

    e164: str
    setup_price: int
    month_price: int
    currency: str


@dataclass(frozen=True, slots=True)
class Order:
    """A number to order, or in doubt since an order."""

    id: int
    carrier: str
    offer: Offer
    reserved_at_us: int
    ordered_at_us: int
    was_refused: bool  # the last of several orders

    @property
    def reference(self) -> str:
        """Our ID of the order, as the provider stores it."""
        return f"dtmf-{self.id}-{self.reserved_at_us // MILLISECOND_US}"


class Repeat(StrEnum):
    """The decision about an order that the provider does not have."""

    ORDER = "order"  # again
    WAIT = "wait"  # until it fits into what may be spent
    GIVE_UP = "give up"  # it was refused, or nothing may be bought at present


@dataclass(frozen=True, slots=True)
class Given:
    """A number that is being given back."""

    id: int
    carrier: str
    e164: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A number to search for."""

    id: int
    group_id: str
    carrier: str
    country_code: str
    kind: Literal["mobile", "local"]
    terms: Terms
    refused_e164: str | None


# --- wanting and buying ---------------------------------------------------------------------------------------------


def in_turn(rows: list[T], turn: int) -> list[T]:
    """Return the rows of a pass: others in each turn if there are many, so that those that fail do not hold up the rest."""
    if len(rows) <= AT_ONCE:
        return rows
    start = turn * AT_ONCE % len(rows)
    return [*rows[start:], *rows[:start]][:AT_ONCE]


def plan(tx: Tx, *, now_us: int, cooldown_us: int, rules: SupplyRules, turn: int) -> list[Wanted]:
    """Want numbers for the stock, cancel those that are not needed any more, and return those to search for now."""
    if not rules.enabled or supply_numbers.is_stopped(tx):
        return []
    found = []
    for supply in supplies.every(tx):
        terms, group_id = supplies.terms_of(supply), supply["group_id"]
        most = max(1, terms.stock_min)
        free = numbers.count_free(tx, group_id, now_us=now_us, cooldown_us=cooldown_us, at_most=most)
        coming, owned = supply_numbers.counts(tx, group_id)
        for _ in range(number_supply.to_want(terms, free=free, coming=coming, owned=owned)):
            supply_numbers.want(tx, group_id=group_id, carrier=supply["carrier"], account_id=None, now_us=now_us)
        found += _needed(tx, supply, terms, free=free, owned=owned, now_us=now_us)
    _cancel_orphans(tx, now_us=now_us)
    return in_turn(found, turn)


def _needed(tx: Tx, supply: Row, terms: Terms, *, free: int, owned: int, now_us: int) -> list[Wanted]:
    """Return the wanted numbers of a group that are still needed, and cancel the others."""
    rows = [
        row
        for row in supply_numbers.in_state(tx, State.WANTED, limit=STATE_MAX)
        if row["group_id"] == supply["group_id"]
    ]
    in_purchase = supply_numbers.counts(tx, supply["group_id"])[0] - len(rows)
    needed: list[Row] = []
    for row in rows:
        coming = in_purchase + len(needed)
        has_demand = row["account_id"] is not None
        is_needed = number_supply.still_needed(terms, free=free, coming=coming, has_demand=has_demand)
        if row["carrier"] == supply["carrier"] and is_needed and owned + coming < terms.stock_max:
            needed.append(row)
        else:
            move(tx, row, Event.CANCEL, now_us=now_us)
    if supply["retry_at_us"] > now_us:
        return []
    return [
        Wanted(
            row["id"],
            row["group_id"],
            row["carrier"],
            supply["country_code"],
            supply["type"],
            terms,
            row["refused_e164"],
        )
        for row in needed
    ]


def _cancel_orphans(tx: Tx, *, now_us: int) -> None:
    """Cancel numbers wanted for groups that have no supply any more."""
    having = {row["group_id"] for row in supplies.every(tx)}
    for row in supply_numbers.in_state(tx, State.WANTED, limit=STATE_MAX):
        if row["group_id"] not in having:
            move(tx, row, Event.CANCEL, now_us=now_us)


def reserve(tx: Tx, wanted: Wanted, offers: list[Offer], *, now_us: int, rules: SupplyRules) -> Order | None:
    """Reserve the first suitable offer: within the price caps, not ours already, and within what may be spent. Return it as an
    order; None if nothing can be ordered now, for a reason that is stored with the supply."""
    row = supply_numbers.lock(tx, wanted.id)
    if row["state"] != State.WANTED or not rules.enabled or supply_numbers.is_stopped(tx):
        return None
    suitable = [offer for offer in offers if _suits(wanted.terms, offer)]
    if not suitable:
        reason = "every number for sale costs more than the price caps allow" if offers else "no number is for sale"
        trouble(tx, wanted.group_id, reason, now_us=now_us)
        return None
    offer = next((offer for offer in suitable if _is_new(tx, wanted, offer)), None)
    if offer is None:
        trouble(tx, wanted.group_id, "every number for sale is known already", now_us=now_us)
        return None
    is_trusted = row["account_id"] is None or supply_numbers.received_sms(tx, row["account_id"])
    spent = supply_numbers.spent(tx, currency=offer.currency, now_us=now_us)
    if not number_supply.may_spend(offer.setup_price + offer.month_price, spent, rules, is_trusted=is_trusted):
        return None  # the window moves on by itself
    number_supply.after(State.WANTED, Event.RESERVE)
    supply_numbers.reserve(
        tx,
        wanted.id,
        e164=offer.e164,
        setup_price=offer.setup_price,
        month_price=offer.month_price,
        currency=offer.currency,
        is_trusted=is_trusted,
        now_us=now_us,
    )
    supplies.set_trouble(tx, wanted.group_id, "")
    return Order(wanted.id, wanted.carrier, offer, now_us, now_us, was_refused=False)


def _suits(terms: Terms, offer: Offer) -> bool:
    return (
        offer.currency == terms.currency
        and offer.setup_price <= terms.setup_price_max
        and offer.month_price <= terms.month_price_max
    )


def _is_new(tx: Tx, wanted: Wanted, offer: Offer) -> bool:
    return (
        offer.e164 != wanted.refused_e164
        and supply_numbers.live_by_e164(tx, offer.e164) is None
        and not numbers.exists(tx, offer.e164)
    )


def trouble(tx: Tx, group_id: str, reason: str, *, now_us: int) -> None:
    """Store why nothing can be bought for a group at present. The worker tries again after a pause."""
    supplies.set_trouble(tx, group_id, reason, retry_at_us=now_us + TROUBLE_PAUSE_US)


def in_doubt(tx: Tx, turn: int) -> list[Order]:
    """Return the numbers that were ordered, or were about to be when the process stopped."""
    found = [
        Order(
            row["id"],
            row["carrier"],
            Offer(row["e164"], row["setup_price"], row["month_price"], row["currency"]),
            row["reserved_at_us"],
            row["ordered_at_us"],
            was_refused=row["refused_e164"] == row["e164"],
        )
        for row in supply_numbers.in_state(tx, State.RESERVED, limit=STATE_MAX)
    ]
    return in_turn(found, turn)


def order_again(tx: Tx, order: Order, *, now_us: int, rules: SupplyRules) -> Repeat:
    """Decide whether an order is repeated. If it is, its price counts as spent now."""
    if order.was_refused or not rules.enabled or supply_numbers.is_stopped(tx):
        return Repeat.GIVE_UP
    row, offer = supply_numbers.lock(tx, order.id), order.offer
    spent = supply_numbers.spent(tx, currency=offer.currency, now_us=now_us, except_id=order.id)
    price, is_trusted = offer.setup_price + offer.month_price, bool(row["is_trusted"])
    if not number_supply.may_spend(price, spent, rules, is_trusted=is_trusted):
        return Repeat.WAIT
    supply_numbers.ordered_again(tx, order.id, now_us=now_us)
    return Repeat.ORDER


def refused(tx: Tx, order: Order, *, now_us: int) -> None:
    """Return the price of a number that was provably not sold. Another one is searched for."""
    row = supply_numbers.lock(tx, order.id)
    if row["state"] == State.RESERVED:
        number_supply.after(State.RESERVED, Event.REFUSE)
        supply_numbers.return_to_wanted(tx, order.id)


def refused_again(tx: Tx, order: Order) -> None:
    """Record that a repeated order was refused: the first one may have succeeded, which the provider's list will show."""
    supply_numbers.refused_again(tx, order.id)


def confirm(tx: Tx, order: Order, *, bought_at_us: int | None, now_us: int, rules: SupplyRules) -> None:
    """Store that the provider has the number as ours, and book what it costs."""
    row = supply_numbers.lock(tx, order.id)
    if row["state"] != State.RESERVED:
        return
    number_supply.after(State.RESERVED, Event.CONFIRM)
    # The provider's clock decides when it charges, but a time before the reservation can't be this purchase.
    at_us = max(row["reserved_at_us"], min(now_us, bought_at_us or row["ordered_at_us"]))
    supply_numbers.set_bought(tx, order.id, bought_at_us=at_us, renews_at_us=number_supply.renewal(at_us, 1))
    offer, price = order.offer, partial(sats_of, rules=rules)
    costs = [(order.id, "month", 0, at_us, offer.month_price, offer.currency, price(offer.month_price))]
    if offer.setup_price:
        costs.append((order.id, "setup", 0, at_us, offer.setup_price, offer.currency, price(offer.setup_price)))
    supply_numbers.book_costs(tx, costs)


def stock(tx: Tx) -> int:
    """Put bought numbers into stock. Return how many."""
    rows = supply_numbers.in_state(tx, State.BOUGHT, limit=AT_ONCE)
    for row in rows:
        numbers.put_in_stock(tx, row["e164"], row["group_id"])
        move(tx, row, Event.STOCK, now_us=0)
    return len(rows)


# --- months, and giving back ----------------------------------------------------------------------------------------


def book_months(tx: Tx, *, now_us: int, rules: SupplyRules) -> int:
    """Book the months that the provider has begun to charge. Return how many numbers were renewed."""
    rows = supply_numbers.renewing(tx, by_us=now_us)
    for row in rows:
        begun = number_supply.months_begun(row["bought_at_us"], now_us)
        first = 1
        while number_supply.renewal(row["bought_at_us"], first) < row["renews_at_us"]:
            first += 1
        sats = sats_of(row["month_price"], rules=rules)
        supply_numbers.book_costs(
            tx,
            [
                (
                    row["id"],
                    "month",
                    nth,
                    number_supply.renewal(row["bought_at_us"], nth),
                    row["month_price"],
                    row["currency"],
                    sats,
                )
                for nth in range(first, begun)
            ],
        )
        supply_numbers.set_renewal(tx, row["id"], number_supply.renewal(row["bought_at_us"], begun))
    return len(rows)


def retire_due(tx: Tx, *, now_us: int, cooldown_us: int) -> int:
    """Take unused numbers out of stock, the day before the provider charges the next month. Return how many."""
    retired = 0
    for row in supply_numbers.renewing(tx, by_us=now_us + number_supply.RELEASE_BEFORE_US):
        if row["state"] != State.FREE:
            continue
        if numbers.retire(tx, row["e164"], now_us=now_us, cooldown_us=cooldown_us):
            move(tx, row, Event.RELEASE, now_us=now_us)
            retired += 1
    return retired


def releasing(tx: Tx, turn: int) -> list[Given]:
    """Return the numbers that are being given back."""
    rows = supply_numbers.in_state(tx, State.RELEASING, limit=STATE_MAX)
    return [Given(row["id"], row["carrier"], row["e164"]) for row in in_turn(rows, turn)]


def released(tx: Tx, number_id: int, *, now_us: int) -> None:
    """Store that the provider does not have a number as ours any more."""
    row = supply_numbers.lock(tx, number_id)
    if row["state"] == State.RELEASING:
        move(tx, row, Event.VANISH, now_us=now_us)


def units(price: Decimal) -> int:
    """Return a price in millionths."""
    return number_supply.price_units(str(price))


def price(units: int) -> Decimal:
    """Return a price in the currency itself."""
    return Decimal(units) / number_supply.PRICE_UNIT


def sats_of(price: int, *, rules: SupplyRules) -> int | None:
    """Return the satoshis of a price, rounded up; None if the rate is unknown."""
    rate = rules.sats_per_unit
    return None if rate is None else -(-price * rate // number_supply.PRICE_UNIT)


def move(tx: Tx, row: Row, event: Event, *, now_us: int) -> None:
    """Move a number by an event of the table."""
    state = number_supply.after(State(row["state"]), event)
    supply_numbers.set_state(tx, row["id"], state, gone_at_us=now_us if state is State.GONE else None)
