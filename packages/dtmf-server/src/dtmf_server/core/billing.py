"""The meter, as arithmetic: prepaid started minutes, and the instant the money runs out.

Rules (docs/internals/billing.md):
1. Minute k of a rental (k = 0, 1, …) starts at `started_at_us + k * MINUTE_US` and is paid at that instant.
2. Ticks are paid in order of time; equal instants oldest rental first.
3. A minute that can't be paid ends its own rental at that instant; the others go on.
4. Nothing is written per minute: what minutes cost is computed, until a settlement books it.

Two forms of the same arithmetic. One takes an account's rentals (`settle`, `depletes_at`). The other takes sums over
them (`cost_between`, `runs_out_at`) and costs the same however many rentals there are:

With s the start of a rental, r its price and f = s mod 60 s its phase, the minutes begun by t are
floor(t / 60 s) - floor(s / 60 s) + (1 if f <= t mod 60 s else 0). Over an account, what begins after t0 and by t1 costs
R * (floor(t1 / 60 s) - floor(t0 / 60 s)) + upto(t1 mod 60 s) - upto(t0 mod 60 s), where R is the sum of all r and
upto(p) the sum of those with f <= p.

Every function here is pure; times are microseconds since 1970 UTC, amounts are satoshis.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dtmf_server.core.units import MINUTE_US

POLL_INTERVAL_US = MINUTE_US  # the meter looks at the accounts at least that often, whatever wakes it meanwhile
# "Never", as a time: the last second of year 9999, which every database and ISO 8601 can still hold.
NEVER_US = 253_402_300_799_000_000


class LiveRental(Struct, frozen=True):
    """A live rental as the meter sees it. `booked_minutes`: how many of its minutes are paid."""

    rental_id: int
    started_at_us: int
    cost_per_minute: int
    booked_minutes: int
    e164: str = ""

    @property
    def phase_us(self) -> int:
        """How far into each minute of the clock its minutes start."""
        return self.started_at_us % MINUTE_US

    @property
    def next_minute_us(self) -> int:
        """The instant the first minute that is not booked yet starts."""
        return self.started_at_us + self.booked_minutes * MINUTE_US


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an account looks like after its started minutes are paid."""

    balance: int
    running: tuple[LiveRental, ...]  # still live, booked up to `now`, oldest first
    ended: tuple[tuple[LiveRental, int], ...]  # (as booked, the instant it ended), in order of that instant
    depletes_at_us: int | None  # None while nothing costs anything

    @property
    def cost_per_minute(self) -> int:
        """Satoshis that the live rentals take together each minute."""
        return sum(rental.cost_per_minute for rental in self.running)


def minutes_started(started_at_us: int, at_us: int) -> int:
    """How many minutes have begun from the start up to and including `at_us`: 1 at the very start."""
    assert at_us >= started_at_us, "a rental can't be billed before it starts"
    return (at_us - started_at_us) // MINUTE_US + 1


def depletes_at(balance: int, running: Sequence[LiveRental]) -> int | None:
    """The instant of the first minute that `balance` can't pay, None when nothing is due ever.

    Needs every rental's next minute within one minute of the others' (as `settle` leaves them): then each
    minute costs the same sum R, so `balance // R` whole rounds pass and the rest decides within the next one.
    """
    paying = [rental for rental in running if rental.cost_per_minute]
    if not paying:
        return None
    if len(paying) > 1:
        paying.sort(key=_order)
    rounds, rest = divmod(balance, sum(r.cost_per_minute for r in paying))
    for rental in paying:
        rest -= rental.cost_per_minute
        if rest < 0:
            return min(NEVER_US, rental.next_minute_us + rounds * MINUTE_US)
    raise AssertionError("one round costs more than the rest of a division by its cost")


def settle(balance: int, running: Sequence[LiveRental], now_us: int) -> Settlement:
    """Pays every minute started up to and including `now_us`; ends the rentals that can't be paid.

    Takes at most one step per minute in which a rental ends, however long the time since the last settlement.
    """
    live = sorted(running, key=lambda r: (r.started_at_us, r.rental_id))
    ended: list[tuple[LiveRental, int]] = []
    while (instant := depletes_at(balance, live)) is not None and instant <= now_us:
        balance, live = _book_before(balance, live, instant)
        balance, live, out_of_money = _pay_round(balance, live, instant, now_us)
        ended += out_of_money
    balance, live = _book_before(balance, live, now_us + 1)
    return Settlement(balance, tuple(live), tuple(ended), depletes_at(balance, live))


def in_order(running: Sequence[LiveRental], from_us: int) -> list[LiveRental]:
    """Rentals in the order in which their minutes start from that instant on; equal instants oldest rental first."""
    return sorted(running, key=lambda r: (next_minute_from(r, from_us), r.started_at_us, r.rental_id))


def _order(rental: LiveRental) -> tuple[int, int, int]:
    return rental.next_minute_us, rental.started_at_us, rental.rental_id


def _book_before(balance: int, live: list[LiveRental], instant_us: int) -> tuple[int, list[LiveRental]]:
    """Pays the minutes that start before `instant_us`; the caller knows that the balance covers them."""
    booked = []
    for rental in live:
        through = max(rental.booked_minutes, -((rental.started_at_us - instant_us) // MINUTE_US))
        balance -= (through - rental.booked_minutes) * rental.cost_per_minute
        booked.append(replace(rental, booked_minutes=through))
    assert balance >= 0, "booked past the instant the money ran out"
    return balance, booked


def _pay_round(
    balance: int, live: list[LiveRental], from_us: int, until_us: int
) -> tuple[int, list[LiveRental], list[tuple[LiveRental, int]]]:
    """Pays what starts from `from_us` on, within a minute and by `until_us`: balance, live, ended."""
    paying = {r.rental_id: r for r in live}
    ended = []
    for turn in turns(balance, sorted((r for r in live if r.cost_per_minute), key=_order), from_us):
        if turn.at_us > until_us:
            break
        rental = turn.rental
        if turn.is_paid:
            paying[rental.rental_id] = replace(rental, booked_minutes=rental.booked_minutes + 1)
            balance = turn.left
        else:
            del paying[rental.rental_id]
            ended.append((rental, turn.at_us))
    return balance, list(paying.values()), ended


# --- sums in place of rentals ------------------------------------------------------------------------------------


class Costs(Protocol):
    """What the live rentals of an account cost per minute, summed over the phases at which their minutes start."""

    @property
    def total(self) -> int:
        """What all of them cost per minute."""

    def upto(self, phase_us: int) -> int:
        """What those cost whose phase is at most that."""

    def first_above(self, sats: int) -> int:
        """The smallest phase for which `upto` is more than that, which is less than `total`."""


class KnownCosts:
    """Costs that are all in memory, by phase."""

    def __init__(self, by_phase: Mapping[int, int]) -> None:
        self._phases = sorted(by_phase)
        self._sums = list(accumulate((by_phase[phase] for phase in self._phases), initial=0))

    @property
    def total(self) -> int:
        """What all of them cost per minute."""
        return self._sums[-1]

    def upto(self, phase_us: int) -> int:
        """What those cost whose phase is at most that."""
        return self._sums[bisect_right(self._phases, phase_us)]

    def first_above(self, sats: int) -> int:
        """The smallest phase for which `upto` is more than that."""
        return self._phases[bisect_right(self._sums, sats) - 1]


def cost_between(costs: Costs, after_us: int, until_us: int) -> int:
    """What the minutes cost that start after the one instant and by the other."""
    minutes = until_us // MINUTE_US - after_us // MINUTE_US
    return costs.total * minutes + costs.upto(until_us % MINUTE_US) - costs.upto(after_us % MINUTE_US)


def runs_out_at(balance: int, at_us: int, costs: Costs) -> int | None:
    """The first minute after `at_us` that the balance of that instant can't pay, None when nothing is due ever.

    `balance // total` whole rounds pass; in the next one the first phase after that of `at_us` decides at which the sum
    is more than the rest.
    """
    if costs.total == 0:
        return None
    minutes, rest = divmod(balance, costs.total)
    target = costs.upto(at_us % MINUTE_US) + rest
    if target >= costs.total:  # it is found in the next minute of the clock
        target -= costs.total
        minutes += 1
    return min(NEVER_US, (at_us // MINUTE_US + minutes) * MINUTE_US + costs.first_above(target))


class Turn(Struct, frozen=True):
    """A rental whose minute starts at `at_us`, whether that is paid, and the balance it leaves."""

    rental: LiveRental
    at_us: int
    is_paid: bool
    left: int


def next_minute_from(rental: LiveRental, from_us: int) -> int:
    """The start of the rental's first minute that does not start before that instant."""
    return from_us + (rental.started_at_us - from_us) % MINUTE_US


def turns(balance: int, in_order: Sequence[LiveRental], from_us: int) -> Iterator[Turn]:
    """The minutes that start from that instant on, one of each rental: paid while the balance lasts, and where it
    does not, the end of that rental alone. The rentals come in the order in which their minutes do, oldest first at
    equal instants; all of the account's until the last of them."""
    for rental in in_order:
        is_paid = rental.cost_per_minute <= balance
        if is_paid:
            balance -= rental.cost_per_minute
        yield Turn(rental, next_minute_from(rental, from_us), is_paid, balance)


class RunOut(Struct, frozen=True):
    """Rentals that ended for lack of money. What was due up to and including `through_us` is paid with `cost`."""

    cost: int
    through_us: int
    ended: list[tuple[LiveRental, int]]  # in the order of the instants


def run_out(balance: int, in_order: Sequence[LiveRental], from_us: int, until_us: int, *, at_most: int) -> RunOut:
    """The rentals that end from `from_us`, when the money runs out, until `until_us`: at most so many, at least one.

    It ends with the last instant at which one ended. If more than `at_most` end at the first instant, that instant is
    not over: its minutes are not paid yet, and the others will end at the same.
    """
    cost, through_us, ended = 0, from_us - 1, list[tuple[LiveRental, int]]()
    left = balance
    for at_us, group in groupby(turns(balance, in_order, from_us), key=lambda turn: turn.at_us):
        if at_us > until_us:
            break
        together = list(group)
        unpaid = [(turn.rental, at_us) for turn in together if not turn.is_paid]
        if len(ended) + len(unpaid) > at_most:
            return RunOut(cost, through_us, ended or unpaid[:at_most])
        left = together[-1].left
        if unpaid:
            ended += unpaid
            cost, through_us = balance - left, at_us
    return RunOut(cost, through_us, ended)
