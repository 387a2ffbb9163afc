"""How many deliveries transactions of this process may lease for its delivery worker.

An SMS that arrives through this process is leased as it is stored, which saves the transaction that would claim it. At
shutdown, `drain` waits for the transactions that still hold a lease.
"""

import asyncio
from collections.abc import Callable

from dtmf_server.core.units import MINUTE_US
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.storage.leases import Lease
from dtmf_server.workers.waiting import wait_for

LEASE_US = MINUTE_US  # well above the 15 s that an attempt may take
DRAIN_S = 5.0


class LeaseBudget:
    """The database's `LeaseHolder`: leases while it is open and there is room for more deliveries."""

    def __init__(
        self,
        *,
        wall_us: Callable[[], int],
        room: Callable[[], int],
        saturated: Callable[[], list[tuple[int, str]]],
        begin: Callable[[list[LeasedDelivery]], None],
    ) -> None:
        self.is_open = False  # only while no older delivery is due, which a leased one would overtake
        self._wall_us, self._room, self._saturated, self._begin = wall_us, room, saturated, begin
        self._lent = 0  # leases of open transactions
        self._drained = asyncio.Event()

    def lease(self) -> Lease | None:
        """Return the lease of a transaction that begins now; None if it may lease nothing."""
        room = self._room()
        if not self.is_open or room <= 0:
            return None
        self._lent += 1
        self._drained.clear()
        return Lease(self._wall_us() + LEASE_US, room, frozenset(self._saturated()))

    def end_lease(self, leased: list[LeasedDelivery]) -> None:
        """Begin the deliveries that a finished transaction leased."""
        self._lent -= 1
        self._begin(leased)
        if not self._lent:
            self._drained.set()

    async def drain(self) -> None:
        """Wait until no transaction holds a lease, 5 s at most."""
        if self._lent:
            await wait_for(self._drained, timeout_s=DRAIN_S)
