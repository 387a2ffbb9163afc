"""Rate limits per token and per address: in-process token buckets on the monotonic clock."""

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

KEYS_MAX = 100_000  # bounds memory under a flood of addresses; the least recently used is dropped first


class RateLimit:
    """A rate limit: allows `burst` requests of a key at once and `per_second` on average."""

    def __init__(self, *, per_second: float, burst: int, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._monotonic_s = per_second, burst, monotonic_s
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # tokens left, when

    def retry_after_s(self, key: bytes) -> int:
        """Count a request. Return 0 if it is allowed, or else the seconds to wait."""
        left, now_s = self._left(key)
        wait_s = self._wait_s(left)
        self._buckets.pop(key, None)
        self._buckets[key] = (left if wait_s else left - 1, now_s)
        if len(self._buckets) > KEYS_MAX:
            self._buckets.popitem(last=False)
        return wait_s

    def wait_s(self, key: bytes) -> int:
        """Like `retry_after_s`, without counting a request."""
        return self._wait_s(self._left(key)[0])

    def _left(self, key: bytes) -> tuple[float, float]:
        now_s = self._monotonic_s()
        left, at_s = self._buckets.get(key, (float(self._burst), now_s))
        return min(self._burst, left + (now_s - at_s) * self._per_second), now_s

    def _wait_s(self, left: float) -> int:
        return 0 if left >= 1 else ceil((1 - left) / self._per_second)
