"""Retry SMS as soon as their carrier works again, instead of at their next scheduled attempt, which may be hours away."""

import asyncio
import time

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
    request can show whether it works, as after repeated failures, try one of them every PROBE_S."""
    was_up, probed_s = False, time.monotonic()
    while True:
        is_up = is_working(carrier)
        try:
            if is_up and not was_up:
                routes.recoveries += 1  # first: an attempt that fails from now on sees it
                await _make_due(runtime, carrier.name)
            elif not is_up and carrier.can_submit() and time.monotonic() - probed_s >= PROBE_S:
                probed_s = time.monotonic()
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
    return carrier.can_submit() and (not links or any(link.state == "bound" for link in links))


async def _make_due(runtime: Runtime, name: str) -> None:
    """Make the SMS that wait for the carrier due, in portions, so that other transactions wait for none of them."""
    now_us = await runtime.db.read(runtime.clock.now_us)
    while await runtime.db.write(lambda tx: outbox.make_carrier_due(tx, name, now_us=now_us, limit=DUE_AT_ONCE)):
        pass
