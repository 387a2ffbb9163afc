"""Guard against a wall clock that jumps."""

import time
from collections.abc import Callable

from dtmf_server.core.units import HOUR_US

CLOCKS_APART_US = HOUR_US


def _running_ns() -> int:
    """A clock that nobody sets; one that goes on while the machine sleeps, so that waking up is no jump."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockGuard:
    """Notices when the wall's clock jumps: it is held against one that nobody can set, from its making on."""

    def __init__(self, wall_us: Callable[[], int], monotonic_ns: Callable[[], int] = _running_ns) -> None:
        self._wall_us, self._monotonic_ns = wall_us, monotonic_ns
        self._apart_us = self._difference_us()

    def has_jumped(self) -> bool:
        """Whether the clocks are more than an hour further apart, or nearer, than at the start."""
        return abs(self._difference_us() - self._apart_us) > CLOCKS_APART_US

    def _difference_us(self) -> int:
        return self._wall_us() - self._monotonic_ns() // 1000
