"""The meter again, the slow way: one minute at a time, nothing computed that could be counted.

It is the oracle for `core/billing.py` and for the whole service. Every line is meant to be obviously right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

MINUTE_US = 60_000_000


@dataclass(slots=True)
class PlainRental:
    """A rental and how many of its minutes are paid."""

    id: int
    started_us: int
    cost: int
    paid_minutes: int
    ended_us: int | None = None
    e164: str = ""
    sms_cost: int = 0
    reason: str | None = None
    action: tuple[str, str] | None = None

    def next_tick_us(self) -> int:
        """When the first minute that is not paid begins."""
        return self.started_us + self.paid_minutes * MINUTE_US

    def copy(self) -> "PlainRental":
        """The same again, to be changed without changing this one."""
        return replace(self)


def first_due(rentals: Iterable[PlainRental], now_us: int) -> PlainRental | None:
    """The rental whose next minute is to be paid first, of those due by now; equal instants oldest first."""
    due = [rental for rental in rentals if rental.ended_us is None and rental.next_tick_us() <= now_us]
    return min(due, key=lambda rental: (rental.next_tick_us(), rental.started_us, rental.id), default=None)


def pay_minutes(balance: int, rentals: list[PlainRental], now_us: int) -> int:
    """Pays every minute that has begun by now, one after the other, and ends who can't pay; what is left."""
    while (rental := first_due(rentals, now_us)) is not None:
        if rental.cost <= balance:
            balance -= rental.cost
            rental.paid_minutes += 1
        else:
            rental.ended_us = rental.next_tick_us()
            rental.reason = "depleted"
    return balance


def run_out_us(balance: int, rentals: Iterable[PlainRental]) -> int | None:
    """The instant of the first minute that can't be paid, found by paying until one can't; None: never."""
    paying = [rental.copy() for rental in rentals if rental.cost > 0 and rental.ended_us is None]
    while paying:
        rental = min(paying, key=lambda rental: (rental.next_tick_us(), rental.started_us, rental.id))
        if rental.cost > balance:
            return rental.next_tick_us()
        balance -= rental.cost
        rental.paid_minutes += 1
    return None
