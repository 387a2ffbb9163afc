"""Posts to receivers on loopback, over plain HTTP."""

import asyncio
import ssl

from dtmf_server.core.webhook_url import Destination, parse
from dtmf_server.webhooks.client import Bounds, Outcome, WebhookClient
from support.webhook_receiver import receiving_raw

BODY = b'{"id": 1234, "e164": "+1234567890", "sender": "+1234", "content": "SMS text"}'
HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": "1514768461", "webhook-signature": "v1,x v1,y"}
BARE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # these posts are plain HTTP
USUAL, SHORT = Bounds(), Bounds(deadline_s=0.3)


def local(port: int, path: str = "/hook") -> Destination:
    return parse(f"http://127.0.0.1:{port}{path}", sandbox=True)


async def post_once(answer, *, bounds: Bounds = USUAL) -> Outcome:
    """The outcome of one post to a receiver that answers like this."""
    async with (
        receiving_raw(answer) as receiver,
        WebhookClient(sandbox=True, ssl_context=BARE, bounds=bounds) as poster,
    ):
        return await poster.post(local(receiver.port), BODY, HEADERS)


def dripping(start: bytes, drop: bytes):
    async def drip(writer):
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return drip


def flooding(start: bytes, block: bytes):
    async def flood(writer):
        writer.write(start)
        while True:
            writer.write(block)
            await writer.drain()

    return flood
