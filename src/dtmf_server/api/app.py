"""The application: every route, one way to say no, and an OpenAPI document."""

from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import dtmf_server
from dtmf_server.api import account, deposits, health, messages, numbers, problems, reference, sandbox, tokens
from dtmf_server.api.body import BODY_MAX_BYTES
from dtmf_server.api.border import Border
from dtmf_server.runtime import Runtime

_DESCRIPTION = """Rent phone numbers by the minute from a prepaid Bitcoin balance; every SMS that arrives is stored,
forwarded or posted to a webhook. Every POST and DELETE honours `Idempotency-Key`; errors are
`application/problem+json`, told apart by `code`."""


def create_app(runtime: Runtime) -> Any:
    """The ASGI application over this runtime."""
    resources = [account, tokens, deposits, numbers, messages, sandbox]
    api = Router("/api/v1", route_handlers=[route for resource in resources for route in resource.ROUTES])
    app = Litestar(
        route_handlers=[api, *health.ROUTES, *reference.ROUTES],
        state=State({"runtime": runtime}),
        exception_handlers=problems.HANDLERS,  # type: ignore[arg-type]  # each handler takes its own exception
        request_max_body_size=BODY_MAX_BYTES,
        openapi_config=OpenAPIConfig(
            title="DTMF",
            version=dtmf_server.__version__,
            description=_DESCRIPTION,
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"token": []}],
        ),
        logging_config=None,
    )
    return Border(app, runtime.settings)
