"""The meter reimplemented the slow way: one minute at a time, counting instead of computing.

The oracle for `core/billing.py` and for the whole service. Every line should be obviously correct.
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
        """Return when the first unpaid minute begins."""
        return self.started_us + self.paid_minutes * MINUTE_US

    def copy(self) -> "PlainRental":
        """Return an independent copy."""
        return replace(self)


def in_line(rentals: Iterable[PlainRental]) -> list[tuple[int, int, int, PlainRental]]:
    """Return the live rentals as a heap, ordered by when their next minute is due; ties are broken by age, oldest first."""
    line = [(r.next_tick_us(), r.started_us, r.id, r) for r in rentals if r.ended_us is None]
    heapify(line)
    return line


def pay_minutes(balance: int, rentals: list[PlainRental], now_us: int) -> int:
    """Pay every minute begun by now, one at a time, ending rentals that can't pay; return the remaining balance."""
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
    """Return when the first unaffordable minute begins, found by paying until one can't be paid; None if never."""
    line = in_line(rental for rental in rentals if rental.cost > 0)
    while line:
        at_us, started_us, id_, rental = line[0]
        if rental.cost > balance:
            return at_us
        balance -= rental.cost
        heapreplace(line, (at_us + MINUTE_US, started_us, id_, rental))
    return None
