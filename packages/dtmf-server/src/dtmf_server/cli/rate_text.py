"""The output of `dtmf-server doctor` about the rate of `[prices]`."""

import asyncio

from dtmf_server.config import Config
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.payments.rates import RateSource
from dtmf_server.runtime.clock import wall_us


def complaints(configuration: Config) -> list[str]:
    """Describe why there is no usable rate, if a currency is configured."""
    if configuration.prices.currency is None:
        return []
    source = RateSource(configuration.prices, wall_us=wall_us)
    try:
        asyncio.run(source.current_rate())
    except RateUnavailable as error:
        return [f"amounts in {source.currency} are refused: {error}"]
    return []
