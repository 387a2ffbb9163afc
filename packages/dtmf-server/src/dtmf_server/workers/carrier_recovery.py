"""Retry SMS as soon as their carrier works again, instead of at their next scheduled attempt, which may be hours away."""

import asyncio
import time
from math import inf

from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.core.backoff import PROBE_S
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import outbox
from dtmf_server.workers.carrier_router import CarrierRouter

LOOK_S = 0.5
DUE_AT_ONCE = 500  # per transaction


async def retry_when_up(runtime: Runtime, carrier: SmsCarrier, routes: CarrierRouter) -> None:
    """Watch the carrier until cancelled. When it comes up, make the SMS that wait for it due, oldest first. While only a
    request can show whether it works, as after repeated failures, try one of them every PROBE_S.

    An outage shorter than PROBE_S is left to the schedule, whose first retries are that soon. Otherwise each request that
    fails alone would make everything due that the carrier refused for other reasons.
    """
    was_up, down_s, probed_s = False, -inf, time.monotonic()
    while True:
        is_up, now_s = is_working(carrier), time.monotonic()
        if was_up and not is_up:
            down_s, was_up = now_s, False
        try:
            if is_up and not was_up and now_s - down_s >= PROBE_S:
                routes.recoveries += 1  # first: an attempt that fails from now on sees it
                await _make_due(runtime, carrier)
            elif not is_up and carrier.can_submit() and now_s - probed_s >= PROBE_S:
                probed_s = now_s
                await runtime.db.write(
                    lambda tx: outbox.probe_carrier(tx, carrier.name, now_us=runtime.clock.now_us(tx))
                )
            was_up = is_up
        except StorageUnavailable:
            pass  # tried again with the next look
        await asyncio.sleep(LOOK_S)


def is_working(carrier: SmsCarrier) -> bool:
    """Return whether the carrier accepts SMS, and its last exchange did not fail."""
    links = carrier.traffic()
    submitting = [link for link in links if link.submits]
    return carrier.can_submit() and (not links or any(link.state == "bound" for link in submitting))


async def _make_due(runtime: Runtime, carrier: SmsCarrier) -> None:
    """While the carrier works, make the SMS that wait for it due, in portions, so that no other transaction waits long."""
    now_us = await runtime.db.read(runtime.clock.now_us)
    changed = DUE_AT_ONCE
    while changed and is_working(carrier):
        changed = await runtime.db.write(
            lambda tx: outbox.make_carrier_due(tx, carrier.name, now_us=now_us, limit=DUE_AT_ONCE)
        )
