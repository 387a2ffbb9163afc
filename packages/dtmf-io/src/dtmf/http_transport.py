"""HTTP/1.1 requests with httpcore2, the connection layer of httpx2: pooled, keep-alive, no redirects.

httpx2's Client is not used: this API doesn't need its models and hooks, which add 40 % to the time of a call.
One engine serves one address, from many threads or from the tasks of one event loop."""

from __future__ import annotations

import os
import ssl
from contextlib import aclosing
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from weakref import finalize

import httpcore2

from .errors import DTMFError, ServerError, TimedOutError, connection_failed
from .transport import Reply, Request
from .trust import tls_context, trust_variable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .proxies import Route
    from .transport import AsyncTransport

_BODY_MAX_BYTES = 32 * 1024 * 1024
CONNECTIONS_MAX = 1_000  # the usual number of open files per process: a wait holds a connection while it polls
KEEPALIVE_S = 4.0  # servers usually close idle connections after 5 s
_WAIT_MIN_S = 0.001  # for a socket, 0 means "do not wait at all"
_PROXY_VARIABLES = {"http_proxy", "https_proxy", "all_proxy"}
_TRANSIENT_STATUSES = {408, 429}  # and 500 or above


class Failures(NamedTuple):
    """The exceptions of an HTTP library: timeouts, those before a request was sent, and those that a retry may avoid."""

    timeout: type[Exception]
    never_sent: tuple[type[Exception], ...]
    transient: tuple[type[Exception], ...]


_FAILURES = Failures(
    timeout=httpcore2.TimeoutException,
    never_sent=(httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout, httpcore2.ProxyError),
    transient=(httpcore2.NetworkError, httpcore2.RemoteProtocolError, OSError),
)


class HttpTransport:
    """Sends requests and blocks until the reply has arrived. Its connections close with close(), or with the object."""

    def __init__(self, base_url: str, ca: str | None = None, proxy: str | None = None) -> None:
        """Raise ConnectionFailedError for an unusable proxy or unusable certificates."""
        self._address = _Address(base_url)
        self._route, options = _pool_options(base_url, ca, proxy)
        self.via = self._route.via if self._route else ""
        self._pool = httpcore2.ConnectionPool(**options, network_backend=_DeadlineBackend())
        finalize(self, _close_unless_forked, self._pool, os.getpid())

    def send(self, request: Request) -> Reply:
        """Send the request and return the complete reply.
        Raises ConnectionFailedError, TimedOutError, or ServerError if the body is too long."""
        deadline_s = monotonic() + request.timeout_s
        timeout = {"connect": deadline_s, "read": deadline_s, "write": deadline_s, "pool": request.timeout_s}
        try:
            response = self._pool.handle_request(self._address.outgoing(request, {"timeout": timeout}))
            try:
                body = bytearray()
                for part in response.iter_stream():
                    body += part
                    check_size(body)
            finally:
                response.close()
        except DTMFError:
            raise
        except Exception as failure:  # translates every error of httpcore2, h11, ssl and the resolver
            raise translated(failure, request, self._route) from failure
        return _reply(response, body, request, self._route)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _close_unless_forked(pool: httpcore2.ConnectionPool, process_id: int) -> None:
    # If the process forked while another thread held the pool's lock, that lock is never released in the child.
    if os.getpid() == process_id:
        pool.close()


class AsyncHttpTransport:
    """HttpTransport for asyncio. The caller enforces the timeout by cancelling."""

    def __init__(self, base_url: str, ca: str | None = None, proxy: str | None = None) -> None:
        """Raise ConnectionFailedError for an unusable proxy or unusable certificates."""
        self._address = _Address(base_url)
        self._route, options = _pool_options(base_url, ca, proxy)
        self.via = self._route.via if self._route else ""
        self._pool = httpcore2.AsyncConnectionPool(**options)

    async def send(self, request: Request) -> Reply:
        """Send the request and return the complete reply. Raises ConnectionFailedError, or ServerError if the body
        is too long."""
        try:
            response = await self._pool.handle_async_request(self._address.outgoing(request, {}))
            try:
                body = bytearray()
                async with aclosing(response.aiter_stream()) as parts:
                    async for part in parts:
                        body += part
                        check_size(body)
            finally:
                await response.aclose()
        except DTMFError:
            raise
        except Exception as failure:  # translates every error of httpcore2, h11, ssl and the resolver
            raise translated(failure, request, self._route) from failure
        return _reply(response, body, request, self._route)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


def async_engine(base_url: str, ca: str | None = None, proxy: str | None = None) -> AsyncTransport:
    """Return the engine for the running event loop: aiohttp if it is installed, unless there is a proxy.
    Raises ConnectionFailedError for an unusable proxy or unusable certificates."""
    if find_spec("aiohttp"):
        route, options = _pool_options(base_url, ca, proxy)
        if not options["proxy"]:
            from .aiohttp_transport import AiohttpTransport  # noqa: PLC0415  # imported only where it is used

            return AiohttpTransport(route, options["ssl_context"])
    return AsyncHttpTransport(base_url, ca, proxy)


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
        """Return the request in the pool's form, with Host and Content-Length."""
        headers = [(b"Host", self._netloc)]
        headers += [(name.encode(), value.encode()) for name, value in request.headers.items()]
        if request.method != "GET":
            headers.append((b"Content-Length", str(len(request.body)).encode()))
        target = self._path + request.path.encode()
        url = httpcore2.URL(scheme=self._scheme, host=self._host, port=self._port, target=target)
        return httpcore2.Request(request.method, url, headers=headers, content=request.body, extensions=extensions)


class _DeadlineBackend(httpcore2.SyncBackend):
    """Limits every operation to the time left until a deadline, which the pool passes in place of a timeout.

    With a timeout per read, a peer that sends one byte at a time could block a call indefinitely."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Open a connection that stops waiting at the deadline of the request it serves."""
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
    return None if deadline_s is None else max(_WAIT_MIN_S, deadline_s - monotonic())


def _pool_options(base_url: str, ca: str | None, given: str | None) -> tuple[Route | None, dict[str, Any]]:
    """Return the route and the options of both pools."""
    route = None
    if given or any(name.lower() in _PROXY_VARIABLES for name in os.environ):
        from .proxies import require_socks, route_over, route_to  # noqa: PLC0415  # takes 10 ms; few environments have a proxy

        route = route_over("proxy=", given, base_url) if given else route_to(base_url)
        require_socks(route, base_url)
    proxy = route.proxy if route else None
    tls = None
    if base_url.startswith("https:"):
        tls = tls_context(base_url, ca)
    if proxy and proxy.url.scheme == b"https":
        proxy.ssl_context = tls_context(base_url, ca)
    return route, {
        "ssl_context": tls,
        "proxy": proxy,
        "max_connections": CONNECTIONS_MAX,
        "keepalive_expiry": KEEPALIVE_S,
    }


def check_size(body: bytearray) -> None:
    """Raise ServerError if a body is too long."""
    if len(body) > _BODY_MAX_BYTES:
        raise ServerError(f"the service's response is longer than {_BODY_MAX_BYTES:,} bytes; the rest was not read")


def _reply(response: httpcore2.Response, body: bytearray, request: Request, route: Route | None) -> Reply:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    reply = Reply(status=response.status, headers=headers, body=bytes(body))
    if route and route.proxy and request.base_url.startswith("http:") and _is_by_proxy(reply):
        raise connection_failed(
            request.base_url,
            f"a response with status {reply.status} did not come from the service",
            permanent=not _is_transient(reply.status),
            via=route.via,
        )
    return reply


def _is_by_proxy(reply: Reply) -> bool:
    """Return whether a reply received through a forwarding proxy is the proxy's own: the service replies in JSON."""
    kind = reply.headers.get("content-type", "")
    return "json" not in kind and bool(not reply.is_success or (kind and reply.body))


def _is_transient(status: int) -> bool:
    return status in _TRANSIENT_STATUSES or status >= 500


def translated(failure: Exception, request: Request, route: Route | None, failures: Failures = _FAILURES) -> DTMFError:
    """Build the error for a failed attempt. It names the environment variables that the failure depends on."""
    via = route.via if route else ""
    if isinstance(failure, failures.timeout):
        error: DTMFError = TimedOutError(
            f"no response from {request.base_url}{f' {via}' if via else ''} in time ({type(failure).__name__})"
        )
    else:
        reason, permanent = _reason(failure, failures.transient)
        error = connection_failed(request.base_url, reason, permanent=permanent, via=via)
    error.sent = not isinstance(failure, failures.never_sent)
    return error


def _reason(failure: Exception, transient: tuple[type[Exception], ...]) -> tuple[str, bool]:
    """Return why an attempt failed, and whether a retry would fail too."""
    if isinstance(failure, httpcore2.ProxyError):
        status = str(failure)[:3]
        return f"the proxy answered {failure}", not (status.isdecimal() and _is_transient(int(status)))
    root = _root(failure)
    is_untrusted = isinstance(root, ssl.SSLCertVerificationError)
    # Blocking and async connections describe the same failure differently; the system's own text is the same.
    worded = os.strerror(root.errno) if isinstance(root, ConnectionError) and root.errno else str(root)
    if is_untrusted and (variable := trust_variable()):
        worded += f"; the environment variable {variable} sets the trusted certificates"
    return worded or type(root).__name__, is_untrusted or not isinstance(failure, transient)


def _root(failure: BaseException) -> BaseException:
    """Return the original exception: httpcore2 passes it as an argument of its own exception, anyio as the cause."""
    while True:
        inner = failure.__cause__ or next(iter(failure.args), None)
        if isinstance(failure, BaseExceptionGroup):  # one exception per address of the host
            inner = failure.exceptions[0]
        if not isinstance(inner, BaseException):
            return failure
        failure = inner
