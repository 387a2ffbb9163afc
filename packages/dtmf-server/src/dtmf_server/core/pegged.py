"""Prices in the operator's currency, and when running rentals follow them.

Rules (docs/internals/billing.md#pegged-prices):
1. A price in the currency is charged in satoshis, rounded up to a whole one.
2. Each price of a rental applies for `price_days`. The next one is announced 7 days before, and does not change any more.
3. The next price applies from the start of a minute, and of a period where the rental has a monthly cap.

Pure; prices in the currency are millionths of its unit.
"""

from dataclasses import dataclass
from decimal import Decimal

from dtmf_server.core.billing import LiveRental
from dtmf_server.core.monthly_cap import PERIOD_US
from dtmf_server.core.rates import sats_for
from dtmf_server.core.units import DAY_US, MINUTE_US

MICROS = 1_000_000
NOTICE_US = 7 * DAY_US


@dataclass(frozen=True, slots=True)
class Peg:
    """The price of one bitcoin in a currency, and when it was confirmed."""

    currency: str
    rate: Decimal
    at_wall_us: int


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """For how many days the price of a new rental applies, and when the rate of its group must have been confirmed."""

    days: int = 30
    rate_after_wall_us: int = 0


DEFAULT_TERMS = PriceTerms()


def sats(micros: int, rate: Decimal) -> int:
    """Return a price in satoshis, at this price of one bitcoin. Raises ValueError if that is more than all bitcoins."""
    return sats_for(Decimal(micros) / MICROS, rate) if micros else 0


def change_at_us(rental: LiveRental, *, until_us: int, now_us: int) -> int:
    """Return when a price that is announced now applies: not before `until_us`, nor within 7 days."""
    from_us = rental.started_at_us + rental.priced_minutes * MINUTE_US
    step_us = MINUTE_US if rental.monthly_cap is None else PERIOD_US
    earliest_us = max(until_us, now_us + NOTICE_US)
    return from_us - (from_us - earliest_us) // step_us * step_us
