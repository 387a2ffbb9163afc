"""`/transactions`: the account statement, newest first."""

from typing import Any

from litestar import Response, get

from dtmf_server.core.units import INT64_MAX
from dtmf_server.http.request import Request
from dtmf_server.operations import account
from dtmf_server.storage import conversations, transfers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.pagination import PAGE, page_of, position
from dtmf_server.web.kit.views import Caller

LONG = 40  # a reference of at least this length is a Bitcoin transaction id


@get("/transactions")
async def get_transactions(request: Request) -> Response[Any]:
    """Show a page of the statement, and the cost of minutes not yet booked."""
    before = position(request)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        rows = transfers.newest_of_account(tx, visit.account_id, before=before, limit=PAGE + 1)
        balance = account.balance(tx, visit.account_id, now_us=visit.now_us)
        newest = transfers.newest_of_account(tx, visit.account_id, before=INT64_MAX, limit=1)
        unbooked = newest[0]["balance"] - balance if newest else 0
        return {
            "page": page_of(rows),
            "reasons": _reasons(tx, visit, rows),
            "account_id": visit.account_id,
            "unbooked": unbooked,
        }

    return await views.render_page(request, "transactions.html", gather, nav="account", is_newest=before == INT64_MAX)


def _reasons(tx: Tx, visit: Caller, rows: list[Row]) -> dict[int, str]:
    """Describe each transfer: a message by its sender and recipient, anything else by its reference."""
    ids = [int(row["reference"]) for row in rows if row["kind"].startswith("message_")]
    messages = conversations.of_ids(tx, visit.account_id, ids)
    return {row["id"]: _reason(row, messages) for row in rows}


def _reason(row: Row, messages: dict[int, Row]) -> str:
    message = messages.get(int(row["reference"])) if row["kind"].startswith("message_") else None
    if message is None:
        reference = str(row["reference"])
        return reference if len(reference) < LONG else f"{reference[:10]}\u2026{reference[-8:]}"
    return f"{message['sender']} \u2192 {message['recipient']}"


ROUTES = [get_transactions]
