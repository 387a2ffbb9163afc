"""The application: every route, one way to say no, and an OpenAPI document."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from litestar import Litestar, Router
from litestar.exceptions import NotFoundException
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
    messages,
    numbers,
    query_validation,
    request_body,
    sandbox,
    tokens,
)
from dtmf_server.api.openapi import document
from dtmf_server.asgi import error_handlers
from dtmf_server.asgi.middleware import RequestMiddleware
from dtmf_server.callbacks import carriers as callbacks
from dtmf_server.http import validation
from dtmf_server.http.client_address import has_body
from dtmf_server.http.request import Request
from dtmf_server.runtime.context import Runtime
from dtmf_server.web.renter import routes as website

_DESCRIPTION = """Rent phone numbers by the minute from a prepaid Bitcoin balance; every SMS that arrives is stored,
forwarded or posted to a webhook. Every POST and DELETE honours `Idempotency-Key`; errors are
`application/problem+json`, told apart by `code`."""


class _Document(JsonRenderPlugin):
    """Serves the completed document."""

    def render(self, request: Any, openapi_schema: Any) -> bytes:
        """The document as JSON."""
        return super().render(request, document(request.app))


async def _check(request: Request) -> None:
    """What every request of the API keeps to, whichever it is."""
    if request.path_params:
        segments = request.scope["path"].split("/")
        if any(str(value) not in segments for value in request.path_params.values()):
            raise NotFoundException  # int() reads 1_0, and digits of every script
    query_validation.check(request)
    validation.plain_body(request.headers.get("content-encoding", ""), has_body=has_body(request.scope))
    if request.method in ("POST", "PATCH", "PUT") and request_body.type_of(request.route_handler) is None:
        request_body.require_empty(await request.body())


def _only_the_document(request: Request) -> None:
    """Litestar answers every other path below /schema with a page of its own."""
    if request.path_params:
        raise NotFoundException


def create_app(runtime: Runtime, carriers: Sequence[object] = ()) -> Any:
    """The ASGI application over this runtime: the API, the website, and the callbacks of those carriers that have any."""
    app = _routes(is_sandbox=runtime.settings.sandbox)
    state = {"runtime": runtime, **website.new_state(), **callbacks.new_state(carriers)}
    return RequestMiddleware(app, runtime.settings, state=state)


@lru_cache(maxsize=2)
def _routes(*, is_sandbox: bool) -> Litestar:
    """Every route, which takes a tenth of a second to make; what a runtime keeps comes with each request."""
    resources = [account, account_webhook, tokens, deposits, numbers, messages, events, deliveries]
    resources += [sandbox] if is_sandbox else []
    api = Router(
        "/api/v1",
        route_handlers=[route for resource in resources for route in resource.ROUTES],
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
