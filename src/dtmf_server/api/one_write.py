"""A transport that sends what is written in one turn of the event loop together: uvicorn writes the head of an answer and
its body one after the other, which would be two packets and two system calls."""

import asyncio
from typing import Any

HELD_MAX_BYTES = 16 * 1024  # more is sent at once, so that the transport can say when it is full


class OneWrite:
    """Stands for the transport of a connection; what is not about writing is the transport's own."""

    __slots__ = ("_held", "_held_bytes", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends it, at the end of this turn at the latest."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_MAX_BYTES:
            self._send()

    def write_eof(self) -> None:
        """Sends what is held, then the end of our side."""
        self._send()
        self._transport.write_eof()

    def close(self) -> None:
        """Sends what is held, then hangs up."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held, self._held_bytes = [], 0
            self._transport.write(data)
