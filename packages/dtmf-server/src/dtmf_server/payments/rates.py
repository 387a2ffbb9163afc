"""The source of the price of one bitcoin in the operator's currency: a file, or HTTP with a JSON pointer.

A rate is used only if it is a finite number within the configured bounds, and not older than `rate_max_age_s`. Without one,
amounts in the currency are refused; amounts in satoshis always work. The age of a file is that of its last change.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from dtmf_server.config import Prices
from dtmf_server.core.rates import SOURCE_MAX_BYTES, RateUnavailable, parse_rate
from dtmf_server.payments.lightning.base import NodeUnavailable
from dtmf_server.payments.lightning.node_api import NodeApi

REFRESH_S, RETRY_S = 60.0, 10.0  # how long a rate is used before the next is read, and a failure before the next try
TIMEOUT_S = 10.0
AHEAD_MAX_US = 60_000_000  # of a file's time, which may come from another machine's clock


@dataclass(frozen=True, slots=True)
class _Read:
    rate: Decimal
    at_us: int


class RateSource:
    """The rate source of `[prices]`. `wall_us` is the real time, `monotonic_s` that of the caches."""

    def __init__(
        self, prices: Prices, *, wall_us: Callable[[], int], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        assert prices.currency, "without a currency there is no rate"
        self._prices, self._wall_us, self._monotonic_s = prices, wall_us, monotonic_s
        self.currency = prices.currency
        self._last: _Read | None = None
        self._failure = ""
        self._next_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def current_rate(self) -> Decimal:
        """Return the price of one bitcoin, read at most a minute ago, or, while the source fails, the last one that is
        not too old. Raises RateUnavailable."""
        if self._monotonic_s() >= self._next_s:
            await self._refreshed()
        if self._last is None:
            raise RateUnavailable(self._failure)
        age_s = (self._wall_us() - self._last.at_us) // 1_000_000
        if age_s > self._prices.rate_max_age_s:
            cause = f": {self._failure}" if self._failure else ""
            raise RateUnavailable(
                f"the rate is {age_s} s old, and prices.rate_max_age_s is {self._prices.rate_max_age_s}{cause}"
            )
        return self._last.rate

    async def _refreshed(self) -> None:
        """Wait until the source is read. All callers share one read, which continues when they stop
        waiting; otherwise, pages would never have the rate of a source slower than their timeout."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh())
        await asyncio.shield(self._reading)

    async def _refresh(self) -> None:
        try:
            self._last, self._failure = await self._read(), ""
            self._next_s = self._monotonic_s() + REFRESH_S
        except RateUnavailable as error:
            self._failure, self._next_s = str(error), self._monotonic_s() + RETRY_S

    async def _read(self) -> _Read:
        prices = self._prices
        if prices.rate_file is not None:
            name, (text, at_us) = f"prices.rate_file {prices.rate_file}", _file(Path(prices.rate_file))
            if at_us > self._wall_us() + AHEAD_MAX_US:  # it would not become too old for as long
                raise RateUnavailable(f"{name} has a time of change in the future: check the clocks")
        else:
            assert prices.rate_url is not None, "config.load checks that one of them is set"
            name, (text, at_us) = "the reply of prices.rate_url", (await _fetch(prices.rate_url), self._wall_us())
        try:
            rate = parse_rate(text, prices.rate_pointer)
        except ValueError as error:
            raise RateUnavailable(f"{name} {error}") from error
        if not Decimal(str(prices.rate_min)) <= rate <= Decimal(str(prices.rate_max)):
            bounds = f"{prices.rate_min:g} to {prices.rate_max:g}"
            raise RateUnavailable(f"{name} has the rate {rate}, outside of {bounds}: see prices.rate_min and rate_max")
        return _Read(rate, at_us)


def _file(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(SOURCE_MAX_BYTES + 1), path.stat().st_mtime_ns // 1000
    except OSError as error:
        raise RateUnavailable(f"prices.rate_file {path}: {error.strerror or error}") from error


async def _fetch(url: str) -> bytes:
    origin, path = _split(url)
    api = NodeApi(origin, headers={"User-Agent": "dtmf-server"}, setting="prices.rate_url")
    try:
        reply = await api.request("GET", path, timeout_s=TIMEOUT_S)
    except NodeUnavailable as error:
        raise RateUnavailable(f"prices.rate_url: {error.reason}") from error
    finally:
        await api.aclose()
    if not 200 <= reply.status < 300:
        raise RateUnavailable(f"prices.rate_url answered with status {reply.status}")
    return reply.body


def _split(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", f"{slash}{path}" or "/"
