"""What arrives on a connection before it is a request: bounded, and refused in the same form as everything else."""

import asyncio
import socket
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dtmf_server.api.one_write import OneWrite
from dtmf_server.api.problems import new_request_id, problem

HEAD_MAX_BYTES = 64 * 1024  # request line and headers; the parser itself would take any number
REQUEST_S = 30.0  # from its first byte, or from the connection's beginning, until a request is whole
STALLED_S = 60.0  # how long an answer may be left in the way before nobody is taken to read it
LINGER_S = 2.0  # how long what still arrives after a refusal is thrown away


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with bounds on the head of a request, on the time it takes to arrive and on the time nothing of
    its answer is taken, and problems for what is not HTTP. Between requests and while one is answered uvicorn's own bounds hold.
    """

    _head_bytes = 0  # of a head that is not whole
    _piece_bytes = 0  # of what is being parsed
    _received_bytes = 0  # of all pieces since the one that the last head ended in
    _in_head = False
    _unfinished = False
    _refused = False
    _too_slow: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Sends each piece of an answer at once: asyncio leaves that to the socket, which waits 40 ms for the next."""
        super().connection_made(cast(asyncio.Transport, OneWrite(transport, self.loop)))
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        self._in_time()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer takes no more of its answer."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has gone on."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def data_received(self, data: bytes) -> None:
        """Reads on, unless the head has grown too large."""
        if self._refused:
            return
        began_earlier = self._in_head
        self._piece_bytes = len(data)
        self._received_bytes += len(data)
        super().data_received(data)
        if self._unfinished and self._too_slow is None:  # most requests come whole, and need no timer
            self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)
        if not (began_earlier and self._in_head):
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._unfinished, self._head_bytes = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole; one too large is refused even if it came in one piece."""
        self._in_head = False
        received, self._received_bytes = self._received_bytes, self._piece_bytes
        if received > HEAD_MAX_BYTES and self._is_too_large():
            self._refuse_head()
            raise ValueError("the head is too large")  # stops the parser
        super().on_headers_complete()

    def _is_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_MAX_BYTES

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._unfinished = False
        self._in_time()
        super().on_message_complete()

    def _in_time(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _give_up(self) -> None:
        """The request takes too long. Who has not sent a byte, or is being answered, is hung up on without a word."""
        self._too_slow = None
        if self._in_head and (self.cycle is None or self.cycle.response_complete):
            detail = f"the request was not whole within {REQUEST_S:g} s"
            self._refuse(408, code="request_timeout", title="Request timeout", detail=detail)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser can't read."""
        detail = "this is not a request of HTTP/1.1: look at its method, its URL (ASCII, percent-encoded) and headers"
        self._refuse(400, code="bad_request", title="Bad request", detail=detail)

    def _refuse_head(self) -> None:
        detail = f"request line and headers have more than the {HEAD_MAX_BYTES:,} bytes that are read"
        self._refuse(431, code="head_too_large", title="Headers too large", detail=detail)

    def _refuse(self, status: int, *, code: str, title: str, detail: str) -> None:
        """Answers and hangs up: where the next request begins is not known. Closing with bytes unread would reset
        the connection and might take the answer with it: only our side is closed at first (RFC 9112 §9.6)."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        id_ = new_request_id()
        response = problem(status, code=code, title=title, detail=detail, members={"request_id": id_})
        body = response.content
        head = [
            STATUS_LINE[status].rstrip(),
            b"content-type: application/problem+json",
            b"content-length: %d" % len(body),
            b"x-request-id: " + id_.encode(),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)
