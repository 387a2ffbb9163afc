"""The meter reimplemented the slow way: one minute at a time, counting instead of computing.

The oracle for `core/billing.py` and for the whole service. Every line should be obviously correct.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heapreplace

MINUTE_US = 60_000_000
PERIOD_MINUTES = 30 * 24 * 60  # of a monthly cap


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
    cap: int | None = None

    def price(self, nth: int) -> int:
        """Return the price of a minute: what the minutes of its period cost with it, less what they cost without it."""
        if self.cap is None:
            return self.cost
        before = nth % PERIOD_MINUTES
        return min(self.cap, (before + 1) * self.cost) - min(self.cap, before * self.cost)

    def paid(self) -> int:
        """Return the price of all paid minutes."""
        if self.cap is None:
            return self.paid_minutes * self.cost
        return self.paid_minutes // PERIOD_MINUTES * self.cap + min(
            self.cap, self.paid_minutes % PERIOD_MINUTES * self.cost
        )

    def skip_free_minutes(self, now_us: int | None) -> None:
        """Count the free minutes that come next as paid, those begun by now; a month of them would take time to count."""
        while self.cap is not None and self.price(self.paid_minutes) == 0:
            if now_us is not None and self.next_tick_us() > now_us:
                return
            begun = None if now_us is None else (now_us - self.started_us) // MINUTE_US + 1
            next_period = (self.paid_minutes // PERIOD_MINUTES + 1) * PERIOD_MINUTES
            self.paid_minutes = next_period if begun is None else min(next_period, begun)

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
    for rental in rentals:
        rental.skip_free_minutes(now_us)
    line = in_line(rentals)
    while line and line[0][0] <= now_us:
        at_us, started_us, id_, rental = line[0]
        cost = rental.price(rental.paid_minutes)
        if cost <= balance:
            balance -= cost
            rental.paid_minutes += 1
            rental.skip_free_minutes(now_us)
            heapreplace(line, (rental.next_tick_us(), started_us, id_, rental))
        else:
            rental.ended_us = at_us
            rental.reason = "depleted"
            heappop(line)
    return balance


def run_out_us(balance: int, rentals: Iterable[PlainRental]) -> int | None:
    """Return when the first unaffordable minute begins, found by paying until one can't be paid; None if never."""
    copies = [rental.copy() for rental in rentals if rental.cost > 0]
    for rental in copies:
        rental.skip_free_minutes(None)
    line = in_line(copies)
    while line:
        at_us, started_us, id_, rental = line[0]
        cost = rental.price(rental.paid_minutes)
        if cost > balance:
            return at_us
        balance -= cost
        rental.paid_minutes += 1
        rental.skip_free_minutes(None)
        heapreplace(line, (rental.next_tick_us(), started_us, id_, rental))
    return None
