"""The arithmetic of the meter: minutes are paid as they start, and the balance runs out at a computable instant.

Rules (docs/internals/billing.md):
1. Minute k of a rental (k = 0, 1, …) starts at `started_at_us + k * MINUTE_US` and is paid at that instant.
2. Minutes are paid in the order in which they start; at equal instants, the oldest rental is first.
3. A minute that cannot be paid ends its own rental at that instant; the others continue. At equal instants, rentals
   that reach a limit end first, and their minutes are not paid.
4. Nothing is written per minute: the cost of minutes is computed until a settlement books it.

There are two forms of the same arithmetic. `settle` and `depletes_at` take the rentals of an account. `cost_between`
and `runs_out_at` take sums over them, and cost the same however many rentals there are:

With s the start of a rental, r its price and f = s mod 60 s its phase, the number of minutes that have started by t is
floor(t / 60 s) - floor(s / 60 s) + (1 if f <= t mod 60 s else 0). Over an account, the minutes that start after t0 and
by t1 cost R * (floor(t1 / 60 s) - floor(t0 / 60 s)) + upto(t1 mod 60 s) - upto(t0 mod 60 s), where R is the sum of all
r and upto(p) is the sum of those with f <= p.

Rentals with a monthly cap (core/monthly_cap.py) are not part of these sums. Their minutes are added one rental at a
time, and an account has at most 100 of them. Any 30 days in a row cost the same, P = 30 days * R + the sum of all caps:
`balance // P` whole periods pass before the balance runs out, and bisection finds the minute in the next one.

The price of a rental in a currency changes at the start of one of its minutes (core/pegged.py). That instant ends a
stretch in which the sums are constant, like the instant of a limit: `settle` pays what starts before it, and continues
with the new price.

Every function here is pure; times are microseconds since 1970 UTC, amounts are satoshis.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dtmf_server.core import monthly_cap
from dtmf_server.core.monthly_cap import PERIOD_MINUTES, PERIOD_US
from dtmf_server.core.units import MINUTE_US

POLL_INTERVAL_US = MINUTE_US  # the meter polls the accounts at least this often, besides being woken
# "Never" as a time: the last second of the year 9999, which every database and ISO 8601 can still represent.
NEVER_US = 253_402_300_799_000_000


class NextPrice(Struct, frozen=True):
    """The next price of a rental: that of the minutes which start at `at_us`, the start of one of them, or later."""

    at_us: int
    cost_per_minute: int
    cost_per_inbound_message: int | None
    monthly_cap: int | None


class LiveRental(Struct, frozen=True):
    """A live rental as the meter sees it. `booked_minutes` is the number of its minutes that are paid."""

    rental_id: int
    started_at_us: int
    cost_per_minute: int
    booked_minutes: int
    e164: str = ""
    monthly_cap: int | None = None
    limit_at_us: int | None = None  # a limit ends it then, before that minute is paid (core/limits.py)
    reserved_sats: int | None = None  # of its token's limits (core/token_budget.py)
    priced_minutes: int = 0  # its minutes before the last change of its price, and what they cost
    priced_sats: int = 0
    change: NextPrice | None = None

    @property
    def phase_us(self) -> int:
        """Microseconds into each clock minute at which this rental's minutes start."""
        return self.started_at_us % MINUTE_US

    @property
    def next_minute_us(self) -> int:
        """The start of the first minute that is not booked yet."""
        return self.started_at_us + self.booked_minutes * MINUTE_US

    def cost_at(self, at_us: int) -> int:
        """Return the cost of the minute that runs at this instant, which must be before the next price applies."""
        nth = (at_us - self.started_at_us) // MINUTE_US - self.priced_minutes
        return monthly_cap.cost_of_minute(nth, self.cost_per_minute, self.monthly_cap)

    def cost_of(self, minutes: int) -> int:
        """Return the cost of the first `minutes` minutes, at least those before the last change of its price."""
        if self.change is not None and minutes > (self.change.at_us - self.started_at_us) // MINUTE_US:
            return self.changed().cost_of(minutes)
        since = minutes - self.priced_minutes
        return self.priced_sats + monthly_cap.cost_of_minutes(since, self.cost_per_minute, self.monthly_cap)

    def until_change(self) -> "LiveRental":
        """Return it without its next price, for what lies before the change."""
        return self if self.change is None else replace(self, change=None)

    def changed(self) -> "LiveRental":
        """Return it with its next price."""
        assert self.change is not None, "a price is announced before it changes"
        before = self.until_change()
        minutes = (self.change.at_us - self.started_at_us) // MINUTE_US
        return replace(
            before,
            cost_per_minute=self.change.cost_per_minute,
            monthly_cap=self.change.monthly_cap,
            priced_minutes=minutes,
            priced_sats=before.cost_of(minutes),
        )

    def cost_between(self, after_us: int, until_us: int) -> int:
        """Return the cost of the minutes that start after `after_us`, at least the first, and by `until_us`."""
        return self.cost_of(minutes_started(self.started_at_us, until_us)) - self.cost_of(
            minutes_started(self.started_at_us, after_us)
        )


@dataclass(frozen=True, slots=True)
class Settlement:
    """The state of an account after its started minutes are paid."""

    balance: int
    running: tuple[LiveRental, ...]  # still live, booked up to `now_us`, oldest first
    ended: tuple[tuple[LiveRental, int], ...]  # (as booked, when it ended), in the order of the end
    depletes_at_us: int | None  # None if nothing costs anything

    @property
    def cost_per_minute(self) -> int:
        """Satoshis per minute of all live rentals together, without regard to monthly caps."""
        return sum(rental.cost_per_minute for rental in self.running)


def minutes_started(started_at_us: int, at_us: int) -> int:
    """Return the number of minutes that have started, up to and including `at_us`; 1 at the very start."""
    assert at_us >= started_at_us, "a rental cannot be billed before it starts"
    return (at_us - started_at_us) // MINUTE_US + 1


def depletes_at(balance: int, running: Sequence[LiveRental]) -> int | None:
    """Return the start of the first minute that `balance` cannot pay, or None if nothing will ever be due.

    The next minutes of all rentals must lie within one minute of each other, as `settle` leaves them. Then each minute
    costs the same sum R: `balance // R` whole rounds pass, and the remainder decides within the next one.
    """
    paying = [rental for rental in running if rental.cost_per_minute]
    if not paying:
        return None
    if any(rental.monthly_cap is not None for rental in paying):
        return runs_out_at(balance, min(rental.next_minute_us for rental in paying) - 1, _known(paying))
    if len(paying) > 1:
        paying.sort(key=_order)
    rounds, rest = divmod(balance, sum(r.cost_per_minute for r in paying))
    for rental in paying:
        rest -= rental.cost_per_minute
        if rest < 0:
            return min(NEVER_US, rental.next_minute_us + rounds * MINUTE_US)
    raise AssertionError("one round costs more than the rest of a division by its cost")


def settle(balance: int, running: Sequence[LiveRental], now_us: int) -> Settlement:
    """Pay every minute that has started up to and including `now_us`; end the rentals that cannot be paid.

    Takes at most one step per minute in which a rental ends, however long the time since the last settlement.
    """
    live = sorted(running, key=lambda r: (r.started_at_us, r.rental_id))
    ended: list[tuple[LiveRental, int]] = []
    while True:
        runs_out_us = depletes_at(balance, live) or NEVER_US
        limit_us = min((r.limit_at_us for r in live if r.limit_at_us is not None), default=NEVER_US)
        change_us = min((r.change.at_us for r in live if r.change is not None), default=NEVER_US)
        instant = min(runs_out_us, limit_us, change_us)
        if instant > now_us:
            break
        balance, live = _book_before(balance, live, instant)
        if limit_us == instant:
            ended += [(rental, limit_us) for rental in live if rental.limit_at_us == limit_us]
            live = [rental for rental in live if rental.limit_at_us != limit_us]
            continue
        if change_us == instant:
            live = [r.changed() if r.change is not None and r.change.at_us == instant else r for r in live]
            continue
        balance, live, out_of_money = _pay_round(balance, live, instant, min(now_us, limit_us - 1, change_us - 1))
        ended += out_of_money
    balance, live = _book_before(balance, live, now_us + 1)
    return Settlement(balance, tuple(live), tuple(ended), depletes_at(balance, live))


def in_order(running: Sequence[LiveRental], from_us: int) -> list[LiveRental]:
    """Return rentals in the order in which their minutes start from `from_us` on; the oldest first at equal
    instants."""
    return sorted(running, key=lambda r: (next_minute_from(r, from_us), r.started_at_us, r.rental_id))


def _order(rental: LiveRental) -> tuple[int, int, int]:
    return rental.next_minute_us, rental.started_at_us, rental.rental_id


def _book_before(balance: int, live: list[LiveRental], instant_us: int) -> tuple[int, list[LiveRental]]:
    """Pay the minutes that start before `instant_us`. The balance must cover them."""
    booked = []
    for rental in live:
        through = max(rental.booked_minutes, -((rental.started_at_us - instant_us) // MINUTE_US))
        balance -= rental.cost_of(through) - rental.cost_of(rental.booked_minutes)
        booked.append(replace(rental, booked_minutes=through))
    assert balance >= 0, "booked past the instant the money ran out"
    return balance, booked


def _pay_round(
    balance: int, live: list[LiveRental], from_us: int, until_us: int
) -> tuple[int, list[LiveRental], list[tuple[LiveRental, int]]]:
    """Pay the minutes that start from `from_us` on, within a minute and by `until_us`. Return balance, live, ended."""
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
    """Cost per minute of the live rentals of an account, summed over the phases at which their minutes start, and the
    rentals with a monthly cap, which no sum contains."""

    @property
    def capped(self) -> Sequence[LiveRental]:
        """The rentals with a monthly cap."""

    @property
    def total(self) -> int:
        """Cost per minute of all rentals."""

    def upto(self, phase_us: int) -> int:
        """Return the cost of the rentals whose phase is at most `phase_us`."""

    def first_above(self, sats: int) -> int:
        """Return the smallest phase for which `upto` is more than `sats`, which must be less than `total`."""


class KnownCosts:
    """Costs by phase, all in memory."""

    def __init__(self, by_phase: Mapping[int, int], capped: Sequence[LiveRental] = ()) -> None:
        self.capped = capped
        self._phases = sorted(by_phase)
        self._sums = list(accumulate((by_phase[phase] for phase in self._phases), initial=0))

    @property
    def total(self) -> int:
        """Cost per minute of all rentals."""
        return self._sums[-1]

    def upto(self, phase_us: int) -> int:
        """Return the cost of the rentals whose phase is at most `phase_us`."""
        return self._sums[bisect_right(self._phases, phase_us)]

    def first_above(self, sats: int) -> int:
        """Return the smallest phase for which `upto` is more than `sats`."""
        return self._phases[bisect_right(self._sums, sats) - 1]


def _known(rentals: Sequence[LiveRental]) -> KnownCosts:
    by_phase: dict[int, int] = {}
    for rental in rentals:
        if rental.monthly_cap is None:
            by_phase[rental.phase_us] = by_phase.get(rental.phase_us, 0) + rental.cost_per_minute
    return KnownCosts(by_phase, [rental.until_change() for rental in rentals if rental.monthly_cap is not None])


def cost_between(costs: Costs, after_us: int, until_us: int) -> int:
    """Return the cost of the minutes that start after `after_us` and by `until_us`."""
    return _cost_of_sums(costs, after_us, until_us) + sum(r.cost_between(after_us, until_us) for r in costs.capped)


def _cost_of_sums(costs: Costs, after_us: int, until_us: int) -> int:
    minutes = until_us // MINUTE_US - after_us // MINUTE_US
    return costs.total * minutes + costs.upto(until_us % MINUTE_US) - costs.upto(after_us % MINUTE_US)


def runs_out_at(balance: int, at_us: int, costs: Costs) -> int | None:
    """Return the start of the first minute after `at_us` that `balance` cannot pay, or None if nothing will ever be
    due. `balance` is that of `at_us`."""
    if not costs.capped:
        return _sums_run_out_at(balance, at_us, costs)
    period = costs.total * PERIOD_MINUTES + sum(rental.monthly_cap or 0 for rental in costs.capped)
    periods, rest = divmod(balance, period)
    at_us += periods * PERIOD_US
    if at_us >= NEVER_US:
        return NEVER_US

    def cost_of(minutes: int) -> int:
        until_us = at_us + minutes * MINUTE_US
        return costs.total * minutes + sum(rental.cost_between(at_us, until_us) for rental in costs.capped)

    minutes = bisect_right(range(PERIOD_MINUTES), rest, key=cost_of) - 1  # all of these can be paid, but not one more
    return min(NEVER_US, _runs_out_within_minute(rest - cost_of(minutes), at_us + minutes * MINUTE_US, costs))


def _runs_out_within_minute(balance: int, at_us: int, costs: Costs) -> int:
    """Return the start of the first minute after `at_us` that `balance` cannot pay. It must start within 60 seconds."""
    starting = sorted((next_minute_from(rental, at_us + 1), rental.rental_id, rental) for rental in costs.capped)
    sums = [*accumulate(rental.cost_at(start_us) for start_us, _, rental in starting)]

    def cost_until(nth: int) -> int:
        return sums[nth] + _cost_of_sums(costs, at_us, starting[nth][0])

    first = bisect_left(range(len(starting)), balance + 1, key=cost_until)  # of those with a cap, if it is one of them
    paid = sums[first - 1] if first else 0
    found = [starting[first][0]] if first < len(starting) else []
    others_us = _sums_run_out_at(balance - paid, at_us, costs)
    return min(found if others_us is None else [*found, others_us])


def _sums_run_out_at(balance: int, at_us: int, costs: Costs) -> int | None:
    """Return the result of `runs_out_at` without the rentals that have a monthly cap.

    `balance // total` whole rounds pass; in the next one, the result is the first phase after that of `at_us` at which
    the sum exceeds the remainder.
    """
    if costs.total == 0:
        return None
    minutes, rest = divmod(balance, costs.total)
    target = costs.upto(at_us % MINUTE_US) + rest
    if target >= costs.total:  # it lies in the next clock minute
        target -= costs.total
        minutes += 1
    return min(NEVER_US, (at_us // MINUTE_US + minutes) * MINUTE_US + costs.first_above(target))


class Turn(Struct, frozen=True):
    """A rental whose minute starts at `at_us`, whether that minute is paid, and the balance it leaves."""

    rental: LiveRental
    at_us: int
    is_paid: bool
    left: int


def next_minute_from(rental: LiveRental, from_us: int) -> int:
    """Return the start of the rental's first minute at or after `from_us`."""
    return from_us + (rental.started_at_us - from_us) % MINUTE_US


def turns(balance: int, in_order: Sequence[LiveRental], from_us: int) -> Iterator[Turn]:
    """Yield one minute per rental from `from_us` on: paid while the balance lasts; else that rental alone ends.
    `in_order` must be sorted by the start of their minutes, oldest first at equal instants, and must contain all of the
    account's rentals up to the last one given."""
    for rental in in_order:
        at_us = next_minute_from(rental, from_us)
        cost = rental.cost_at(at_us)
        is_paid = cost <= balance
        if is_paid:
            balance -= cost
        yield Turn(rental, at_us, is_paid, balance)


class RunOut(Struct, frozen=True):
    """Rentals that ended for lack of money. `cost` pays what was due up to and including `through_us`."""

    cost: int
    through_us: int
    ended: list[tuple[LiveRental, int]]  # in the order of the instants


def run_out(balance: int, in_order: Sequence[LiveRental], from_us: int, until_us: int, *, at_most: int) -> RunOut:
    """Return the rentals that end from `from_us`, when the balance runs out, until `until_us`: 1 to `at_most` of them.

    The result stops at the last instant at which a rental ended. If more than `at_most` end at the first instant, that
    instant is not finished: its minutes are not paid yet, and the remaining rentals will end at the same instant.
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
