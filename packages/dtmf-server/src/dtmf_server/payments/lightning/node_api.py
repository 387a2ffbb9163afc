"""The HTTP client of the Lightning backends: bounded requests, streams of JSON lines, and one way to fail.

Every failure is NodeUnavailable. `may_exist` is true if the node may have received the request. Credentials are sent in
headers only and never appear in an error.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore2
import msgspec

from dtmf_server.payments.lightning.base import NodeUnavailable

TIMEOUT_S, CONNECT_TIMEOUT_S = 20.0, 10.0
REPLY_MAX_BYTES = 64 * 1024 * 1024  # a node without pages lists all of its invoices at once
CONNECTIONS_MAX = 20
IDLE_MAX_S = 4.0  # servers drop idle connections after 5 s or more
ERROR_LENGTH_MAX = 200
REDIRECT, ERROR, UNAUTHORIZED, FORBIDDEN = 300, 400, 401, 403

_NOT_SENT = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.UnsupportedProtocol,
)
_NO_REPLY = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class NodeReply:
    """A reply of a node, with any status."""

    status: int
    body: bytes

    @property
    def is_error(self) -> bool:
        """Return True for the statuses of refused and failed requests."""
        return self.status >= ERROR

    @property
    def refuses_credentials(self) -> bool:
        """Return True if the credentials are invalid or lack a permission."""
        return self.status in (UNAUTHORIZED, FORBIDDEN)

    def json(self) -> Any:
        """Return the body, parsed as JSON. Raises NodeUnavailable if it is not JSON, as when a proxy answered."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeUnavailable(
                f"the reply (status {self.status}) is not JSON: check that lightning.url is the node's API",
                may_exist=True,
            ) from error

    def text(self) -> str:
        """Return the node's error message on one line, shortened; for a page of HTML, only that it is one."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            value = self.body.decode(errors="replace")
        while isinstance(value, dict):
            value = next((value[key] for key in ("message", "detail", "error") if value.get(key)), "no message")
        line = "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())
        if line[:1] == "<":
            return "an HTML page"
        return line[:ERROR_LENGTH_MAX]

    def failure(self, credentials: str) -> NodeUnavailable:
        """Return the error for a reply that is not the expected one. `credentials` is the setting that holds them."""
        if self.refuses_credentials:
            return NodeUnavailable(f"the node refuses the credentials: check {credentials}")
        return NodeUnavailable(f"the node answered with status {self.status}: {self.text()}", may_exist=True)


class NodeApi:
    """The API at `url`. `certificate` is the PEM text of the only certificate accepted, `setting` the one with the URL.
    Connections stay open."""

    def __init__(
        self, url: str, *, headers: Mapping[str, str], certificate: str | None = None, setting: str = "lightning.url"
    ) -> None:
        self._url, self._headers, self._certificate = url.rstrip("/"), dict(headers), certificate
        self._setting = setting
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._pool: httpcore2.AsyncConnectionPool | None = None

    def __repr__(self) -> str:
        return f"NodeApi({self._host})"

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> NodeReply:
        """Send a GET request."""
        return await self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    async def request(
        self,
        method: str,
        path: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        body: object | None = None,
        timeout_s: float | None = None,
    ) -> NodeReply:
        """Send a request: `form` is form-encoded, `body` is JSON. `timeout_s` replaces TIMEOUT_S."""
        limit_s = TIMEOUT_S if timeout_s is None else timeout_s
        async with self._response(method, path, form=form, body=body, timeout_s=limit_s) as response:
            received = bytearray()
            async with aclosing(response.aiter_stream()) as parts:
                async for part in parts:
                    received += part
                    if len(received) > REPLY_MAX_BYTES:
                        raise NodeUnavailable(f"the reply is larger than {REPLY_MAX_BYTES} bytes", may_exist=True)
            return NodeReply(response.status, bytes(received))

    async def lines_until_idle(self, path: str, query: Mapping[str, str], *, idle_s: float) -> AsyncIterator[NodeReply]:
        """Yield the lines of a stream as they come, until none comes for `idle_s` or the node ends it."""
        async with aclosing(self._lines(f"{path}?{urlencode(query)}")) as lines:
            while True:
                try:
                    async with asyncio.timeout(idle_s):
                        line = await anext(lines, None)
                except TimeoutError:
                    return
                if line is None:
                    return
                yield line

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.aclose()

    async def _lines(self, path: str) -> AsyncGenerator[NodeReply, None]:
        async with self._response("GET", path, form=None, body=None, timeout_s=None) as response:
            rest = b""
            async with aclosing(response.aiter_stream()) as parts:
                async for part in parts:
                    *lines, rest = (rest + part).split(b"\n")
                    if len(rest) > REPLY_MAX_BYTES:
                        raise NodeUnavailable("the node's stream has no line ends")
                    for line in lines:
                        if line.strip():
                            yield NodeReply(response.status, line)
            if rest.strip():
                yield NodeReply(response.status, rest)

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        *,
        form: Sequence[tuple[str, str]] | None,
        body: object | None,
        timeout_s: float | None,
    ) -> AsyncIterator[httpcore2.Response]:
        request = self._request(method, path, form, body)
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._opened().handle_async_request(request)
                try:
                    if REDIRECT <= response.status < ERROR:  # not followed: the request has credentials
                        raise NodeUnavailable(
                            f"{self._host} redirects (status {response.status}): check {self._setting}"
                        )
                    yield response
                finally:
                    await response.aclose()
        except _NOT_SENT as error:
            raise NodeUnavailable(f"can't connect to {self._host}: {_reason(error)}; check {self._setting}") from error
        except _NO_REPLY as error:
            within = f" within {timeout_s:.0f} s" if timeout_s is not None and isinstance(error, TimeoutError) else ""
            reason = f"no reply from {self._host}{within}: {_reason(error)}"
            raise NodeUnavailable(reason, may_exist=True) from error

    def _request(
        self, method: str, path: str, form: Sequence[tuple[str, str]] | None, body: object | None
    ) -> httpcore2.Request:
        headers = {"Host": self._host, "Accept": "application/json", **self._headers}
        content = b""
        if form is not None:
            headers["Content-Type"], content = "application/x-www-form-urlencoded", urlencode(form).encode()
        elif body is not None:
            headers["Content-Type"], content = "application/json", msgspec.json.encode(body)
        if method != "GET":
            headers["Content-Length"] = str(len(content))
        request = httpcore2.Request(method, self._url + path, headers=list(headers.items()), content=content)
        request.extensions["timeout"] = {"connect": CONNECT_TIMEOUT_S, "pool": CONNECT_TIMEOUT_S}
        return request

    def _opened(self) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls() if self._url.startswith("https:") else None,
                max_connections=CONNECTIONS_MAX,
                keepalive_expiry=IDLE_MAX_S,
            )
        return self._pool

    def _tls(self) -> ssl.SSLContext:
        if self._certificate is None:
            return httpcore2.default_ssl_context()
        tls = ssl.create_default_context(cadata=self._certificate)
        tls.check_hostname = False  # nodes sign their own certificates, often without the name that is used
        tls.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        tls.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
        return tls


@contextmanager
def understood() -> Iterator[None]:
    """Turn the errors of reading a reply of an unexpected shape into NodeUnavailable."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NodeUnavailable(
            f"the node's reply is not understood ({type(error).__name__}): check lightning.kind and its version",
            may_exist=True,
        ) from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
