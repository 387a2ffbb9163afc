"""`/messages`: the dashboard with received messages, newest first, the balance and the numbers."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get

from dtmf_server.core.billing import minutes_started
from dtmf_server.core.units import DAY_US, INT64_MAX
from dtmf_server.http.request import Request
from dtmf_server.operations import account, ended, rent
from dtmf_server.storage import conversations, numbers, transfers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.rentals import with_limits
from dtmf_server.web.kit import views
from dtmf_server.web.kit.chart import balance_chart
from dtmf_server.web.kit.pagination import PAGE, page_of, position
from dtmf_server.web.kit.views import Caller

CHARTED_DAYS = 14
CHARTED_MAX = 2_000  # transfers
WORDS_MAX = 100
SHOWN = 5  # live rentals, and ended ones; `/numbers` and `/rentals` list all


@get("/messages")
async def get_messages(request: Request) -> Response[Any]:
    """Show the inbox, or the search results in it."""
    words = request.query_params.get("q", "").strip()[:WORDS_MAX].replace("\0", "")
    before = position(request)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        if words:
            rows = conversations.search(tx, visit.account_id, words, before=before, limit=PAGE + 1)
        else:
            rows = conversations.received(tx, visit.account_id, before=before, limit=PAGE + 1)
        return {"messages": page_of(rows), "words": words, **sidebar(tx, visit)}

    return await views.render_page(request, "messages.html", gather, nav="messages", is_newest=before == INT64_MAX)


def sidebar(tx: Tx, visit: Caller) -> dict[str, Any]:
    """Return the sidebar's data: balance and numbers."""
    usage = account.usage(tx, visit.account_id, now_us=visit.now_us)
    rows = transfers.newest_of_account(tx, visit.account_id, before=INT64_MAX, limit=CHARTED_MAX)
    chart = balance_chart(
        rows, visit.account_id, balance=usage.balance, now_us=visit.now_us, span_us=CHARTED_DAYS * DAY_US
    )
    over = ended.newest(tx, visit.account_id, before=None, limit=SHOWN + 1, now_us=visit.now_us)
    return {
        "usage": usage,
        "chart": chart,
        **rentals(tx, visit),
        "over": over[:SHOWN],
        "more_over": len(over) > SHOWN,
        "is_new": not rows and not over,
    }


def rentals(tx: Tx, visit: Caller) -> dict[str, Any]:
    """Return the newest live rentals, newest first, with their groups' names, and how many more there are."""
    newest = rent.newest_rentals(tx, visit.account_id, now_us=visit.now_us, limit=SHOWN)
    return {"rentals": with_groups(tx, newest.rows), "more_rentals": newest.more}


def with_groups(tx: Tx, live: Sequence[Row]) -> list[dict[str, Any]]:
    """Add the names of their groups to rentals."""
    names = numbers.names(tx, [rental["group_id"] for rental in live])
    return [dict(rental) | {"group": names[rental["group_id"]]} for rental in live]


def rental_cost(tx: Tx, rental: Row, *, now_us: int) -> int:
    """Return the sats a rental has cost until now or its end: setup, started minutes, messages."""
    minutes = (
        rental["booked_minutes"]
        if rental["ended_at_us"] is not None
        else minutes_started(rental["started_at_us"], max(now_us, rental["started_at_us"]))
    )
    paid = with_limits(rental).rental.cost_of(minutes)
    return int(rental["setup_cost"] + paid + conversations.cost_of_rental(tx, rental["id"]))


ROUTES = [get_messages]
