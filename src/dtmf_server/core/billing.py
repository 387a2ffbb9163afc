"""The meter, as arithmetic: prepaid started minutes, and the instant the money runs out.

Rules (docs/billing.md):
1. Minute k of a rental (k = 0, 1, …) starts at `started_at_us + k * MINUTE_US` and is paid at that instant.
2. Ticks are paid in order of time; equal instants oldest rental first.
3. A minute that can't be paid ends its own rental at that instant; the others go on.
4. Nothing is written per minute. `booked_minutes` says how many minutes a rental has paid for in the books;
   everything after that is computed, until `settle` turns it into bookings.

Every function here is pure; times are microseconds since 1970 UTC, amounts are satoshis.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

MINUTE_US = 60_000_000
LOOK_EVERY_US = 60_000_000  # the meter looks at the accounts at least that often, whatever wakes it meanwhile
# "Never", as a time: the last second of year 9999, which every database and ISO 8601 can still hold.
NEVER_US = 253_402_300_799_000_000


class Running(Struct, frozen=True):
    """A live rental as the meter sees it."""

    rental_id: int
    started_at_us: int
    cost_per_minute: int
    booked_minutes: int

    @property
    def next_minute_us(self) -> int:
        """The instant the first minute that is not booked yet starts."""
        return self.started_at_us + self.booked_minutes * MINUTE_US


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an account looks like after its started minutes are paid."""

    balance: int
    running: tuple[Running, ...]  # still live, booked up to `now`, oldest first
    ended: tuple[tuple[Running, int], ...]  # (as booked, the instant it ended), in order of that instant
    depletes_at_us: int | None  # None while nothing costs anything

    @property
    def cost_per_minute(self) -> int:
        """Satoshis that the live rentals take together each minute."""
        return sum(rental.cost_per_minute for rental in self.running)


def minutes_started(started_at_us: int, at_us: int) -> int:
    """How many minutes have begun from the start up to and including `at_us`: 1 at the very start."""
    assert at_us >= started_at_us, "a rental can't be billed before it starts"
    return (at_us - started_at_us) // MINUTE_US + 1


def depletes_at(balance: int, running: Sequence[Running]) -> int | None:
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


def settle(balance: int, running: Sequence[Running], now_us: int) -> Settlement:
    """Pays every minute started up to and including `now_us`; ends the rentals that can't be paid.

    Takes at most one step per rental that ends, however long the time since the last settlement.
    """
    live = sorted(running, key=lambda r: (r.started_at_us, r.rental_id))
    ended: list[tuple[Running, int]] = []
    while (instant := depletes_at(balance, live)) is not None and instant <= now_us:
        balance, live = _book_before(balance, live, instant)
        balance, live, out_of_money = _pay_instant(balance, live, instant)
        ended += [(rental, instant) for rental in out_of_money]
    balance, live = _book_before(balance, live, now_us + 1)
    return Settlement(balance, tuple(live), tuple(ended), depletes_at(balance, live))


def _order(rental: Running) -> tuple[int, int, int]:
    return rental.next_minute_us, rental.started_at_us, rental.rental_id


def _book_before(balance: int, live: list[Running], instant_us: int) -> tuple[int, list[Running]]:
    """Pays the minutes that start before `instant_us`; the caller knows that the balance covers them."""
    booked = []
    for rental in live:
        through = max(rental.booked_minutes, -((rental.started_at_us - instant_us) // MINUTE_US))
        balance -= (through - rental.booked_minutes) * rental.cost_per_minute
        booked.append(replace(rental, booked_minutes=through))
    assert balance >= 0, "booked past the instant the money ran out"
    return balance, booked


def _pay_instant(balance: int, live: list[Running], instant_us: int) -> tuple[int, list[Running], list[Running]]:
    """Pays the minutes that start exactly at `instant_us`, oldest rental first: balance, live, ended."""
    going_on, ended = [], []
    for rental in live:
        if rental.next_minute_us != instant_us:
            going_on.append(rental)
        elif rental.cost_per_minute <= balance:
            balance -= rental.cost_per_minute
            going_on.append(replace(rental, booked_minutes=rental.booked_minutes + 1))
        else:
            ended.append(rental)
    return balance, going_on, ended
