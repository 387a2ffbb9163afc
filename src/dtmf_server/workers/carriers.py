"""Carrier links: what they bring is stored before it is acknowledged, what they report moves messages on."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from dtmf_server.carriers.base import Carrier, CarrierMessage, NotStored, Receipt
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import send
from dtmf_server.operations.receive import Inbound, receive_many
from dtmf_server.runtime import Runtime

log = logging.getLogger("dtmf.carriers")


async def run_carrier(runtime: Runtime, carrier: Carrier) -> None:
    """Keeps the carrier's link up until cancelled."""
    db, clock, settings = runtime.db, runtime.clock, runtime.settings

    async def store(inbound: Sequence[Inbound]) -> None:
        await db.write(lambda tx: receive_many(tx, inbound, now_us=clock.now_us(tx), rest_us=settings.rest_us))

    async def receive(messages: Sequence[CarrierMessage]) -> None:
        await store_batch([Inbound(message.to, message.sender, message.text) for message in messages], store)

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


async def store_batch(inbound: Sequence[Inbound], store: Callable[[Sequence[Inbound]], Awaitable[None]]) -> None:
    """Stores SMS in one transaction, or each in its own if one of them breaks the batch.

    Raises NotStored with those that can't be stored, StorageUnavailable when nothing can be stored now.
    """
    try:
        await store(inbound)
    except StorageUnavailable:
        raise
    except Exception as error:
        log.error("a batch of %d SMS broke (%s): each is stored on its own", len(inbound), type(error).__name__)
        refused = [place for place, sms in enumerate(inbound) if not await _is_stored(sms, store)]
        if refused:
            raise NotStored(refused) from None


async def _is_stored(sms: Inbound, store: Callable[[Sequence[Inbound]], Awaitable[None]]) -> bool:
    try:
        await store([sms])
    except Exception as error:
        # The error's own words are kept out of the log: a database may quote the text in them.
        log.error("an SMS can't be stored and is not acknowledged (%s)", type(error).__name__)
        return False
    return True
