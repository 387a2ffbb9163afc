"""The meter and the daily chores: rentals out of money end, minutes are booked, old texts are erased."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from dtmf_server.core.billing import LOOK_EVERY_US
from dtmf_server.core.repeats import Repeats
from dtmf_server.operations import close_account, meter, retention, sign_in
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Tx
from dtmf_server.workers.supervisor import wait_for

log = logging.getLogger("dtmf.meter")

LOOK_AGAIN_S = LOOK_EVERY_US / 2 / 1_000_000
CHORES_EVERY_S = 600.0
SCRUB_AGAIN_S = 30.0  # while something reads an older state of the database
CLOCKS_APART_US = 3_600_000_000


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


async def run_meter(runtime: Runtime, guard: ClockGuard) -> None:
    """Settles accounts when they are due; sleeps until the next one is. Pauses while the clock can't be trusted."""
    db, clock, settings = runtime.db, runtime.clock, runtime.settings
    woken, jumps = db.wakeups.listen("meter"), Repeats()

    def sweep(tx: Tx) -> int | None:
        """How many accounts were settled; None if the clock can't be trusted. Asked after the clock was read: a jump
        between the two would end rentals by the wrong time."""
        now_us = clock.now_us(tx)
        return None if guard.has_jumped() else meter.sweep(tx, now_us=now_us, rest_us=settings.rest_us)

    try:
        while True:
            woken.clear()
            due_us, now_us = await db.glance(lambda tx: (meter.next_due_us(tx), clock.now_us(tx)))
            swept = await db.write(sweep) if due_us is not None and due_us <= now_us else 0
            if swept is None or guard.has_jumped():
                reason = "the clock has jumped by more than an hour: the meter pauses until it is right again"
                if line := jumps.failed(reason, now_s=time.monotonic()):
                    log.error("%s", line)
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            if lasted := jumps.worked(now_s=time.monotonic()):
                log.warning("the clock is right again and the meter goes on, after %s", lasted)
            if not swept:
                until_due_s = LOOK_AGAIN_S if due_us is None else (due_us - now_us) / 1_000_000
                await wait_for(woken, timeout_s=max(0.01, min(until_due_s, LOOK_AGAIN_S)))
    finally:
        db.wakeups.unlisten(woken)


async def run_chores(runtime: Runtime) -> None:
    """Erase texts that were kept long enough, from the database's files too; book what each rental took; continue deleting
    accounts where a process that ended left it; purge old idempotency keys and sessions that are over. Look at once when
    something was erased elsewhere."""
    db = runtime.db
    woken = db.wakeups.listen("erased")
    try:
        await _chores(runtime, woken)
    finally:
        db.wakeups.unlisten(woken)


async def _chores(runtime: Runtime, woken: asyncio.Event) -> None:
    db, clock, settings = runtime.db, runtime.clock, runtime.settings
    to_scrub = True  # a process that was killed may have left it to this one
    while True:
        to_scrub |= woken.is_set()
        woken.clear()
        while await db.write(lambda tx: retention.erase(tx, now_us=clock.now_us(tx), kept_us=settings.kept_us)):
            to_scrub = True
        while await db.write(lambda tx: meter.share_out(tx, now_us=clock.now_us(tx))):
            pass
        while await db.write(lambda tx: close_account.go_on(tx, rest_us=settings.rest_us)):
            to_scrub = True
        to_scrub |= bool(
            await db.write(partial(retention.forget_parts, wall_us=clock.wall_us(), kept_us=settings.kept_us))
        )
        to_scrub |= bool(await db.write(partial(retention.forget_idempotency_keys, wall_us=clock.wall_us())))
        await db.write(lambda tx: sign_in.forget(tx, wall_us=clock.wall_us()))
        to_scrub = to_scrub and not await db.scrub()
        await wait_for(woken, timeout_s=SCRUB_AGAIN_S if to_scrub else CHORES_EVERY_S)
