"""The rate of `[prices]` for short commands: the rate itself, and the output of `dtmf-server doctor` about it."""

import asyncio

from dtmf_server.config import Config
from dtmf_server.core.pegged import Peg
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.core.units import MINUTE_US
from dtmf_server.payments.rates import RateSource
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import group_prices
from dtmf_server.storage.db import Tx

REFRESHED_US = 10 * MINUTE_US  # the service confirms the rate of pegged groups more often than that


def current_peg(configuration: Config) -> Peg | None:
    """Return the current rate; None without a currency, or if there is no usable rate."""
    if configuration.prices.currency is None:
        return None
    source = RateSource(configuration.prices, wall_us=wall_us)
    try:
        return Peg(source.currency, asyncio.run(source.current_rate()), wall_us())
    except RateUnavailable:
        return None


def complaints(configuration: Config) -> list[str]:
    """Describe why there is no usable rate, if a currency is configured."""
    if configuration.prices.currency is None:
        return []
    source = RateSource(configuration.prices, wall_us=wall_us)
    try:
        asyncio.run(source.current_rate())
    except RateUnavailable as error:
        return [f"amounts in {source.currency} are refused, and prices in it do not change: {error}"]
    return []


def group_complaints(tx: Tx, configuration: Config, *, at_wall_us: int) -> list[str]:
    """Describe which pegged groups do not follow the rate."""
    found = []
    for group in group_prices.pegged(tx):
        if group["currency"] != configuration.prices.currency:
            found.append(f"group {group['id']} has prices in {group['currency']}, which is not prices.currency")
        elif (age_us := at_wall_us - group["rate_at_wall_us"]) > REFRESHED_US:
            found.append(f"the prices of group {group['id']} are those of {age_us // MINUTE_US} minutes ago")
    return found
