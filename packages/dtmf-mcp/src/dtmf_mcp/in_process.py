"""A transport of AsyncDTMF that calls an ASGI application in the same process: the service's own API, without a network."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dtmf.transport import Reply, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class InProcessTransport:
    """Sends requests to the application as if from the client of `outer`, the request being served."""

    def __init__(self, app: App, outer: Scope) -> None:
        self._app = app
        self._outer = outer

    async def send(self, request: Request) -> Reply:
        """Return the application's reply."""
        waiting = [{"type": "http.request", "body": request.body, "more_body": False}]
        status, headers, body = 500, {}, bytearray()

        async def receive() -> Message:
            if waiting:
                return waiting.pop()
            await asyncio.Event().wait()  # the client stays connected; cancelling the call ends the wait
            raise AssertionError

        async def collect(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
                }
            else:
                body.extend(message.get("body", b""))

        await self._app(self._scope(request), receive, collect)
        return Reply(status=status, headers=headers, body=bytes(body))

    def _scope(self, request: Request) -> Scope:
        path, _, query = request.path.partition("?")
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        if request.body:
            headers.append((b"content-length", str(len(request.body)).encode()))
        return {
            **{name: self._outer[name] for name in ("type", "asgi", "http_version", "scheme", "client", "server")},
            "method": request.method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "state": dict(self._outer["state"]),
        }
