"""A transport that coalesces writes within one turn of the event loop. uvicorn writes a response's head and body
separately, which would take two packets and two system calls."""

import asyncio
from typing import Any

HELD_MAX_BYTES = 16 * 1024  # more is sent immediately, so that the transport's flow control works


class CoalescingTransport:
    """Wraps a connection's transport; everything except writing is delegated to it.

    Data written while the connection is closing, on either side, is dropped: the peer may disconnect at any time, and
    callers need not handle that.
    """

    __slots__ = ("_ended", "_held", "_held_bytes", "_loop", "_transport", "sent_bytes")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._ended = False  # nothing may be written any more
        self.sent_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, at the end of this turn at the latest."""
        if self._ended:
            return
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_MAX_BYTES:
            self._send()

    def write_eof(self) -> None:
        """Flush, then close the writing side."""
        self._send()
        if not self._ended and not self._transport.is_closing():
            self._transport.write_eof()
        self._ended = True

    def close(self) -> None:
        """Flush, then close the connection."""
        self._send()
        self._ended = True
        self._transport.close()

    def pause_reading(self) -> None:
        """Pause reading."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _send(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held, self._held_bytes = [], 0
            if not self._transport.is_closing():
                self._transport.write(data)
                self.sent_bytes += len(data)
