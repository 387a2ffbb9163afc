"""`/`: what this is, what it costs, and how to begin."""

from typing import Any

from litestar import Response, get

from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx
from dtmf_server.web import visits
from dtmf_server.web.request import Request


@get("/")
async def get_landing(request: Request) -> Response[Any]:
    """The first page, with the prices of now."""
    return await visits.welcome(request, "landing.html", prices)


def prices(tx: Tx, _now_us: int) -> dict[str, Any]:
    """The catalog."""
    return {"mobile": numbers.groups_of_type(tx, "mobile"), "local": numbers.groups_of_type(tx, "local")}


ROUTES = [get_landing]
