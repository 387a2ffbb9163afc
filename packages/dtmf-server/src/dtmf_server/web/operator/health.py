"""`/operator`: the findings of `dtmf-server doctor`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request, runtime_of
from dtmf_server.web.operator import views


@get("/operator")
async def get_health(request: Request) -> Response[Any]:
    """Show problems with their fixes, and warnings."""
    await views.read(request, lambda _tx, _visit: None)  # before the work of a diagnosis
    problems, warnings = await asyncio.to_thread(request.scope["state"]["diagnose"])
    problems += [
        f"the worker {name} is not running: {why}" for name, why in sorted(runtime_of(request).troubles.items())
    ]

    def gather(_tx: object, _visit: views.Visit) -> Mapping[str, Any]:
        return {"problems": problems, "warnings": warnings}

    return await views.render_page(request, "health.html", gather, nav="health")


ROUTES = [get_health]
