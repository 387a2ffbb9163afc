"""A connection to a receiver: one request, then its reply, read up to a limit.

Rules:
1. The limit counts all bytes on the wire: interim responses (1xx), headers and chunk sizes as well as the body. Parts
   that are expensive to parse have their own limits: a few interim responses at once, some hundred header fields, some
   hundred body pieces beyond what is stored. A flood of them would delay all other deliveries.
2. A status is final once its head is complete, whatever follows. A connection that receives more than one reply is not
   reused.
3. A body over the limit ends there, as if the receiver had ended it. A body without a length ends with the connection.
4. llhttp's lenient modes match what browsers accept: a receiver that took the message must be understood.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

READ_BYTES, KEPT_BYTES = 64 * 1024, 1024
HEADS = 16  # response heads in one read, of which the last must be final
PARTS = 512  # header fields (most servers send fewer than 100), plus body pieces that are not stored

_CLOSED = "the receiver closed the connection without an answer"
_SWITCHING_PROTOCOLS = 101  # the only interim status that no response follows


class NoReply(Exception):
    """The reply is missing or incomplete; the message says why."""


@dataclass(slots=True)
class Reply:
    """The part of the reply received so far."""

    status: int | None = None
    retry_after: str = ""
    body: bytes = b""  # its first KEPT_BYTES


class Connection(asyncio.Protocol):
    """An open connection, created by the event loop's `create_connection`."""

    def __init__(self) -> None:
        self.opened_s = asyncio.get_running_loop().time()
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None  # of the current or last exchange
        self._keeps = False
        self._parser = HttpResponseParser(self)  # parses consecutive replies; unused after an incomplete one
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def is_reusable(self) -> bool:
        """True if another request may be sent."""
        return self._keeps and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, reply: Reply) -> None:
        """Send a request and fill `reply`. Raises NoReply; `reply` then has what was received before."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise NoReply(_CLOSED)
        self._reply, self._room, self._parts, self._keeps = reply, READ_BYTES, PARTS, False
        self._has_length, self._retry_after = False, b""
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done

    def close(self) -> None:
        """Close the connection immediately."""
        if self._transport is not None:
            self._transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transport isn't a subclass

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        if self._is_done:  # unsolicited data
            self.close()
            return
        read = data[: self._room]
        self._room -= len(read)
        self._heads = 0
        try:
            self._parser.feed_data(read)
        except HttpParserUpgrade:
            self._break_off(None)
        except HttpParserError:
            self._break_off(NoReply("the receiver's answer is not HTTP/1.1"))
        if len(read) < len(data):
            too_much = NoReply(f"{READ_BYTES // 1024} KiB came from the receiver, but no answer")
            self._break_off(too_much if self._reply.status is None else None)

    def connection_lost(self, error: Exception | None) -> None:
        """End the exchange. A reply without a length is complete now."""
        is_whole = self._done is not None and self._reply.status is not None and not self._has_length and error is None
        self._break_off(None if is_whole else NoReply(_CLOSED))

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Start a reply. Don't reuse a connection that sends more than one."""
        self._has_length, self._retry_after = False, b""
        if self._reply.status is not None:
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header field."""
        self._read_part()
        if b"\0" in value:
            raise ValueError("RFC 9110 §5.5: no NUL in a field")
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            self._has_length = True
        elif lower == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """Read the status; stop after too many interim responses."""
        status = self._parser.get_status_code()
        self._heads += 1
        if self._reply.status is None and (status >= 200 or status == _SWITCHING_PROTOCOLS):
            self._reply.status, self._reply.retry_after = status, self._retry_after.decode("latin-1")
        elif self._reply.status is None and self._heads >= HEADS:
            self._break_off(NoReply("many interim answers came from the receiver, but no final one"))
            raise ValueError("too many of them")  # stops the parser

    def on_body(self, body: bytes) -> None:
        """Store the first KEPT_BYTES of the body; count further pieces."""
        if len(self._reply.body) >= KEPT_BYTES:
            self._read_part()
        elif not self._is_done:
            self._reply.body = (self._reply.body + body)[:KEPT_BYTES]

    def on_message_complete(self) -> None:
        """End the exchange; keep the connection if HTTP allows."""
        if self._reply.status is not None and not self._is_done:
            self._keeps = self._parser.should_keep_alive()
            self._end()

    def _read_part(self) -> None:
        self._parts -= 1
        if self._parts < 0:
            many = NoReply("many header fields came from the receiver, but no answer")
            self._break_off(many if self._reply.status is None else None)
            raise ValueError("too many of them")  # stops the parser

    def _break_off(self, error: NoReply | None) -> None:
        self._keeps = False
        self._end(error)

    @property
    def _is_done(self) -> bool:
        return self._done is None or self._done.done()

    def _end(self, error: NoReply | None = None) -> None:
        if self._done is None or self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
