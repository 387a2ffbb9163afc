"""Requests over HTTP/1.1 with httpcore2, the connection layer of httpx2: pooled, kept alive, no redirects.

Used without httpx2's Client, whose models and hooks this API has no use for and which adds 40 % to a call.
One engine serves one address, from many threads or from the tasks of one event loop."""

from __future__ import annotations

import os
import ssl
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import finalize

import httpcore2

from .errors import DTMFError, ServerError, TimedOutError, connection_failed
from .transport import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_BODY_BYTES = 32 * 1024 * 1024
_SHORTEST_WAIT_S = 0.001  # a socket takes 0 for "do not wait at all"
_PROXY_VARIABLES = {"http_proxy", "https_proxy", "all_proxy"}
_FAILURES = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    ImportError,  # a SOCKS proxy is set but the package `socksio` is missing
    OSError,
)
_PERMANENT = (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol, ImportError)


class Engine:
    """Sends requests and blocks until the reply is there. Its connections go with close(), or when it goes itself."""

    def __init__(self, base_url: str) -> None:
        self._address = _Address(base_url)
        self._pool = httpcore2.ConnectionPool(**_pool_options(base_url), network_backend=_DeadlineBackend())
        finalize(self, _close_unless_forked, self._pool, os.getpid())

    def send(self, request: Request) -> Reply:
        """The reply, read whole.
        Raises ConnectionFailedError or TimedOutError, ServerError when the body has no end."""
        deadline_s = monotonic() + request.timeout_s
        timeout = {"connect": deadline_s, "read": deadline_s, "write": deadline_s, "pool": request.timeout_s}
        try:
            response = self._pool.handle_request(self._address.outgoing(request, {"timeout": timeout}))
            try:
                body = bytearray()
                for part in response.iter_stream():
                    body += part
                    _check_size(body)
            finally:
                response.close()
        except _FAILURES as failure:
            raise _translated(failure, request) from failure
        return _reply(response, body)

    def close(self) -> None:
        """Closes every connection."""
        self._pool.close()


def _close_unless_forked(pool: httpcore2.ConnectionPool, process_id: int) -> None:
    # A fork may have been made while another thread held the pool's lock, which then never opens.
    if os.getpid() == process_id:
        pool.close()


class AsyncEngine:
    """The same, awaited. The caller bounds the time, by cancelling."""

    def __init__(self, base_url: str) -> None:
        self._address = _Address(base_url)
        self._pool = httpcore2.AsyncConnectionPool(**_pool_options(base_url))

    async def send(self, request: Request) -> Reply:
        """The reply, read whole. Raises ConnectionFailedError, ServerError when the body has no end."""
        try:
            response = await self._pool.handle_async_request(self._address.outgoing(request, {}))
            try:
                body = bytearray()
                async with aclosing(response.aiter_stream()) as parts:
                    async for part in parts:
                        body += part
                        _check_size(body)
            finally:
                await response.aclose()
        except _FAILURES as failure:
            raise _translated(failure, request) from failure
        return _reply(response, body)

    async def close(self) -> None:
        """Closes every connection."""
        await self._pool.aclose()


class _Address:
    """The parts of a base URL that every request repeats, encoded once."""

    __slots__ = ("_host", "_netloc", "_path", "_port", "_scheme")

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._scheme = parts.scheme.encode()
        self._host = (parts.hostname or "").encode()
        self._port = parts.port
        self._path = parts.path.encode()
        self._netloc = parts.netloc.encode()

    def outgoing(self, request: Request, extensions: dict[str, Any]) -> httpcore2.Request:
        """The request as the pool takes it, with Host and Content-Length."""
        headers = [(b"Host", self._netloc)]
        headers += [(name.encode(), value.encode()) for name, value in request.headers.items()]
        if request.method != "GET":
            headers.append((b"Content-Length", str(len(request.body)).encode()))
        target = self._path + request.path.encode()
        url = httpcore2.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)
        return httpcore2.Request(request.method, url, headers=headers, content=request.body, extensions=extensions)


class _DeadlineBackend(httpcore2.SyncBackend):
    """Connects with the time left until a deadline, which the pool passes on where a timeout goes.

    A timeout for each read would let a peer that drips bytes hold a call for ever."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection whose every later wait ends at the deadline of the request it then serves."""
        stream = super().connect_tcp(host, port, _left_s(timeout), local_address, socket_options)
        return _DeadlineStream(stream)


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _left_s(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left_s(deadline_s: float | None) -> float | None:
    return None if deadline_s is None else max(_SHORTEST_WAIT_S, deadline_s - monotonic())


def _pool_options(base_url: str) -> dict[str, Any]:
    """What both pools are made with. Idle connections go before servers commonly drop them, after 5 s.
    A wait holds a connection for as long as it polls: there are as many as a process may commonly open files."""
    parts = urlsplit(base_url)
    proxy = None
    if any(name.lower() in _PROXY_VARIABLES for name in os.environ):
        from .proxies import proxy_for  # noqa: PLC0415  # 10 ms for the few who have a proxy

        proxy = proxy_for(parts.scheme, parts.hostname or "", parts.port)
    tls = httpcore2.default_ssl_context() if parts.scheme == "https" else None
    return {"ssl_context": tls, "proxy": proxy, "max_connections": 1_000, "keepalive_expiry": 4.0}


def _check_size(body: bytearray) -> None:
    if len(body) > _MOST_BODY_BYTES:
        raise ServerError(f"the service's answer is longer than {_MOST_BODY_BYTES:,} bytes; the rest was not read")


def _reply(response: httpcore2.Response, body: bytearray) -> Reply:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Reply(status=response.status, headers=headers, body=bytes(body))


def _translated(failure: Exception, request: Request) -> DTMFError:
    if isinstance(failure, httpcore2.TimeoutException):
        return TimedOutError(f"no answer from {request.base_url} in time ({type(failure).__name__})")
    root = _root(failure)
    permanent = isinstance(failure, _PERMANENT) or isinstance(root, ssl.SSLCertVerificationError)
    # Blocking and async connections word the same refusal differently: the system's own words are the same.
    worded = os.strerror(root.errno) if isinstance(root, ConnectionError) and root.errno else str(root)
    return connection_failed(request.base_url, worded or type(root).__name__, permanent=permanent)


def _root(failure: BaseException) -> BaseException:
    """What happened first: httpcore2 wraps a failure as the only argument of its own, anyio as its cause."""
    while True:
        inner = failure.__cause__ or next(iter(failure.args), None)
        if isinstance(failure, BaseExceptionGroup):  # one for each address of the host
            inner = failure.exceptions[0]
        if not isinstance(inner, BaseException):
            return failure
        failure = inner
