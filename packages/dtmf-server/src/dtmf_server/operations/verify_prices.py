"""Verification of the prices of rentals in pegged groups: each rental follows its list of prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from dtmf_server.core.billing import LiveRental
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import rental_prices
from dtmf_server.storage.db import Row, Tx


@dataclass(frozen=True, slots=True)
class WrongRentalPrice:
    """A rental in a pegged group whose prices do not follow from its list of prices. Both: its minutes before the last change
    and what they cost, and the price of a minute, of an SMS, and of 30 days; then the next price."""

    rental_id: int
    expected: tuple[int | None, ...]
    stored: tuple[int | None, ...]


def differences(tx: Tx) -> Iterator[WrongRentalPrice]:
    """Compare each rental with its list of prices."""
    for rental_id, rows in groupby(rental_prices.applied(tx), key=lambda row: row["rental_id"]):
        yield from _of_rental(rental_id, [*rows])


def _of_rental(rental_id: int, listed: list[Row]) -> Iterator[WrongRentalPrice]:
    rental = listed[0]
    applied = [row for row in listed if row["since_us"] != rental["change_at_us"]]
    announced = [row for row in listed if row["since_us"] == rental["change_at_us"]]
    expected = (*_state(applied, rental), *(_announced(announced[0]) if announced else (None,) * 4))
    stored = (
        *(rental["priced_minutes"], rental["priced_sats"], rental["rental_minute"]),
        *(rental["rental_sms"], rental["rental_cap"], rental["change_at_us"], rental["next_cost_per_minute"]),
        *(rental["next_cost_per_inbound_message"], rental["next_monthly_cap"]),
    )
    if expected != stored:
        yield WrongRentalPrice(rental_id, expected, stored)


def _state(applied: list[Row], rental: Row) -> tuple[int | None, ...]:
    """Return what the rental must have after these prices, added up from the first."""
    minutes = sats = 0
    for before, row in pairwise(applied):
        minutes, sats = (row["since_us"] - rental["started_at_us"]) // MINUTE_US, sats + _cost(before, row)
    last = applied[-1]
    return minutes, sats, last["cost_per_minute"], last["cost_per_inbound_message"], last["monthly_cap"]


def _cost(before: Row, after: Row) -> int:
    """Return the cost of the minutes between two prices."""
    minute, cap = before["cost_per_minute"], before["monthly_cap"]
    return LiveRental(0, 0, minute, 0, monthly_cap=cap).cost_of(after["from_minute"] - before["from_minute"])


def _announced(row: Row) -> tuple[int | None, ...]:
    return row["since_us"], row["cost_per_minute"], row["cost_per_inbound_message"], row["monthly_cap"]
