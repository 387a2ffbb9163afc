"""Numbers bought on demand: the life of a number as a table, and the rules of buying and giving back.

Rules (docs/operations/supply.md):
1. A number is searched for first. Its exact E.164 and price are committed as `reserved`, then that number is ordered.
2. The price counts as spent from `reserved` on. It is returned only if the provider provably did not sell the number.
3. After any doubt the provider is asked for that number. It is ordered again only if the provider does not have it as
   ours; an exact number can't be bought twice.
4. A number is given back the day before the provider charges the next month, if it is not rented, its cooldown has
   ended, and it is not reserved for its last renter. First it leaves the stock, then the provider is asked.
5. Half of what may be spent in a day is only for accounts that received an SMS before, and for the operator's stock.

Pure. Prices are integers in millionths of the provider's currency.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from dtmf_server.core.units import DAY_US, MINUTE_US, SECOND_US

PRICE_UNIT = 1_000_000
LISTED_AFTER_US = 10 * MINUTE_US  # a number not listed by then, after an order without a reply, was not bought
RELEASE_BEFORE_US = DAY_US
RETRY_AFTER_S = 15  # for clients, while a number is being bought
PER_ACCOUNT_MAX = 5
NEEDS_ADDRESS = "this country needs an address or documents: numbers of it can't be bought on demand"


class State(StrEnum):
    """The states of a number."""

    WANTED = "wanted"  # to be searched for
    RESERVED = "reserved"  # its E.164 is known and its price counts as spent; it is being ordered, or was
    BOUGHT = "bought"  # the provider has it as ours; not in stock yet
    FREE = "free"  # in stock
    RENTED = "rented"
    COOLDOWN = "cooldown"  # its rental has ended; others can't rent it yet
    RELEASING = "releasing"  # out of stock, being given back
    GONE = "gone"


class Event(StrEnum):
    """Events in the life of a number."""

    RESERVE = "reserve"
    CONFIRM = "confirm"  # the provider has it as ours
    REFUSE = "refuse"  # the provider provably did not sell it
    CANCEL = "cancel"  # it is no longer needed
    STOCK = "stock"
    RENT = "rent"
    END = "end"  # its rental ends
    COOL = "cool"  # its cooldown ends
    RELEASE = "release"
    VANISH = "vanish"  # the provider does not have it any more


TABLE: Mapping[tuple[State, Event], State] = {
    (State.WANTED, Event.RESERVE): State.RESERVED,
    (State.WANTED, Event.CANCEL): State.GONE,
    (State.RESERVED, Event.CONFIRM): State.BOUGHT,
    (State.RESERVED, Event.REFUSE): State.WANTED,
    (State.BOUGHT, Event.STOCK): State.FREE,
    (State.FREE, Event.RENT): State.RENTED,
    (State.RENTED, Event.END): State.COOLDOWN,
    (State.COOLDOWN, Event.RENT): State.RENTED,  # by its last renter
    (State.COOLDOWN, Event.COOL): State.FREE,
    (State.FREE, Event.RELEASE): State.RELEASING,
    (State.FREE, Event.VANISH): State.RELEASING,
    (State.RELEASING, Event.VANISH): State.GONE,
}
PAID = frozenset({State.BOUGHT, State.FREE, State.RENTED, State.COOLDOWN, State.RELEASING})


class WrongMove(Exception):
    """A number can't make this move."""


def after(state: State, event: Event) -> State:
    """Return the state after an event. Raises WrongMove."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise WrongMove(f"a number that is {state} can't {event}") from None


def state_of(stored: str, *, rented: bool, cooling: bool) -> State:
    """Return the state of a number. While it is owned, the catalog knows whether it is rented or cooling down."""
    if stored != State.FREE:
        return State(stored)
    return State.RENTED if rented else State.COOLDOWN if cooling else State.FREE


@dataclass(frozen=True, slots=True)
class Terms:
    """How many numbers of a group may be bought, and at which prices."""

    stock_min: int
    stock_max: int
    setup_price_max: int
    month_price_max: int
    currency: str


@dataclass(frozen=True, slots=True)
class SupplyRules:
    """The operator's limits: whether numbers are bought, the most that may be spent in an hour and in a day, in millionths
    of a currency, how many bought numbers an account may have, and the satoshis of one unit of the currency."""

    enabled: bool = True
    per_hour: int = 20 * PRICE_UNIT
    per_day: int = 50 * PRICE_UNIT
    per_account: int = PER_ACCOUNT_MAX
    sats_per_unit: int | None = None


DEFAULT_RULES = SupplyRules()


@dataclass(frozen=True, slots=True)
class Spent:
    """Prices reserved and not returned: in the last hour, the last day, and of that for untrusted accounts."""

    hour: int
    day: int
    day_untrusted: int


def price_units(text: str) -> int:
    """Return a decimal price in millionths, rounded up."""
    return int((Decimal(text) * PRICE_UNIT).to_integral_value(ROUND_CEILING))


def price_text(units: int) -> str:
    """Return a price with at least two decimal places."""
    whole, rest = divmod(units, PRICE_UNIT)
    return f"{whole}.{f'{rest:06d}'.rstrip('0'):0<2}"


def to_want(terms: Terms, *, free: int, coming: int, owned: int) -> int:
    """Return how many more numbers to buy. `coming`: those wanted, reserved or bought; `owned`: all those in stock."""
    return max(0, min(terms.stock_min - free - coming, terms.stock_max - owned - coming))


def still_needed(terms: Terms, *, free: int, coming: int, has_demand: bool) -> bool:
    """Return whether a wanted number is still needed. `coming` does not include it. `has_demand`: an account waits for
    it, because nothing was free."""
    return free + coming < max(terms.stock_min, int(has_demand))


def may_spend(price: int, spent: Spent, rules: SupplyRules, *, is_trusted: bool) -> bool:
    """Return whether a price fits into the limits."""
    if spent.hour + price > rules.per_hour or spent.day + price > rules.per_day:
        return False
    return is_trusted or spent.day_untrusted + price <= rules.per_day // 2


def renewal(bought_at_us: int, nth: int) -> int:
    """Return when the provider charges the month `nth` (the first is 0): the same day of a later month, or its last
    day. Providers bill by the calendar month, in UTC."""
    bought = datetime.fromtimestamp(bought_at_us // SECOND_US, UTC)
    years, month = divmod(bought.month - 1 + nth, 12)
    year = bought.year + years
    day = min(bought.day, calendar.monthrange(year, month + 1)[1])
    moved = bought.replace(year=year, month=month + 1, day=day)
    return int(moved.timestamp()) * SECOND_US + bought_at_us % SECOND_US


def months_begun(bought_at_us: int, now_us: int) -> int:
    """Return how many months the provider has charged for by now: 1 from the purchase on."""
    months = 1
    while renewal(bought_at_us, months) <= now_us:
        months += 1
    return months


def is_due_for_release(renews_at_us: int, now_us: int) -> bool:
    """Return whether a number that is not in use should be given back now."""
    return now_us >= renews_at_us - RELEASE_BEFORE_US
