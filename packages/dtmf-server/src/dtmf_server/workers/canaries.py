"""Send the SMS of the operator's tests (operations/canary.py), in the process that runs the carriers."""

import asyncio
from functools import partial

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, SmsCarrier
from dtmf_server.core import canary as canary_rules
from dtmf_server.operations import canary
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import canaries
from dtmf_server.storage.db import Row
from dtmf_server.workers.carrier_router import CarrierRouter

POLL_INTERVAL_S = 1.0
LINK_LOOKS, LINK_LOOK_S = 100, 0.1  # how often to look for a link that is being set up, as after a start


async def run_canaries(runtime: Runtime, routes: CarrierRouter) -> None:
    """Send each test once, until cancelled."""
    db = runtime.db
    while True:
        while await db.read_autocommit(canaries.is_waiting):
            run = await db.write(partial(canary.claim, wall_us=runtime.clock.wall_us()))
            if run:
                await _send(runtime, routes, run)
        await asyncio.sleep(POLL_INTERVAL_S)


async def _is_up(carrier: SmsCarrier) -> bool:
    """Wait a moment for the carrier's link. Return whether it is up."""
    for _ in range(LINK_LOOKS):
        if carrier.can_submit():
            return True
        await asyncio.sleep(LINK_LOOK_S)
    return False


async def _send(runtime: Runtime, routes: CarrierRouter, run: Row) -> None:
    message = CarrierMessage(run["sender"], run["e164"], run["text"])
    carrier = next((carrier for carrier in routes.carriers if carrier.name == run["sent_by"]), None)
    try:
        if carrier is None:
            raise CarrierRefused("the running service does not have this carrier: restart it", permanent=False)
        if not await _is_up(carrier):
            raise CarrierRefused("the carrier's link is down", permanent=False)
        await carrier.submit(canary_rules.FIRST_ID + run["id"], message)
    except CarrierRefused as error:
        record = partial(canary.submitted if error.in_doubt else canary.not_sent, reason=error.reason)
    else:
        record = partial(canary.submitted, reason="")
    await runtime.db.write(partial(record, id_=run["id"], wall_us=runtime.clock.wall_us()))
