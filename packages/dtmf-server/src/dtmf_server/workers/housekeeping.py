"""Housekeeping: erase expired texts, purge old idempotency keys and sessions."""

import asyncio
from functools import partial

from dtmf_server.operations import (
    canary,
    carrier_speed,
    catalog,
    close_account,
    daily_sums,
    meter,
    operator_sign_in,
    retention,
    sign_in,
)
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import ledger_days
from dtmf_server.workers.waiting import wait_for

CHORES_INTERVAL_S = 600.0
SCRUB_POLL_INTERVAL_S = 30.0  # retry interval while a reader holds an older snapshot


async def run_chores(runtime: Runtime) -> None:
    """Erase expired texts, also from the database's files; book each rental's minutes; count how rentals went; add
    transfers to the ledger's daily sums; resume account deletions that a stopped process left unfinished; purge old
    idempotency keys, records of API requests and expired sessions. Runs at once when another process has erased something."""
    db = runtime.db
    woken = db.wakeups.listen("erased")
    try:
        await _chores(runtime, woken)
    finally:
        db.wakeups.unlisten(woken)


async def _chores(runtime: Runtime, woken: asyncio.Event) -> None:
    db, clock, settings = runtime.db, runtime.clock, runtime.settings
    to_scrub = True  # a killed process may have left this undone
    settled, seen, seen_at = 0, 0, -CHORES_INTERVAL_S  # IDs of transfers, and when `seen` was the newest
    while True:
        to_scrub |= woken.is_set()
        woken.clear()
        while await db.write(
            lambda tx: retention.erase(tx, now_us=clock.now_us(tx), retention_us=settings.retention_us)
        ):
            to_scrub = True
        while await db.write(lambda tx: meter.share_out(tx, now_us=clock.now_us(tx))):
            pass
        while await db.write(lambda tx: catalog.count_outcomes(tx, now_us=clock.now_us(tx))):
            pass
        if (now := asyncio.get_running_loop().time()) >= seen_at + CHORES_INTERVAL_S:
            settled, seen, seen_at = seen, await db.read(ledger_days.newest_id), now
        while await db.write(partial(daily_sums.add, through=settled)):
            pass
        while await db.write(close_account.go_on):
            to_scrub = True
        to_scrub |= bool(
            await db.write(partial(retention.forget_parts, wall_us=clock.wall_us(), retention_us=settings.retention_us))
        )
        to_scrub |= bool(await db.write(partial(retention.forget_idempotency_keys, wall_us=clock.wall_us())))
        while await db.write(
            partial(retention.forget_requests, wall_us=clock.wall_us(), retention_us=settings.request_retention_us)
        ):
            pass
        await db.write(partial(carrier_speed.forget, wall_us=clock.wall_us()))
        await db.write(lambda tx: sign_in.forget(tx, wall_us=clock.wall_us()))
        await db.write(lambda tx: operator_sign_in.forget(tx, wall_us=clock.wall_us()))
        await db.write(lambda tx: canary.forget(tx, wall_us=clock.wall_us()))
        to_scrub = to_scrub and not await db.scrub()
        await wait_for(woken, timeout_s=SCRUB_POLL_INTERVAL_S if to_scrub else CHORES_INTERVAL_S)
