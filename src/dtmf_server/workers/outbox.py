"""The outbox: takes due deliveries and hands each to its webhook or carrier, many at a time."""

import asyncio
import logging
import random

from dtmf_server.carriers.base import Carrier, CarrierMessage, CarrierRefused
from dtmf_server.core import backoff
from dtmf_server.deliveries import webhook
from dtmf_server.deliveries.post import Poster
from dtmf_server.operations import deliver
from dtmf_server.operations.deliver import Outgoing, Work
from dtmf_server.runtime import Runtime
from dtmf_server.storage import outbox
from dtmf_server.workers.wait import wait_for

log = logging.getLogger("dtmf.outbox")

IN_FLIGHT_MAX = 256
LEASE_US = 60_000_000  # well above the 15 s an attempt may take
LOOK_AGAIN_S = 5.0
FORWARD_SEEN_US = 24 * 3_600_000_000  # how long a forwarded text is recognised when it comes back


async def run_outbox(runtime: Runtime, poster: Poster, carrier: Carrier) -> None:
    """Delivers until cancelled; what is under way then keeps its lease and is tried again after it."""
    db, clock = runtime.db, runtime.clock
    woken = db.wakeups.listen("deliveries")
    in_flight: set[asyncio.Task[None]] = set()

    def finished(task: asyncio.Task[None]) -> None:
        in_flight.discard(task)
        woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("an attempt failed in our own code; its lease runs out", exc_info=error)

    try:
        while True:
            woken.clear()
            room = IN_FLIGHT_MAX - len(in_flight)
            claimed: list[Work] = []
            if room:
                claimed = await db.write(
                    lambda tx, room=room: deliver.claim(  # type: ignore[misc]  # a lambda's default has no type
                        tx, now_us=clock.now_us(tx), wall_us=clock.wall_us(), lease_us=LEASE_US, limit=room
                    )
                )
            for work in claimed:
                task = asyncio.create_task(_attempt(runtime, poster, carrier, work))
                in_flight.add(task)
                task.add_done_callback(finished)
            if not claimed:
                await wait_for(woken, timeout_s=await _until_due_s(runtime))
            elif room == len(claimed):
                await woken.wait()
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
        db.wakeups.unlisten("deliveries", woken)


async def _until_due_s(runtime: Runtime) -> float:
    due_us, now_us = await runtime.db.read(lambda tx: (outbox.next_due_us(tx), runtime.clock.now_us(tx)))
    if due_us is None:
        return LOOK_AGAIN_S
    return min(max(0.001, (due_us - now_us) / 1_000_000), LOOK_AGAIN_S)


async def _attempt(runtime: Runtime, poster: Poster, carrier: Carrier, work: Work) -> None:
    if work.kind == "webhook":
        await _post(runtime, poster, work)
    else:
        await _submit(runtime, carrier, work)


async def _post(runtime: Runtime, poster: Poster, work: Work) -> None:
    """One POST to the renter's webhook, and what it means."""
    db, clock, settings = runtime.db, runtime.clock, runtime.settings
    outcome = await webhook.post(poster, work, sandbox=settings.sandbox)
    verdict = backoff.verdict(outcome.status, attempts=work.attempts)
    if verdict is backoff.Verdict.DELIVERED:
        await db.write(lambda tx: deliver.delivered(tx, work, now_us=clock.now_us(tx), status=outcome.status))
    elif verdict is backoff.Verdict.GONE:
        await db.write(
            lambda tx: deliver.switch_off(
                tx,
                work,
                reason="the receiver answered 410 Gone",
                now_us=clock.now_us(tx),
                rest_us=settings.rest_us,
            )
        )
    else:
        await _failed(runtime, work, verdict, outcome.reason, outcome.status, outcome.retry_after_s)


async def _submit(runtime: Runtime, carrier: Carrier, work: Work) -> None:
    """One SMS to the carrier, and what it means."""
    db, clock, settings = runtime.db, runtime.clock, runtime.settings
    outgoing: Outgoing | None = await db.write(
        lambda tx: deliver.outgoing(
            tx,
            work,
            now_us=clock.now_us(tx),
            rest_us=settings.rest_us,
            daily_limit=settings.daily_limit,
            forward_seen_us=FORWARD_SEEN_US,
        )
    )
    if outgoing is None:
        return
    message = CarrierMessage(outgoing.sender, outgoing.to, outgoing.text)
    try:
        await carrier.submit(outgoing.message_id, message)
    except CarrierRefused as refused:
        reason = refused.reason
        if refused.permanent:
            await db.write(
                lambda tx: deliver.refused_for_good(
                    tx,
                    work,
                    outgoing.message_id,
                    reason=reason,
                    now_us=clock.now_us(tx),
                    rest_us=settings.rest_us,
                )
            )
        else:
            await _failed(runtime, work, backoff.Verdict.RETRY, reason, None, None)
        return
    await db.write(
        lambda tx: deliver.handed_over(tx, work, outgoing.message_id, now_us=clock.now_us(tx), rest_us=settings.rest_us)
    )


async def _failed(
    runtime: Runtime,
    work: Work,
    verdict: backoff.Verdict,
    reason: str,
    status: int | None,
    retry_after_s: int | None,
) -> None:
    uniform = random.random()  # noqa: S311 - jitter is no secret
    await runtime.db.write(
        lambda tx: deliver.not_delivered(
            tx,
            work,
            verdict=verdict,
            reason=reason,
            status=status,
            retry_after_s=retry_after_s,
            uniform=uniform,
            now_us=runtime.clock.now_us(tx),
        )
    )
