"""ASGI middleware: request IDs, rate limiting, access log."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from dtmf_server.api.error_catalog import problem_type
from dtmf_server.api.problems import new_request_id
from dtmf_server.api.transactions import CALLER
from dtmf_server.asgi.browser_requests import wants_page
from dtmf_server.core.errors import RateLimited
from dtmf_server.http.client_address import address_of, header, rate_limit_key
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.http.sse import STREAM_CONTINUATION
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Settings
from dtmf_server.runtime.logging import request_id
from dtmf_server.web.kit.error_pages import error_page

log = logging.getLogger("dtmf.access")
limited = logging.getLogger("dtmf.access.limited")

NO_METHOD = "TRACE"  # a method that no route allows
ALL_METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"  # the methods that routes allow


class ErrorPage(Protocol):
    """Returns an error page and its headers."""

    def __call__(self, status: int, *, wait_s: int = 0) -> tuple[bytes, Sequence[tuple[str, str]]]: ...


class RequestMiddleware:
    """Wraps the application. All responses carry `X-Request-Id`; each request gets `state`."""

    def __init__(
        self, app: Any, settings: Settings, *, state: Mapping[str, Any], error_page: ErrorPage = error_page
    ) -> None:
        self._app, self._state, self._error_page = app, state, error_page
        self._proxies = settings.trusted_proxies
        self._limit = (
            RateLimit(per_second=settings.requests_per_second, burst=settings.request_burst)
            if settings.requests_per_second
            else None
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = new_request_id()
        reset = request_id.set(id_)
        started_s, status = time.perf_counter(), 0

        async def send_with_id(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", id_.encode())]
            await send(message)

        try:
            wait_s = self._wait_s(scope)
            if wait_s:
                await self._refuse(scope, send_with_id, id_, wait_s)
            else:
                await self._serve(scope, receive, send_with_id)
        finally:
            metrics.count_response(status)
            if log.isEnabledFor(logging.INFO):
                _note(scope, status, took_s=time.perf_counter() - started_s)
            request_id.reset(reset)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application. HEAD is served as GET; the server omits the body. A stream continues after the application
        returns, so that it doesn't keep the request in memory."""
        if scope["method"] == "OPTIONS" and scope["path"] == "*":  # the service as a whole (RFC 9110 §9.3.7)
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", ALL_METHODS)]})
            await send({"type": "http.response.body", "body": b""})
            return
        inner = {**scope, "state": dict(self._state)}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        elif scope["method"] == "OPTIONS":
            inner["method"], send = NO_METHOD, _as_options(send)
        await self._app(inner, receive, send)
        scope[CALLER] = inner["state"].get(CALLER, False)
        goes_on = inner.get(STREAM_CONTINUATION)
        if goes_on is not None:
            inner.clear()
            scope["headers"] = ()
            await goes_on(receive, send)

    async def _refuse(self, scope: Any, send: Any, id_: str, wait_s: int) -> None:
        """Reject a rate-limited request with an error page or problem details."""
        if wants_page(scope["path"], header(scope, b"accept")):
            body, told = self._error_page(RateLimited.status, wait_s=wait_s)
            headers = [(name.lower().encode(), value.encode()) for name, value in told]
            headers.append((b"content-type", b"text/html; charset=utf-8"))
        else:
            body, headers = _problem(id_, wait_s), [(b"content-type", b"application/problem+json")]
        headers += [(b"content-length", str(len(body)).encode()), (b"retry-after", str(wait_s).encode())]
        await send({"type": "http.response.start", "status": RateLimited.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _wait_s(self, scope: Any) -> int:
        """Return how long this client has to wait, by token and by address. Health checks and carrier callbacks are exempt:
        a carrier sends everything from one address, and may drop an SMS that isn't accepted at once. Refused
        callbacks are limited in `callbacks/`."""
        if self._limit is None or scope["path"] in ("/healthz", "/readyz") or scope["path"].startswith("/callbacks/"):
            return 0
        headers = dict(scope["headers"])
        keys = [b"address " + rate_limit_key(address_of(scope, self._proxies)).encode()]
        if token := headers.get(b"authorization"):
            keys.append(b"token " + hashlib.sha256(token).digest())
        return max(self._limit.retry_after_s(key) for key in keys)


def _as_options(send: Any) -> Any:
    """Turn the 405 to `NO_METHOD`, whose Allow header lists the path's methods, into the response to OPTIONS."""
    replaced = False

    async def send_options(message: Any) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 405:
            replaced = True
            headers = [(name, value) for name, value in message["headers"] if name == b"allow"]
            message = {"type": "http.response.start", "status": 204, "headers": headers}
        elif replaced:
            message = {**message, "body": b""}
        await send(message)

    return send_options


def _note(scope: Any, status: int, *, took_s: float) -> None:
    """Log a request. Lines of unauthenticated or refused requests are rate limited per status."""
    said = (scope["method"], scope["path"], took_s * 1000)
    if not status:
        limited.info("%s %s disconnected %.1f ms", *said)
    elif status >= 400 or not scope.get(CALLER):
        limited.info(f"%s %s {status} %.1f ms", *said)
    else:
        log.info("%s %s %d %.1f ms", said[0], said[1], status, said[2])


def _problem(id_: str, wait_s: int) -> bytes:
    return msgspec.json.encode(
        {
            "type": problem_type(RateLimited.code),
            "title": RateLimited.title,
            "status": RateLimited.status,
            "detail": RateLimited.__doc__,
            "code": RateLimited.code,
            "request_id": id_,
            "retry_after": wait_s,
        }
    )
