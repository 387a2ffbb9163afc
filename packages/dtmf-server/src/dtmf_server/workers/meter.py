"""The meter: settles accounts and ends rentals that the balance no longer covers."""

import asyncio
import logging
import time

from dtmf_server.core.billing import POLL_INTERVAL_US
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import meter, rental_refunds, tokens
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import tokens as stored_tokens
from dtmf_server.storage.db import Tx
from dtmf_server.workers.clock_guard import ClockGuard
from dtmf_server.workers.waiting import wait_for

log = logging.getLogger("dtmf.meter")

POLL_INTERVAL_S = POLL_INTERVAL_US / 2 / SECOND_US


async def run_meter(runtime: Runtime, guard: ClockGuard) -> None:
    """Settle accounts when they are due; sleep until the next one is. Pauses while the clock can't be trusted."""
    db, clock, caps = runtime.db, runtime.clock, runtime.settings.refund_caps
    woken, jumps = db.wakeups.listen("meter"), Repeats()

    def sweep(tx: Tx) -> int | None:
        """Return how many accounts were settled; None if the clock can't be trusted. Checks for a jump after reading the
        clock: a jump in between would end rentals at the wrong time."""
        now_us = clock.now_us(tx)
        return None if guard.has_jumped() else meter.sweep(tx, now_us=now_us)

    def decide_refunds(tx: Tx) -> None:
        """Decide refunds of rentals that ended, unless the clock can't be trusted."""
        now_us = clock.now_us(tx)
        if not guard.has_jumped():
            rental_refunds.decide_due(tx, caps=caps, now_us=now_us)

    def expire(tx: Tx) -> bool:
        """End a token that has expired, unless the clock can't be trusted. Return False if there is none."""
        wall_us = clock.wall_us()
        return not guard.has_jumped() and tokens.expire(tx, now_us=clock.now_us(tx), wall_us=wall_us)

    try:
        while True:
            woken.clear()
            due_us, now_us, expiry_us, unused = await db.read_autocommit(
                lambda tx: (
                    *(meter.next_due_us(tx), clock.now_us(tx)),
                    *(stored_tokens.next_expiry_wall_us(tx), rental_refunds.is_due(tx)),
                )
            )
            expired = expiry_us is not None and expiry_us <= clock.wall_us() and await db.write(expire)
            if unused:
                await db.write(decide_refunds)
            swept = await db.write(sweep) if due_us is not None and due_us <= now_us else 0
            if swept is None or guard.has_jumped():
                reason = "the clock has jumped by more than an hour: the meter pauses until it is correct again"
                if line := jumps.failed(reason, now_s=time.monotonic()):
                    log.error("%s", line)
                await asyncio.sleep(POLL_INTERVAL_S)
                continue
            if lasted := jumps.worked(now_s=time.monotonic()):
                log.warning("the clock is correct again and the meter resumes, after %s", lasted)
            if not swept and not expired:
                due = [] if due_us is None else [due_us - now_us]
                due += [] if expiry_us is None else [expiry_us - clock.wall_us()]
                await wait_for(woken, timeout_s=max(0.01, min([POLL_INTERVAL_S, *(us / SECOND_US for us in due)])))
    finally:
        db.wakeups.unlisten(woken)
