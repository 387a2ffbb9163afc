"""The server of `/mcp`: Streamable HTTP without sessions, one JSON response per POST.

Each request has its own server and its own client of the API, both bound to the request's token. Nothing outlives a
request, so a client that disconnects leaves nothing behind, and its call is cancelled."""

import logging
from collections.abc import Sequence

import anyio
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from dtmf import AsyncDTMF

from .in_process import App, InProcessTransport, Message, Receive, Scope, Send
from .server import build

BODY_MAX_BYTES = 64 * 1024  # the longest SMS, escaped, takes a fifth

logging.getLogger("mcp.server").setLevel(logging.ERROR)  # refusals are in the access log
logging.getLogger("mcp.shared").setLevel(logging.ERROR)


async def serve(
    app: App, scope: Scope, receive: Receive, send: Send, *, token: str, hosts: Sequence[str], origins: Sequence[str]
) -> None:
    """Serve a POST to /mcp for the holder of the token; the tools call `app`. Requests with a Host or an Origin that is not
    listed are refused, as the specification requires."""
    dtmf = AsyncDTMF(token, base_url="http://127.0.0.1", transport=InProcessTransport(app, scope))
    manager = StreamableHTTPSessionManager(
        build(dtmf),
        json_response=True,
        stateless=True,
        security_settings=TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=list(origins)),
        max_request_body_size=BODY_MAX_BYTES,
    )
    async with anyio.create_task_group() as serving:
        connection = _Connection(receive)

        async def answer() -> None:
            async with manager.run():
                await manager.handle_request(scope, connection.receive, send)
            serving.cancel_scope.cancel()

        serving.start_soon(answer)
        await connection.watch()
        serving.cancel_scope.cancel()


class _Connection:
    """The messages of a connection, read ahead, so that a disconnect is noticed while a tool runs."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._writer, self._reader = anyio.create_memory_object_stream[Message](1)

    async def watch(self) -> None:
        """Pass on messages until the client disconnects."""
        with self._writer, self._reader:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return
                await self._writer.send(message)

    async def receive(self) -> Message:
        """Return the next message."""
        return await self._reader.receive()
