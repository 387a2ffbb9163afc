"""What arrives on a connection before it is a request: bounded, and refused in the same form as everything else."""

import asyncio
import logging
import re
import socket
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from dtmf_server.api.problems import new_request_id, problem
from dtmf_server.asgi.write_buffer import CoalescingTransport
from dtmf_server.runtime.logging import request_id

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

log = logging.getLogger("dtmf.access.limited")

HEAD_MAX_BYTES = 64 * 1024  # request line and headers; the parser itself would take any number
REQUEST_S = 30.0  # from its first byte, or from the connection's beginning, until a request is whole
STALLED_S = 60.0  # how long an answer may be left in the way before nobody is taken to read it
LINGER_S = 2.0  # how long what still arrives after a refusal is thrown away
# How long a connection stays open on which the peer has ended its side and nothing is sent. It may have hung up: TCP
# does not say which until something is sent (RFC 9293 §3.6).
HALF_CLOSED_S = 5.0

# RFC 3986 §3.2.2, not empty (RFC 9110 §4.2.1), and a port.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with bounds on the head of a request, on the time it takes to arrive and on the time nothing of
    its answer is taken, and problems for what is not HTTP. Between requests and while one is answered uvicorn's own bounds hold.

    Requests may be pipelined: they are answered one after the other, and a refusal waits for the answers before it. A peer
    that ends its side gets the answers to the requests it has sent whole.
    """

    _head_bytes = 0  # of a head that is not whole
    _piece_bytes = 0  # of what is being parsed
    _received_bytes = 0  # of all pieces since the one that the last head ended in
    _in_head = False
    _in_body = False
    _unfinished = False
    _refused = False
    _refusal: bytes | None = None  # not sent yet
    _answering: RequestResponseCycle | None = None
    _too_slow: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _half_closed: asyncio.TimerHandle | None = None
    transport: CoalescingTransport  # type: ignore[assignment]  # as in uvicorn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Sends each piece of an answer at once: asyncio leaves that to the socket, which waits 40 ms for the next."""
        super().connection_made(cast(asyncio.Transport, CoalescingTransport(transport, self.loop)))
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone: every request that it has sent learns of it, while uvicorn tells the last one only."""
        self._in_time()
        self._taken()
        if self._half_closed is not None:
            self._half_closed.cancel()
        self._refused, self._refusal = True, None
        for cycle in (self._answering, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None:
                _withdraw(cycle)
        self.pipeline.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's type, not uvicorn's
        """Keep the connection open while a request that arrived whole has no answer yet."""
        self._in_time()
        if self._in_body:
            self._withdraw_unfinished()
        self._refused = True  # no byte comes any more
        if not self._is_answering():
            self.transport.close()  # sends an answer of this turn of the event loop first
            return False
        self._half_closed = self.loop.call_later(HALF_CLOSED_S, self._end_half_closed, self.transport.sent_bytes)
        return True

    def _end_half_closed(self, sent_bytes: int) -> None:
        """Hang up, unless something was sent meanwhile, or waits for a slow reader, which `_stalled` bounds."""
        if self.transport.sent_bytes == sent_bytes and self._stalled is None:
            self.transport.abort()
            return
        self._half_closed = self.loop.call_later(HALF_CLOSED_S, self._end_half_closed, self.transport.sent_bytes)

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
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._unfinished and self._too_slow is None:  # most requests come whole, and need no timer
            self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)
        if not (began_earlier and self._in_head):
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse_head()

    def _parse(self, data: bytes) -> None:
        """Feeds the parser. An offer to upgrade is not taken up: what follows is HTTP/1.1 still (RFC 9110 §7.8)."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("")
                return
            else:
                return

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._in_body, self._unfinished, self._head_bytes = True, False, True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, without the blanks after its value, which the parser leaves there."""
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Its head is whole; one too large is refused even if it came in one piece."""
        self._in_head = False
        received, self._received_bytes = self._received_bytes, self._piece_bytes
        if received > HEAD_MAX_BYTES and self._is_too_large():
            self._refuse_head()
            raise ValueError("the head is too large")  # stops the parser
        if wrong := wrong_head(self.parser.get_http_version(), self.headers):
            self._refuse_bad(wrong)
            raise ValueError(wrong)
        super().on_headers_complete()
        self._in_body = True

    def _is_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_MAX_BYTES

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._unfinished = self._in_body = False
        self._in_time()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """The next request is answered, or refused."""
        super().on_response_complete()
        self._send_refusal()
        if self._half_closed is not None and not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        """Whether a request has no whole answer yet; those behind it in the pipeline then have none either."""
        answering = self._answering
        return answering is not None and not (answering.response_complete or answering.disconnected)

    def _in_time(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _give_up(self) -> None:
        """The request takes too long. A client that has not sent a byte of it is hung up on without an answer."""
        self._too_slow = None
        if self._in_head or self._in_body:
            detail = f"the request did not arrive completely within {REQUEST_S:g} s"
            self._refuse(408, code="request_timeout", title="Request timeout", detail=detail)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser can't read."""
        self._refuse_bad(
            "this is not a request of HTTP/1.1: look at its method, its URL (ASCII, percent-encoded) and headers"
        )

    def _refuse_bad(self, detail: str) -> None:
        self._refuse(400, code="bad_request", title="Bad request", detail=detail)

    def _refuse_head(self) -> None:
        detail = f"request line and headers have more than the {HEAD_MAX_BYTES:,} bytes that are read"
        self._refuse(431, code="head_too_large", title="Headers too large", detail=detail)

    def _refuse(self, status: int, *, code: str, title: str, detail: str) -> None:
        """Answers and hangs up: where the next request begins is not known. A request whose body is refused has been
        handed to the application, which is told that the peer has gone; if it has answered already, that was the answer."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._in_time()
        if self._in_body and self.cycle.response_started:
            self._hang_up()
            return
        if self._in_body:
            self._withdraw_unfinished()
        id_ = new_request_id()
        reset = request_id.set(id_)
        log.info(f"{status} to a request that could not be read: %s", detail)
        request_id.reset(reset)
        response = problem(status, code=code, title=title, detail=detail, members={"request_id": id_})
        body = response.content
        head = [
            STATUS_LINE[status].rstrip(),
            b"content-type: application/problem+json",
            b"content-length: %d" % len(body),
            b"x-request-id: " + id_.encode(),
            b"connection: close",
        ]
        self._refusal = b"\r\n".join(head) + b"\r\n\r\n" + body
        self._send_refusal()

    def _withdraw_unfinished(self) -> None:
        """Withdraw the request whose body is not whole: it has been handed to the application, or is in the pipeline."""
        _withdraw(self.cycle)
        self.pipeline = deque(each for each in self.pipeline if each[0] is not self.cycle)

    def _send_refusal(self) -> None:
        """Sends the refusal once every request before it has its answer."""
        if self._refusal is None or self._is_answering():
            return
        self.transport.write(self._refusal)
        self._refusal = None
        self._hang_up()

    def _hang_up(self) -> None:
        """Closes our side, and the connection soon after: closing it with bytes unread would reset it, and might take the
        answer with it (RFC 9112 §9.6)."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def wrong_head(version: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """What makes a head invalid that the parser lets pass, empty if nothing does."""
    if version not in ("1.1", "1.0"):
        return f"HTTP/{version} is not spoken here: use HTTP/1.1"
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        return f"the request has {len(hosts)} Host headers: send exactly one"
    if not hosts and version == "1.1":
        return "the request has no Host header: HTTP/1.1 requires one"
    if hosts and not _HOST.fullmatch(hosts[0].strip()):
        return "the Host header is not a host name or address with an optional port"
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (codings != [b"chunked"] or version == "1.0"):
        return "the only Transfer-Encoding read here is chunked, given once, in HTTP/1.1"
    return ""


def _withdraw(cycle: RequestResponseCycle) -> None:
    """Tells the application that nobody waits for this answer any more."""
    if not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
