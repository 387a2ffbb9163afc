"""The meter again, the slow way: one minute at a time, nothing computed that could be counted.

It is the oracle for `core/billing.py` and for the whole service. Every line is meant to be obviously right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heapreplace

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


def in_line(rentals: Iterable[PlainRental]) -> list[tuple[int, int, int, PlainRental]]:
    """The live rentals as a heap, by when their next minute is to be paid; equal instants oldest first."""
    line = [(r.next_tick_us(), r.started_us, r.id, r) for r in rentals if r.ended_us is None]
    heapify(line)
    return line


def pay_minutes(balance: int, rentals: list[PlainRental], now_us: int) -> int:
    """Pays every minute that has begun by now, one after the other, and ends who can't pay; what is left."""
    line = in_line(rentals)
    while line and line[0][0] <= now_us:
        at_us, started_us, id_, rental = line[0]
        if rental.cost <= balance:
            balance -= rental.cost
            rental.paid_minutes += 1
            heapreplace(line, (at_us + MINUTE_US, started_us, id_, rental))
        else:
            rental.ended_us = at_us
            rental.reason = "depleted"
            heappop(line)
    return balance


def run_out_us(balance: int, rentals: Iterable[PlainRental]) -> int | None:
    """The instant of the first minute that can't be paid, found by paying until one can't; None: never."""
    line = in_line(rental for rental in rentals if rental.cost > 0)
    while line:
        at_us, started_us, id_, rental = line[0]
        if rental.cost > balance:
            return at_us
        balance -= rental.cost
        heapreplace(line, (at_us + MINUTE_US, started_us, id_, rental))
    return None
