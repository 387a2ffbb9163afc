"""Keeps the prices of pegged groups at the current rate, and announces the next prices of their rentals. One process runs this
at a time."""

import asyncio
import logging
import time
from functools import partial

from dtmf_server.core.pegged import Peg
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.core.repeats import Repeats
from dtmf_server.operations import pegged
from dtmf_server.runtime.context import Rates, Runtime
from dtmf_server.storage.db import Tx
from dtmf_server.workers.clock_guard import ClockGuard

log = logging.getLogger("dtmf.prices")

INTERVAL_S = 30.0


async def run_prices(runtime: Runtime, rates: Rates, guard: ClockGuard) -> None:
    """Do passes until cancelled."""
    failures = Repeats()
    while True:
        try:
            await step(runtime, rates, guard)
        except RateUnavailable as error:
            reason = f"there is no usable rate for {rates.currency}, and prices stay as they are: {error}"
            if line := failures.failed(reason, now_s=time.monotonic()):
                log.error("%s", line)
        else:
            if lasted := failures.worked(now_s=time.monotonic()):
                log.warning("there is a rate for %s again, after %s", rates.currency, lasted)
        await asyncio.sleep(INTERVAL_S)


async def step(runtime: Runtime, rates: Rates, guard: ClockGuard) -> None:
    """Compute the prices of groups at the current rate, and announce what is due, in portions. Raises RateUnavailable."""
    db, clock = runtime.db, runtime.clock
    peg = Peg(rates.currency, await rates.current_rate(), clock.wall_us())
    await db.write(partial(pegged.refresh, peg=peg))

    def announce(tx: Tx) -> int:
        """Announce a portion, unless the clock can't be trusted."""
        now_us = clock.now_us(tx)
        return 0 if guard.has_jumped() else pegged.announce(tx, now_us=now_us, wall_us=clock.wall_us())

    while await db.write(announce):
        pass
