"""The rate of prices in a currency, for `groups|prices import --rate`."""

import argparse
import asyncio
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from dtmf_server.config import Prices
from dtmf_server.core import amounts
from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.rates import SATS_PER_BITCOIN, RateUnavailable
from dtmf_server.payments.rates import RateSource
from dtmf_server.runtime.clock import wall_us


def rate_or_currency(text: str) -> Decimal | str:
    """Return the value of --rate: satoshis per unit, or the code of a currency. Raises ArgumentTypeError."""
    if text.upper() in amounts.CURRENCIES:
        return text.upper()
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and 0 < rate <= SATS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of satoshis like 1500.5, nor a currency like EUR")
    return rate


def current(prices: Prices) -> Callable[[str], Decimal]:
    """Return a function that reads the satoshis of one unit of a currency from the rate source of `[prices]`. It raises
    ValueError with the reason."""

    def rate_of(currency: str) -> Decimal:
        if prices.currency != currency:
            raise ValueError(
                f"the rate source is for {prices.currency}" if prices.currency else "there is no rate source"
            )
        try:
            rate = asyncio.run(RateSource(prices, wall_us=wall_us).current_rate())
        except RateUnavailable as error:
            raise ValueError(str(error)) from None
        return SATS_PER_BITCOIN / rate

    return rate_of
