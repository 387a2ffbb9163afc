"""Guard against a wall clock that jumps."""

import time
from collections.abc import Callable

from dtmf_server.core.units import HOUR_US

CLOCKS_APART_US = HOUR_US


def _running_ns() -> int:
    """Read a clock that can't be set. It runs while the machine sleeps, so waking up isn't a jump."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockGuard:
    """Detects jumps of the wall clock since its creation by comparing it with a clock that can't be set."""

    def __init__(self, wall_us: Callable[[], int], monotonic_ns: Callable[[], int] = _running_ns) -> None:
        self._wall_us, self._monotonic_ns = wall_us, monotonic_ns
        self._apart_us = self._difference_us()

    def has_jumped(self) -> bool:
        """True if the clocks' difference has changed by more than an hour since the start."""
        return abs(self._difference_us() - self._apart_us) > CLOCKS_APART_US

    def _difference_us(self) -> int:
        return self._wall_us() - self._monotonic_ns() // 1000
