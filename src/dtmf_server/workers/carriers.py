"""Carrier links: what they bring is stored before it is acknowledged, what they report moves messages on."""

import logging
from collections.abc import Sequence

from dtmf_server.carriers.base import Carrier, CarrierMessage, Receipt
from dtmf_server.operations import send
from dtmf_server.operations.receive import Inbound, receive_many
from dtmf_server.runtime import Runtime

log = logging.getLogger("dtmf.carriers")


async def run_carrier(runtime: Runtime, carrier: Carrier) -> None:
    """Keeps the carrier's link up until cancelled."""
    db, clock, settings = runtime.db, runtime.clock, runtime.settings

    async def receive(messages: Sequence[CarrierMessage]) -> None:
        inbound = [Inbound(message.to, message.sender, message.text) for message in messages]
        await db.write(lambda tx: receive_many(tx, inbound, now_us=clock.now_us(tx), rest_us=settings.rest_us))

    async def report(receipt: Receipt) -> None:
        message_id = int(receipt.ref)
        if receipt.delivered:
            await db.write(lambda tx: send.delivered(tx, message_id, now_us=clock.now_us(tx), rest_us=settings.rest_us))
        else:
            await db.write(
                lambda tx: send.failed(
                    tx,
                    message_id,
                    reason=receipt.reason,
                    now_us=clock.now_us(tx),
                    rest_us=settings.rest_us,
                )
            )

    await carrier.run(receive, report)
