"""Limit the data that arrives on a connection before it is a complete request, and reject invalid data with a problem."""

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

HEAD_MAX_BYTES = 64 * 1024  # request line and headers; the parser itself has no limit
REQUEST_S = 30.0  # for a request to arrive completely, from its first byte or from the start of the connection
STALLED_S = 60.0  # how long a client may read nothing of a response before it is disconnected
LINGER_S = 2.0  # how long data that arrives after a rejection is discarded
# How long a connection stays open after the peer closed its side, if nothing is sent. The peer may have closed both
# sides: TCP shows which only when something is sent (RFC 9293 §3.6).
HALF_CLOSED_S = 5.0

# A host (RFC 3986 §3.2.2), which must not be empty (RFC 9110 §4.2.1), and an optional port.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with three limits: the size of a request's head, the time for a request to arrive, and the
    time that a client may read nothing of a response. Data that is not HTTP is answered with a problem. Between requests
    and while one is answered, uvicorn's own limits apply.

    Requests may be pipelined: they are answered in order, and a rejection waits for the responses before it. A peer that
    closes its side still gets the responses to the requests that it sent completely.
    """

    _head_bytes = 0  # of an incomplete head
    _piece_bytes = 0  # of the piece being parsed
    _received_bytes = 0  # of all pieces since the one in which the last head ended
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
        """Set TCP_NODELAY, so that each piece of a response is sent at once. Otherwise the socket may wait 40 ms for the next."""
        super().connection_made(cast(asyncio.Transport, CoalescingTransport(transport, self.loop)))
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the application of the disconnect for every pending request; uvicorn does so only for the last one."""
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
        """Keep the connection open while a complete request is unanswered."""
        self._in_time()
        if self._in_body:
            self._withdraw_unfinished()
        self._refused = True  # no more data will arrive
        if not self._is_answering():
            self.transport.close()  # a response from this turn of the event loop is sent first
            return False
        self._half_closed = self.loop.call_later(HALF_CLOSED_S, self._end_half_closed, self.transport.sent_bytes)
        return True

    def _end_half_closed(self, sent_bytes: int) -> None:
        """Close the connection, unless something was sent meanwhile or waits for a slow reader, which `_stalled` limits."""
        if self.transport.sent_bytes == sent_bytes and self._stalled is None:
            self.transport.abort()
            return
        self._half_closed = self.loop.call_later(HALF_CLOSED_S, self._end_half_closed, self.transport.sent_bytes)

    def pause_writing(self) -> None:
        """Start the timer for a peer that stopped reading its response."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the peer reads again."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def data_received(self, data: bytes) -> None:
        """Parse the data. Reject the request if its head has grown too large."""
        if self._refused:
            return
        began_earlier = self._in_head
        self._piece_bytes = len(data)
        self._received_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._unfinished and self._too_slow is None:  # most requests arrive in one piece and need no timer
            self._too_slow = self.loop.call_later(REQUEST_S, self._give_up)
        if not (began_earlier and self._in_head):
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse_head()

    def _parse(self, data: bytes) -> None:
        """Feed the parser. Offers to upgrade are ignored: the data after them is still HTTP/1.1 (RFC 9110 §7.8)."""
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
        """Handle the start of a request."""
        self._in_head, self._in_body, self._unfinished, self._head_bytes = True, False, True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header. Strip the white space after its value, which the parser leaves."""
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Handle a complete head. Reject one that is too large, even if it arrived in one piece."""
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
        """Handle the end of a request."""
        self._unfinished = self._in_body = False
        self._in_time()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Continue with the next request, or send the rejection."""
        super().on_response_complete()
        self._send_refusal()
        if self._half_closed is not None and not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        """Return whether a request lacks its complete response; those after it in the pipeline then lack theirs too."""
        answering = self._answering
        return answering is not None and not (answering.response_complete or answering.disconnected)

    def _in_time(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _give_up(self) -> None:
        """Reject a request that takes too long. If no byte of it was sent, close the connection without a response."""
        self._too_slow = None
        if self._in_head or self._in_body:
            detail = f"the request did not arrive completely within {REQUEST_S:g} s"
            self._refuse(408, code="request_timeout", title="Request timeout", detail=detail)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer data that the parser can't read."""
        self._refuse_bad(
            "this is not a valid HTTP/1.1 request: check its method, URL (ASCII, percent-encoded) and headers"
        )

    def _refuse_bad(self, detail: str) -> None:
        self._refuse(400, code="bad_request", title="Bad request", detail=detail)

    def _refuse_head(self) -> None:
        detail = f"the request line and headers are larger than the limit of {HEAD_MAX_BYTES:,} bytes"
        self._refuse(431, code="head_too_large", title="Headers too large", detail=detail)

    def _refuse(self, status: int, *, code: str, title: str, detail: str) -> None:
        """Answer and close the connection, because the start of the next request is unknown. If the body is rejected, the
        application already has the request and is notified of a disconnect; if it has started its response, that response
        stands."""
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
        """Withdraw the request whose body is incomplete. The application already has it, or it is in the pipeline."""
        _withdraw(self.cycle)
        self.pipeline = deque(each for each in self.pipeline if each[0] is not self.cycle)

    def _send_refusal(self) -> None:
        """Send the rejection once every request before it has its response."""
        if self._refusal is None or self._is_answering():
            return
        self.transport.write(self._refusal)
        self._refusal = None
        self._hang_up()

    def _hang_up(self) -> None:
        """Close our side, and the connection soon after. Closing it with unread data would reset it, and the client might lose
        the response (RFC 9112 §9.6)."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def wrong_head(version: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Return why a head that the parser accepts is invalid; empty if it is valid."""
    if version not in ("1.1", "1.0"):
        return f"HTTP/{version} is not supported: use HTTP/1.1"
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        return f"the request has {len(hosts)} Host headers: send exactly one"
    if not hosts and version == "1.1":
        return "the request has no Host header: HTTP/1.1 requires one"
    if hosts and not _HOST.fullmatch(hosts[0].strip()):
        return "the Host header is not a host name or address with an optional port"
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (codings != [b"chunked"] or version == "1.0"):
        return "the only supported Transfer-Encoding is chunked, given once, in HTTP/1.1"
    return ""


def _withdraw(cycle: RequestResponseCycle) -> None:
    """Notify the application that the client is gone."""
    if not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()
