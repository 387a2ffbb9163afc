"""`/operator/numbers`: stock by group, numbers bought on demand, and every number with its state."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.core.number_supply import price_text
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import catalog_edit, supply_status
from dtmf_server.storage import numbers, operator_lists
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit.pagination import PAGE
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit


@get("/operator/numbers")
async def get_numbers(request: Request) -> Response[Any]:
    """Show stock and supply, and a page of the numbers."""
    settings = runtime_of(request).settings
    given = request.query_params.get("after", "")
    after = given if re.fullmatch(r"\+[0-9]{1,15}", given) else ""

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        now_us, cooldown_us = visit.now_us, settings.cooldown_us
        cooled_us = numbers.cooled_us(now_us, cooldown_us)
        rows = operator_lists.numbers(tx, after=after, limit=PAGE + 1, now_us=now_us, cooled_us=cooled_us)
        return {
            "groups": catalog_edit.groups(tx, now_us=now_us, cooldown_us=cooldown_us),
            "supply": supply_status.status(tx, now_us=now_us, cooldown_us=cooldown_us, rules=settings.supply),
            "rows": rows[:PAGE],
            "next": rows[PAGE - 1]["e164"] if len(rows) > PAGE else None,
        }

    return await views.render_page(request, "numbers.html", gather, nav="numbers", price_text=price_text, after=after)


ROUTES = [get_numbers]
