"""`/operator/carriers`: the state of every link, tests of receiving, and SMS for numbers that no account rents."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request
from dtmf_server.operations import carrier_health
from dtmf_server.storage import canaries, carriers, operator_lists
from dtmf_server.storage.db import Tx
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit

SHOWN_MAX = 100


@get("/operator/carriers")
async def get_carriers(request: Request) -> Response[Any]:
    """Show what `dtmf-server carriers` shows."""

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        return {
            "links": carrier_health.links(tx, wall_us=visit.wall_us),
            "caught_up": carriers.all_caught_up(tx),
            "canaries": canaries.results(tx)[:SHOWN_MAX],
            "strays": operator_lists.strays(tx, limit=SHOWN_MAX),
        }

    return await views.render_page(request, "carriers.html", gather, nav="carriers", shown_max=SHOWN_MAX)


ROUTES = [get_carriers]
