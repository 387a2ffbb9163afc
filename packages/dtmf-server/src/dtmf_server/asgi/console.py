"""The ASGI application of the operator's console. It has its own listener and origin, and nothing of the website or API.

The console listens on this machine by default, where any website can send requests through the operator's browser. So
each request must name the console's own host (a page of another name that is rebound to 127.0.0.1 names that one), and
each POST must come from the console's own origin."""

from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar

from dtmf_server.asgi.middleware import RequestMiddleware
from dtmf_server.core.hosts import is_loopback
from dtmf_server.http.client_address import header
from dtmf_server.runtime.context import Runtime
from dtmf_server.web.operator import error_pages, routes
from dtmf_server.web.operator.routes import Diagnose, PaymentHash

BODY_MAX_BYTES = 64 * 1024
_WRONG_HOST, _WRONG_ORIGIN = 421, 403


class OriginGuard:
    """Rejects requests for another host, and changes requested by another site. `origin`: the only one accepted; None: any
    of this machine, on whatever port, since SSH can forward the console's."""

    def __init__(self, app: Any, origin: str | None) -> None:
        self._app, self._origin = app, origin
        self._host = None if origin is None else urlsplit(origin).netloc

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or answer it with an error page."""
        status = self._refused(scope) if scope["type"] == "http" else 0
        if not status:
            await self._app(scope, receive, send)
            return
        body, told = error_pages.error_page(status)
        headers = [(name.lower().encode(), value.encode()) for name, value in told]
        headers += [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refused(self, scope: Any) -> int:
        """Return the status of the refusal; 0 if the request is accepted."""
        host = header(scope, b"host").lower()
        if host != self._host if self._host is not None else not _is_of_this_machine(host):
            return _WRONG_HOST
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return 0
        given = header(scope, b"origin").lower()
        expected = self._origin or f"http://{host}"
        is_ours = given == expected if given else header(scope, b"sec-fetch-site") == "same-origin"
        return 0 if is_ours else _WRONG_ORIGIN


def _is_of_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def create_console(runtime: Runtime, *, origin: str | None, diagnose: Diagnose, payment_hash: PaymentHash) -> Any:
    """Create the application. `origin`: the only one accepted, in lower case; None: any of this machine. `diagnose`: returns
    the findings of `dtmf-server doctor`. `payment_hash`: returns that of an invoice."""
    settings = replace(runtime.settings, public_url=origin)
    state = {"runtime": replace(runtime, settings=settings), **routes.new_state(diagnose, payment_hash)}
    guarded = OriginGuard(_routes(), origin)
    return RequestMiddleware(guarded, settings, state=state, error_page=error_pages.error_page)


@lru_cache(maxsize=1)
def _routes() -> Litestar:
    """Build all routes once; the runtime's state comes with each request."""
    return Litestar(
        route_handlers=routes.HANDLERS,
        exception_handlers=error_pages.HANDLERS,  # type: ignore[arg-type]  # each handler takes its own exception
        request_max_body_size=BODY_MAX_BYTES,
        openapi_config=None,
        logging_config=None,
    )
