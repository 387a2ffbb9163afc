"""The meter reimplemented the slow way: one minute at a time, counting instead of computing.

The oracle for `core/billing.py` and for the whole service. Every line should be obviously correct.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
    setup: int = 0
    max_minutes: int | None = None
    max_sats: int | None = None
    message_sats: int = 0
    until_us: int | None = None  # how long its price was promised to apply
    # Its next prices: from which minute, and the price of a minute, of an SMS, and of 30 days.
    later: list[tuple[int, int, int, int | None]] = field(default_factory=list)

    def prices(self) -> list[tuple[int, int, int, int | None]]:
        """Return all its prices, the first one from minute 0."""
        return [(0, self.cost, self.sms_cost, self.cap), *self.later]

    def price_at(self, nth: int) -> tuple[int, int, int, int | None]:
        """Return the price that applies in a minute."""
        return [price for price in self.prices() if price[0] <= nth][-1]

    def sms_price(self) -> int:
        """Return the price of an SMS after the minutes paid so far."""
        return self.price_at(self.paid_minutes - 1)[2]

    def change_us(self, settled_us: int) -> int | None:
        """Return when its price changes next, if that is announced."""
        found = [self.started_us + first * MINUTE_US for first, *_ in self.later]
        return next((at_us for at_us in found if at_us > settled_us), None)

    def left(self) -> int | None:
        """Return what it may still cost; None if there is no limit."""
        return None if self.max_sats is None else self.max_sats - self.setup - self.paid() - self.message_sats

    def is_at_limit(self) -> bool:
        """Return True if the next minute must not be paid: an SMS could not be paid after it."""
        if self.max_minutes is not None and self.paid_minutes >= self.max_minutes:
            return True
        left, (_, cost, sms_cost, _) = self.left(), self.price_at(self.paid_minutes)
        return left is not None and cost > 0 and left < self.price(self.paid_minutes) + sms_cost

    def limit_us(self) -> int | None:
        """Return when a limit ends it, found by counting minutes; None if never."""
        if self.cost == 0 and not self.later:
            return None if self.max_minutes is None else self.started_us + self.max_minutes * MINUTE_US
        if self.max_minutes is None and self.max_sats is None:
            return None
        copy = self.copy()
        while not copy.is_at_limit():
            copy.paid_minutes += 1
            copy.skip_free_minutes(None)
        return copy.next_tick_us()

    def price(self, nth: int) -> int:
        """Return the price of a minute: what the minutes of its period cost with it, less what they cost without it."""
        start, cost, _, cap = self.price_at(nth)
        if cap is None:
            return cost
        before = (nth - start) % PERIOD_MINUTES
        return min(cap, (before + 1) * cost) - min(cap, before * cost)

    def paid(self) -> int:
        """Return the price of all paid minutes."""
        total, prices = 0, self.prices()
        ends = [start for start, *_ in prices[1:]] + [self.paid_minutes]
        for (start, cost, _, cap), end in zip(prices, ends, strict=True):
            minutes = max(0, min(end, self.paid_minutes) - start)
            if cap is None:
                total += minutes * cost
            else:
                total += minutes // PERIOD_MINUTES * cap + min(cap, minutes % PERIOD_MINUTES * cost)
        return total

    def skip_free_minutes(self, now_us: int | None) -> None:
        """Count the free minutes that come next as paid, those begun by now; a month of them would take time to count."""
        while self.price_at(self.paid_minutes)[3] is not None and self.price(self.paid_minutes) == 0:
            if now_us is not None and self.next_tick_us() > now_us:
                return
            begun = None if now_us is None else (now_us - self.started_us) // MINUTE_US + 1
            start = self.price_at(self.paid_minutes)[0]
            next_period = start + ((self.paid_minutes - start) // PERIOD_MINUTES + 1) * PERIOD_MINUTES
            next_period = min([next_period, *(first for first, *_ in self.later if first > self.paid_minutes)])
            counted = next_period if begun is None else min(next_period, begun)
            if self.max_minutes is not None and counted >= self.max_minutes:
                self.paid_minutes = max(self.paid_minutes, self.max_minutes)
                return
            self.paid_minutes = counted

    def next_tick_us(self) -> int:
        """Return when the first unpaid minute begins."""
        return self.started_us + self.paid_minutes * MINUTE_US

    def copy(self) -> "PlainRental":
        """Return an independent copy."""
        return replace(self)


def turn(rental: PlainRental) -> tuple[int, bool, int, int, PlainRental]:
    """Return the rental with its place: by when its next minute is due, at its limit first, then by age, oldest first."""
    return rental.next_tick_us(), not rental.is_at_limit(), rental.started_us, rental.id, rental


def in_line(rentals: Iterable[PlainRental]) -> list[tuple[int, bool, int, int, PlainRental]]:
    """Return the live rentals as a heap, in the order in which their next minutes are due."""
    line = [turn(r) for r in rentals if r.ended_us is None]
    heapify(line)
    return line


def pay_minutes(balance: int, rentals: list[PlainRental], now_us: int) -> int:
    """Pay every minute begun by now, one at a time, ending rentals that can't pay; return the remaining balance."""
    for rental in rentals:
        rental.skip_free_minutes(now_us)
    line = in_line(rentals)
    while line and line[0][0] <= now_us:
        at_us, goes_on, _, _, rental = line[0]
        cost = rental.price(rental.paid_minutes)
        if goes_on and cost <= balance:
            balance -= cost
            rental.paid_minutes += 1
            rental.skip_free_minutes(now_us)
            heapreplace(line, turn(rental))
        else:
            rental.ended_us = at_us
            rental.reason = "depleted" if goes_on else "limit"
            heappop(line)
    return balance


def run_out_us(balance: int, rentals: Iterable[PlainRental]) -> int | None:
    """Return when the first unaffordable minute begins, found by paying until one can't be paid, without regard to limits and
    later prices; None if never."""
    copies = [
        replace(rental, max_minutes=None, max_sats=None, later=[p for p in rental.later if p[0] < rental.paid_minutes])
        for rental in rentals
    ]
    copies = [rental for rental in copies if rental.price_at(rental.paid_minutes)[1] > 0]
    for rental in copies:
        rental.skip_free_minutes(None)
    line = in_line(copies)
    while line:
        at_us, _, _, _, rental = line[0]
        cost = rental.price(rental.paid_minutes)
        if cost > balance:
            return at_us
        balance -= cost
        rental.paid_minutes += 1
        rental.skip_free_minutes(None)
        heapreplace(line, turn(rental))
    return None
