"""`/top-up`: a deposit address, as text and as a QR code, and recent deposits."""

from typing import Any

from litestar import Response, get, post

from dtmf_server.core.errors import DepositsUnavailable, Refusal
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, deposit
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.views import Caller

SHOWN = 20  # deposits


@get("/top-up")
async def get_top_up(request: Request) -> Response[Any]:
    """Show the newest address and recent deposits."""
    return await _page(request)


@post("/top-up")
async def post_top_up(request: Request) -> Response[Any]:
    """Create a new deposit address."""
    runtime = runtime_of(request)
    derive = runtime.derive
    network = None if runtime.settings.sandbox else network_of(request.scope, runtime.settings.trusted_proxies)

    def give(tx: Tx, visit: Caller, _form: Form) -> str:
        if derive is None:
            raise DepositsUnavailable
        deposit.new_address(tx, visit.account_id, derive=derive, now_us=visit.now_us, network=network)
        return "/top-up"

    return await views.handle_form(request, give, again=lambda form, refusal: _page(request, form, refusal))


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    runtime = runtime_of(request)
    depths = runtime.settings.confirmations

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {
            "address": deposits.newest_address(tx, visit.account_id),
            "deposits": deposit.newest_of(tx, visit.account_id, depths=depths, limit=SHOWN),
            "usage": account.usage(tx, visit.account_id, now_us=visit.now_us),
        }

    return await views.render_page(
        request,
        "top_up.html",
        gather,
        status=views.status_of(refusal),
        nav="top-up",
        confirmations=depths[0][1],
        takes_coins=runtime.derive is not None,
        **views.refused(form, refusal),
    )


ROUTES = [get_top_up, post_top_up]
