"""An HTTP client for carriers' APIs: one bounded request, and exactly two ways to fail.

`NotSent`: the carrier certainly did not receive the request. `NoReply`: it may have. A reply with any status is returned,
because the meaning of a status depends on the carrier. Repeated failures open a circuit breaker, so that another carrier is
used meanwhile.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore2
import msgspec

from dtmf_server.carriers.base import LinkStats
from dtmf_server.core.circuit_breaker import CircuitBreaker
from dtmf_server.core.trace import Trace, mask, mask_number, masked_form, masked_json

TIMEOUT_S, CONNECT_TIMEOUT_S = 20.0, 10.0
REPLY_MAX_BYTES = 4 * 1024 * 1024
CONNECTIONS_MAX = 20
IDLE_MAX_S = 4.0  # servers drop idle connections after 5 s or more; a request written to a dropped one is in doubt
RETRY_AFTER_MAX_S = 300
UNAUTHORIZED, TOO_MANY, SERVER_ERROR = 401, 429, 500

_NOT_SENT = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.UnsupportedProtocol,
)
_NO_REPLY = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError, TimeoutError)


class NotSent(Exception):
    """The request did not reach the carrier."""


class NoReply(Exception):
    """The request was sent, but there was no usable reply: the carrier may have acted on it."""


@dataclass(frozen=True, slots=True)
class ApiReply:
    """A reply. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, parsed as JSON. Raises NoReply if it is not JSON, as when a proxy answered."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NoReply(f"the reply with status {self.status} is not JSON") from error

    @property
    def retry_after_s(self) -> int | None:
        """Return `Retry-After` in seconds, if the reply has it in that form."""
        value = self.headers.get("retry-after", "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else None


def fault_of(reply: ApiReply) -> str:
    """Return why a reply means that the link does not work; empty for a reply that concerns only its request."""
    if reply.status == UNAUTHORIZED:
        return "the carrier refuses the credentials"
    if reply.status == TOO_MANY or reply.status >= SERVER_ERROR:
        return f"the carrier answered with status {reply.status}"
    return ""


class ApiClient:
    """The API at `base_url`. The state of its connection is reported as one link.

    `fault_of` replaces the function of this module where a carrier's replies say more than their status.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        link: str,
        wall_us: Callable[[], int],
        trace: Trace,
        masked_fields: Collection[str],
        timeout_s: float = TIMEOUT_S,
        fault_of: Callable[[ApiReply], str] = fault_of,
    ) -> None:
        self._base_url, self._headers, self._timeout_s = base_url.rstrip("/"), dict(headers), timeout_s
        self._wall_us, self._trace, self._masked = wall_us, trace, frozenset(masked_fields)
        self._fault_of = fault_of
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._breaker = CircuitBreaker()
        self.stats = LinkStats(link)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep connections open until the block ends. Outside of a block, each request opens its own."""
        async with self._new_pool() as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    def is_usable(self) -> bool:
        """Return whether connections are kept open and the API did not fail repeatedly."""
        return self._pool is not None and not self._breaker.is_open(now_s=time.monotonic())

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiReply:
        """Send a request: `form` is form-encoded, `body` is JSON. `path` is relative to the base URL, or a complete URL below it.
        `headers` are those of this request only. Raises NotSent, NoReply."""
        url = path if path.startswith(f"{self._base_url}/") else self._base_url + path
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        sent, content = {**self._headers, **(headers or {})}, b""
        if form is not None:
            sent["Content-Type"], content = "application/x-www-form-urlencoded", urlencode(form).encode()
        elif body is not None:
            sent["Content-Type"], content = "application/json", msgspec.json.encode(body)
        self._record("out", f"{method} {self._shown_url(url)}", content, form is not None)
        try:
            reply = await self._exchange(method, url, sent, content)
        except (NotSent, NoReply) as error:
            self._record("in", f"no reply: {error}", b"", False)
            self.failed(str(error))
            raise
        self._record("in", f"HTTP {reply.status}", reply.body, False)
        if fault := self._fault_of(reply):
            self.failed(fault)
        else:
            self.worked()
        if reply.status == TOO_MANY and reply.retry_after_s is not None:
            self._breaker.hold(min(reply.retry_after_s, RETRY_AFTER_MAX_S), now_s=time.monotonic())
        return reply

    def worked(self) -> None:
        """Record that the carrier is up."""
        now_us = self._wall_us()
        self._breaker.worked()
        self.stats.last_seen_us = now_us
        self.stats.move("bound", at_us=now_us)

    def failed(self, reason: str) -> None:
        """Record a failure that says nothing about one SMS: the carrier can't be used, and the link is down."""
        self._breaker.failed(now_s=time.monotonic())
        self.stats.errors += 1
        self.stats.move("failing", at_us=self._wall_us(), reason=reason)

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> ApiReply:
        if self._pool is not None:
            return await self._bounded(self._pool, method, url, headers, content)
        async with self._new_pool() as pool:
            return await self._bounded(pool, method, url, headers, content)

    async def _bounded(
        self,
        pool: httpcore2.AsyncConnectionPool,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
    ) -> ApiReply:
        extensions = {"timeout": {"connect": CONNECT_TIMEOUT_S, "pool": CONNECT_TIMEOUT_S}}
        try:
            async with asyncio.timeout(self._timeout_s):
                request = httpcore2.Request(method, url, headers=_headers(url, headers, content), content=content)
                request.extensions.update(extensions)
                response = await pool.handle_async_request(request)
                try:
                    received = bytearray()
                    async with aclosing(response.aiter_stream()) as parts:
                        async for part in parts:
                            received += part
                            if len(received) > REPLY_MAX_BYTES:
                                raise NoReply(f"the reply is larger than {REPLY_MAX_BYTES} bytes")
                finally:
                    await response.aclose()
        except _NOT_SENT as error:
            raise NotSent(f"can't connect: {_words(error)}") from error
        except _NO_REPLY as error:
            raise NoReply(f"no reply within {self._timeout_s:.0f} s: {_words(error)}") from error
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return ApiReply(response.status, found, bytes(received))

    def _new_pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context() if self._base_url.startswith("https:") else None,
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=IDLE_MAX_S,
        )

    def _record(self, direction: Any, line: str, content: bytes, is_form: bool) -> None:
        if self._trace.is_on:
            self._trace.record(direction, f"{line}\n{self._shown(content, is_form)}".strip(), at_us=self._wall_us())

    def _shown_url(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path}?{masked_form(parts.query, self._shown_text)}" if parts.query else parts.path

    def _shown(self, content: bytes, is_form: bool) -> str:
        if is_form:
            return masked_form(content.decode(errors="replace"), self._shown_text)
        shown = masked_json(content, self._shown_text)
        return (mask(content.decode(errors="replace")) if content else "") if shown is None else shown

    def _shown_text(self, names: Sequence[str], text: str) -> str:
        if not self._masked.isdisjoint(names):
            return mask(text)
        return mask_number(text) if text.startswith("+") else text


def _headers(url: str, headers: Mapping[str, str], content: bytes) -> list[tuple[str, str]]:
    host = urlsplit(url).netloc.rpartition("@")[2]
    length = {"Content-Length": str(len(content))} if content else {}
    return [("Host", host), ("Accept", "application/json"), *headers.items(), *length.items()]


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
