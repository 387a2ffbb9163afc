"""The service's clock. The sandbox's clock can be fast-forwarded: its offset is stored in the database."""

import time
from collections.abc import Callable

from dtmf_server.storage import instance
from dtmf_server.storage.db import Tx


def wall_us() -> int:
    """Return microseconds since 1970 UTC, by the system clock."""
    return time.time_ns() // 1000


class Clock:
    """The time inside a transaction: the wall clock plus the sandbox's offset."""

    def __init__(self, *, sandbox: bool, wall: Callable[[], int] = wall_us) -> None:
        self._sandbox = sandbox
        self.wall_us = wall

    def now_us(self, tx: Tx) -> int:
        """Return the current time of the service."""
        return self.after_us(instance.clock_offset_us(tx) if self._sandbox else 0)

    def after_us(self, offset_us: int) -> int:
        """Return the current time of the service, given the sandbox's offset."""
        return self.wall_us() + (offset_us if self._sandbox else 0)
