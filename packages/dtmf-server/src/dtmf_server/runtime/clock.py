"""The service's clock. The sandbox's can be put forward: its offset lives in the database."""

import time
from collections.abc import Callable

from dtmf_server.storage import instance
from dtmf_server.storage.db import Tx


def wall_us() -> int:
    """Microseconds since 1970 UTC, by the machine's clock."""
    return time.time_ns() // 1000


class Clock:
    """Tells the time inside a transaction: the wall's, plus the sandbox's offset."""

    def __init__(self, *, sandbox: bool, wall: Callable[[], int] = wall_us) -> None:
        self._sandbox = sandbox
        self.wall_us = wall

    def now_us(self, tx: Tx) -> int:
        """The service's now."""
        return self.after_us(instance.clock_offset_us(tx) if self._sandbox else 0)

    def after_us(self, offset_us: int) -> int:
        """The service's now, to whom knows the sandbox's offset."""
        return self.wall_us() + (offset_us if self._sandbox else 0)
