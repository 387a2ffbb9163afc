"""The ASGI application: routes, error handlers, OpenAPI document."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from litestar import Litestar, Router
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import dtmf_server
from dtmf_server.api import (
    account,
    account_webhook,
    deliveries,
    deposits,
    docs_page,
    docs_site,
    events,
    health,
    invoices,
    messages,
    numbers,
    query_validation,
    request_body,
    sandbox,
    scopes,
    sign_up,
    tokens,
)
from dtmf_server.api.openapi import document
from dtmf_server.asgi import error_handlers
from dtmf_server.asgi.mcp import McpRoute
from dtmf_server.asgi.middleware import RequestMiddleware
from dtmf_server.callbacks import carriers as callbacks
from dtmf_server.http import validation
from dtmf_server.http.client_address import has_body
from dtmf_server.http.request import Request
from dtmf_server.runtime.context import Runtime
from dtmf_server.web.renter import routes as website

_DESCRIPTION = """Rent phone numbers by the minute from a prepaid Bitcoin balance; every SMS that arrives is stored,
forwarded or posted to a webhook. All POST and DELETE requests support `Idempotency-Key`; errors are
`application/problem+json`, identified by `code`."""


class _Document(JsonRenderPlugin):
    """Serves the completed document."""

    def render(self, request: Any, openapi_schema: Any) -> bytes:
        """Render the document as JSON."""
        return super().render(request, document(request.app))


async def _check(request: Request) -> None:
    """Check what all API requests have in common: path, query, encoding, body."""
    if request.path_params:
        segments = request.scope["path"].split("/")
        if any(str(value) not in segments for value in request.path_params.values()):
            raise NotFoundException  # int() also accepts 1_0, and digits of every script
    query_validation.check(request)
    validation.plain_body(request.headers.get("content-encoding", ""), has_body=has_body(request.scope))
    if request.method in ("POST", "PATCH", "PUT") and request_body.type_of(request.route_handler) is None:
        request_body.require_empty(await request.body())


def _only_the_document(request: Request) -> None:
    """Reject other paths below /schema, where Litestar would serve its own pages."""
    if request.path_params:
        raise NotFoundException


def create_app(runtime: Runtime, carriers: Sequence[object] = ()) -> Any:
    """Create the ASGI application: the API, the website, `/mcp`, and callbacks of carriers that have any."""
    app = McpRoute(_routes(is_sandbox=runtime.settings.sandbox), runtime.settings)
    state = {"runtime": runtime, **website.new_state(), **callbacks.new_state(carriers, runtime.settings)}
    return RequestMiddleware(app, runtime.settings, state=state)


@lru_cache(maxsize=2)
def _routes(*, is_sandbox: bool) -> Litestar:
    """Build all routes, which takes 100 ms; cached, since the runtime's state comes with each request."""
    resources = [account, sign_up, account_webhook, tokens, deposits, invoices, numbers, messages, events, deliveries]
    resources += [sandbox] if is_sandbox else []
    operations: list[HTTPRouteHandler] = [route for resource in resources for route in resource.ROUTES]
    for handler in operations:
        handler.opt["needs"] = scopes.NEEDS[handler.fn.__name__]
        handler.opt["while_suspended"] = scopes.WHILE_SUSPENDED[handler.fn.__name__]
    api = Router(
        "/api/v1",
        route_handlers=operations,
        before_request=_check,
    )
    return Litestar(
        route_handlers=[api, *health.ROUTES, *docs_page.ROUTES, *docs_site.ROUTES, *callbacks.ROUTES, website.ROUTER],
        exception_handlers=error_handlers.HANDLERS,  # type: ignore[arg-type]  # each handler takes its own exception
        request_max_body_size=request_body.BODY_MAX_BYTES,
        openapi_config=OpenAPIConfig(
            title="DTMF",
            version=dtmf_server.__version__,
            description=_DESCRIPTION,
            openapi_router=Router(
                "/schema", route_handlers=[], include_in_schema=False, before_request=_only_the_document
            ),
            render_plugins=[_Document(path="/openapi.json")],
            use_handler_docstrings=True,
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"token": []}],
        ),
        logging_config=None,
    )
