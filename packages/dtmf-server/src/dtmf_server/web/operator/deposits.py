"""`/operator/deposits`: deposits on-chain and over Lightning, what is in suspense, and how payments are followed."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.core.money import SUSPENSE
from dtmf_server.http.request import Request
from dtmf_server.operations import address_gap, lightning_health
from dtmf_server.storage import accounts, chain, deposits, operator_lists, sign_ups
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit.pagination import PAGE, page_of, position
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit

TABS = ("chain", "suspense", "lightning")


@get("/operator/deposits")
async def get_deposits(request: Request) -> Response[Any]:
    """Show a page of deposits, newest first."""
    asked, before = request.query_params.get("tab", ""), position(request)
    tab = asked if asked in TABS else "chain"

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        if tab == "lightning":
            rows = operator_lists.newest_invoices(tx, before=before, limit=PAGE + 1)
        elif tab == "suspense":
            rows = operator_lists.newest_deposits_of(tx, SUSPENSE, before=before, limit=PAGE + 1)
        else:
            rows = operator_lists.newest_deposits(tx, before=before, limit=PAGE + 1)
        return {
            "page": page_of(rows),
            "suspense_sats": accounts.load(tx, SUSPENSE).balance,
            "unclaimed": sign_ups.unclaimed(tx),
            "chain": chain.load(tx),
            "tip": chain.tip(tx),
            "gap": address_gap.address_gap(tx),
            "skipped": deposits.skipped(tx),
            "lightning": lightning_health.health(tx, wall_us=visit.wall_us, now_us=visit.now_us),
        }

    return await views.render_page(request, "deposits.html", gather, nav="deposits", tab=tab, suspense_id=SUSPENSE)


ROUTES = [get_deposits]
