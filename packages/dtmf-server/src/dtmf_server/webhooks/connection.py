"""One connection to a receiver: a request, then its reply, of which so many octets are read and no more.

Rules:
1. What counts is what comes over the wire: interim answers (1xx), headers and the sizes of chunks like the body. Of
   what is dear to parse, little is read: a few interim answers at once, some hundred header fields, some hundred
   pieces of a body beyond what is kept. A flood of them would hold up everybody else.
2. A status stands once its head is complete, whatever comes behind it. A connection on which more comes than was asked
   for is not used again.
3. A body that is cut off ends there, as if its receiver had ended it; without a length it ends with the connection.
4. What llhttp lets pass for lenience's sake is what browsers do: a receiver that took the message must be understood.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

READ_BYTES, KEPT_BYTES = 64 * 1024, 1024
HEADS = 16  # of those that come at once, the last one has to be the answer
PARTS = 512  # header fields, of which most servers send a hundred at most, and pieces of a body that are not kept

_CLOSED = "the receiver closed the connection without an answer"
_SWITCHING_PROTOCOLS = 101  # of the interim ones the only one that nothing follows


class NoReply(Exception):
    """There is no reply, or it broke off; says why in words."""


@dataclass(slots=True)
class Reply:
    """What has come so far."""

    status: int | None = None
    retry_after: str = ""
    body: bytes = b""  # its first KEPT_BYTES


class Connection(asyncio.Protocol):
    """An open connection, made by the event loop's `create_connection`."""

    def __init__(self) -> None:
        self.opened_s = asyncio.get_running_loop().time()
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None  # of the exchange under way, or of the last one
        self._keeps = False
        self._parser = HttpResponseParser(self)  # of one reply after another: none follows one that was broken off
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent."""
        return self._keeps and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, reply: Reply) -> None:
        """Sends a request and fills `reply`. Raises NoReply, after which `reply` has what came until then."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise NoReply(_CLOSED)
        self._reply, self._room, self._parts, self._keeps = reply, READ_BYTES, PARTS, False
        self._has_length, self._retry_after = False, b""
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done

    def close(self) -> None:
        """Hangs up, at once."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Reads what came."""
        if self._is_done:  # nobody has asked for it
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
            too_much = NoReply(f"{READ_BYTES // 1024} KiB came from the receiver, and no answer")
            self._break_off(too_much if self._reply.status is None else None)

    def connection_lost(self, error: Exception | None) -> None:
        """It is over; so is a reply without a length."""
        is_whole = self._done is not None and self._reply.status is not None and not self._has_length and error is None
        self._break_off(None if is_whole else NoReply(_CLOSED))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A reply begins; one behind the reply that was asked for is one too many."""
        self._has_length, self._retry_after = False, b""
        if self._reply.status is not None:
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._read_part()
        if b"\0" in value:
            raise ValueError("RFC 9110 §5.5: no NUL in a field")
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            self._has_length = True
        elif lower == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """Its head is there."""
        status = self._parser.get_status_code()
        self._heads += 1
        if self._reply.status is None and (status >= 200 or status == _SWITCHING_PROTOCOLS):
            self._reply.status, self._reply.retry_after = status, self._retry_after.decode("latin-1")
        elif self._reply.status is None and self._heads >= HEADS:
            self._break_off(NoReply("many interim answers came from the receiver, and no answer"))
            raise ValueError("enough of them")  # stops the parser

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if len(self._reply.body) >= KEPT_BYTES:
            self._read_part()
        elif not self._is_done:
            self._reply.body = (self._reply.body + body)[:KEPT_BYTES]

    def on_message_complete(self) -> None:
        """It is whole."""
        if self._reply.status is not None and not self._is_done:
            self._keeps = self._parser.should_keep_alive()
            self._end()

    def _read_part(self) -> None:
        self._parts -= 1
        if self._parts < 0:
            many = NoReply("many header fields came from the receiver, and no answer")
            self._break_off(many if self._reply.status is None else None)
            raise ValueError("enough of them")  # stops the parser

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
