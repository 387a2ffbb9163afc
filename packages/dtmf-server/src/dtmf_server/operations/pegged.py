"""Pegged groups: their prices in satoshis follow the rate, and running rentals follow their group (core/pegged.py)."""

from decimal import Decimal
from typing import Any

from dtmf_server.core import monthly_cap, pegged
from dtmf_server.core.errors import PriceUnavailable
from dtmf_server.core.pegged import NOTICE_US, Peg, PriceTerms
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import group_prices, instance, rental_prices, rentals
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event
from dtmf_server.storage.rental_prices import RentalPrice

ANNOUNCED_MAX = 50  # rentals in one transaction
CONFIRMED_US = HOUR_US  # a rate that was confirmed so recently determines the next price of rentals
LATER_US = DAY_US  # how long a rental keeps its price if there is no such rate


def refresh(tx: Tx, peg: Peg) -> None:
    """Compute the prices of the groups that are pegged to this currency at a new rate."""
    instance.lock(tx)  # a concurrent import changes prices
    for group in group_prices.pegged(tx):
        if group["currency"] == peg.currency:
            group_prices.store_sats(tx, group["id"], in_sats(group, peg.rate), peg)


def in_sats(micros: Any, rate: Decimal) -> dict[str, int | None]:
    """Return the prices of a group in satoshis, by their columns. `micros`: its prices in the currency, by theirs."""
    sms, cap = micros["sms_micros"], micros["cap_micros"]
    return {
        "setup_cost": pegged.sats(micros["setup_micros"], rate),
        "rental_cost_per_minute": pegged.sats(micros["minute_micros"], rate),
        "cost_per_inbound_message": None if sms is None else pegged.sats(sms, rate),
        "monthly_cap": None if cap is None else pegged.sats(cap, rate),
    }


def require_rate(group: Row, terms: PriceTerms) -> None:
    """Raise PriceUnavailable if the rate of a pegged group is too old for a new rental."""
    if group["currency"] is not None and group["rate_at_wall_us"] < terms.rate_after_wall_us:
        raise PriceUnavailable


def started(tx: Tx, rental_id: int, group: Row, *, cap: int | None, now_us: int) -> None:
    """Store the price that a new rental in a pegged group started with."""
    minute, message = group["rental_cost_per_minute"], group["cost_per_inbound_message"]
    first = RentalPrice(rental_id, 0, now_us, minute, message, cap, 0, group["currency"], group["rate"])
    rental_prices.add(tx, [first])


def announce(tx: Tx, *, now_us: int, wall_us: int) -> int:
    """Announce the next prices of rentals whose price ends within 7 days. Return how many were looked at; call until 0."""
    due = rental_prices.due(tx, until_us=now_us + NOTICE_US, limit=ANNOUNCED_MAX)
    with open_ledger(tx, {row["account_id"] for row in due}, now_us=now_us) as ledger:
        live = rental_prices.with_groups(tx, [row["id"] for row in due])  # now that the accounts are locked
        kept, changes = list[tuple[int, int | None]](), list[tuple[int, RentalPrice]]()
        for rental in live:
            if rental["currency"] is None:  # its group is not pegged any more
                kept.append((rental["id"], None))
            elif rental["rate_at_wall_us"] < wall_us - CONFIRMED_US:
                kept.append((rental["id"], now_us + NOTICE_US + LATER_US))
            elif (next_price := _next(rental, now_us=ledger.now_us(rental["account_id"]))) is None:
                until_us = max(rental["price_until_us"], now_us) + rental["price_days"] * DAY_US
                kept.append((rental["id"], until_us))
            else:
                changes.append((rental["id"], next_price))
                _tell(ledger, rental, next_price)
        rental_prices.keep(tx, kept)
        rental_prices.announce(tx, changes)
        _set_limits(tx, ledger, [id_ for id_, _ in changes])
    return len(due)


def _next(rental: Row, *, now_us: int) -> RentalPrice | None:
    """Return the next price of a rental: the current one of its group. None if it does not change."""
    minute, message = rental["group_minute"], rental["group_sms"]
    message = message if rental["sms"] else None
    cap = monthly_cap.effective(rental["group_cap"], minute)
    if (minute, message, cap) == tuple(rental[name] for name in _PRICES):
        return None
    running = rentals.with_limits(rental).rental
    at_us = pegged.change_at_us(running, until_us=rental["price_until_us"], now_us=now_us)
    minutes = (at_us - running.started_at_us) // MINUTE_US
    sats = running.cost_of(minutes)
    return RentalPrice(rental["id"], minutes, at_us, minute, message, cap, sats, rental["currency"], rental["rate"])


_PRICES = ("cost_per_minute", "cost_per_inbound_message", "monthly_cap")


def _tell(ledger: Ledger, rental: Row, price: RentalPrice) -> None:
    account_id = rental["account_id"]
    data = {
        "e164": rental["e164"],
        "effective_at": iso(price.since_us),
        "cost_per_minute": price.cost_per_minute,
        "cost_per_inbound_message": price.cost_per_inbound_message,
    }
    ledger.add_event(Event(account_id, ledger.now_us(account_id), "price.changing", data=data))
    ledger.limits_changed(account_id)


def _set_limits(tx: Tx, ledger: Ledger, rental_ids: list[int]) -> None:
    """Compute when limits end these rentals, at their next prices."""
    found = rentals.limited(tx, rental_ids)
    owner = {row["id"]: row["account_id"] for row in rental_prices.owners(tx, [*found])}
    rentals.store_limits(tx, [(each, each.ends_at_us(ledger.now_us(owner[id_]))) for id_, each in found.items()])
