"""`/numbers`: all live rentals, newest first, paginated."""

from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request
from dtmf_server.operations import rent
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.pagination import NEWEST, PAGE, page_of, position
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import messages


@get("/numbers")
async def get_numbers(request: Request) -> Response[Any]:
    """List the numbers rented now."""
    before = position(request)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        live = rent.older_rentals(tx, visit.account_id, before=before, limit=PAGE + 1, now_us=visit.now_us)
        return {"page": page_of(messages.with_groups(tx, live))}

    return await views.render_page(request, "numbers.html", gather, nav="messages", is_newest=before == NEWEST)


ROUTES = [get_numbers]
