"""`/operator/prices`: the prices of groups, and of sending."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request
from dtmf_server.operations import catalog_edit
from dtmf_server.storage import operator_lists
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit.pagination import PAGE
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit


@get("/operator/prices")
async def get_prices(request: Request) -> Response[Any]:
    """Show the prices of groups with their live rentals, and a page of the prices of destinations."""
    given = request.query_params.get("after", "")
    after = given if re.fullmatch(r"[0-9]{1,15}", given) else ""

    def gather(tx: Tx, _visit: Visit) -> Mapping[str, Any]:
        rows = operator_lists.destinations(tx, after=after, limit=PAGE + 1)
        return {
            "groups": catalog_edit.prices(tx, None),
            "others": operator_lists.price_of_others(tx),
            "rows": rows[:PAGE],
            "next": rows[PAGE - 1]["prefix"] if len(rows) > PAGE else None,
        }

    return await views.render_page(request, "prices.html", gather, nav="prices", after=after)


ROUTES = [get_prices]
