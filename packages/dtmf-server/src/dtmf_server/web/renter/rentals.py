"""`/rentals`: the account's ended rentals, why each ended, and links to their messages."""

from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import ended
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.pagination import NEWEST, PAGE, page_of, position
from dtmf_server.web.kit.views import Caller


@get("/rentals")
async def get_rentals(request: Request) -> Response[Any]:
    """List ended rentals, most recent first."""
    before = position(request)
    is_newest = before == NEWEST

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        found = ended.newest(
            tx, visit.account_id, before=None if is_newest else before, limit=PAGE + 1, now_us=visit.now_us
        )
        names = numbers.names(tx, [rental["group_id"] for rental in found])
        return {"page": page_of([rental | {"group": names[rental["group_id"]]} for rental in found])}

    retention_us = runtime_of(request).settings.retention_us
    return await views.render_page(
        request, "rentals.html", gather, nav="numbers", is_newest=is_newest, retention_us=retention_us
    )


ROUTES = [get_rentals]
