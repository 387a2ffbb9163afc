"""`/top-up`: pay by Lightning or to an address, with a QR code, and recent deposits of both.

`?amount=` prefills the amount, and `?return=` is a path of this site to return to once an invoice is paid.
"""

from typing import Any
from urllib.parse import quote

from litestar import Response, get, post

from dtmf_server.core.deposit_amounts import in_bitcoins
from dtmf_server.core.errors import DepositsUnavailable, Refusal
from dtmf_server.http import deposit_amount
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, deposit
from dtmf_server.storage import deposits, invoices
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import drafts, views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.pagination import digits
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import payment

SHOWN = 20  # deposits
TRIES_AGAIN = (404, 422, 429, 503)  # statuses of refusals that show the form again


@get("/top-up")
async def get_top_up(request: Request) -> Response[Any]:
    """Show an invoice, or the form for one; the newest address; and recent deposits."""
    return await _page(request)


@post("/top-up", opt=views.WHILE_SUSPENDED)
async def post_top_up(request: Request) -> Response[Any]:
    """Create an invoice, and an address for those who pay on the chain."""
    runtime = runtime_of(request)
    form, _ = await views.verified_form(request)
    try:
        amount_sats = await deposit_amount.in_sats(runtime, form.line("amount"))
    except Refusal as refusal:
        return await _page(request, form, refusal)

    def want(tx: Tx, visit: Caller, form: Form) -> str:
        invoice_id = payment.want(tx, visit, runtime, amount_sats=amount_sats)
        if runtime.derive is not None and deposits.newest_address(tx, visit.account_id) is None:
            _new_address(tx, visit, request)
        return f"/top-up?invoice={invoice_id}{_returning(form['return'])}"

    return await views.handle_form(request, want, again=lambda form, refusal: _page(request, form, refusal))


@post("/top-up/address", opt=views.WHILE_SUSPENDED)
async def post_address(request: Request) -> Response[Any]:
    """Create a new deposit address."""

    def give(tx: Tx, visit: Caller, form: Form) -> str:
        _new_address(tx, visit, request)
        query = f"amount={quote(form['amount'])}{_returning(form['return'])}" if form["amount"] else ""
        return f"/top-up?{query}" if query else "/top-up"

    return await views.handle_form(request, give, again=lambda form, refusal: _page(request, form, refusal))


def _new_address(tx: Tx, visit: Caller, request: Request) -> None:
    runtime = runtime_of(request)
    if runtime.derive is None:
        raise DepositsUnavailable
    network = None if runtime.settings.sandbox else network_of(request.scope, runtime.settings.trusted_proxies)
    deposit.new_address(tx, visit.account_id, derive=runtime.derive, now_us=visit.now_us, network=network)


def _returning(path: str) -> str:
    """Return the query parameter of the path to return to; empty if there is none, or not one of this site."""
    return f"&return={quote(path, safe='/')}" if path and drafts.safe(path) else ""


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    runtime, query = runtime_of(request), request.query_params
    depths, back = runtime.settings.confirmations, form.shown("return", query.get("return", ""))
    invoice, asked_sats = None, None
    try:
        if refusal is None and (invoice_id := digits(query.get("invoice", ""))):
            invoice = await payment.ready(request, invoice_id)
        elif refusal is None and query.get("amount"):
            asked_sats = await deposit_amount.in_sats(runtime, query["amount"][:100])
    except Refusal as error:
        if error.status not in TRIES_AGAIN:
            raise
        refusal = error
    rate = await payment.rate_of(runtime)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        newest = deposits.newest_address(tx, visit.account_id)
        address = newest["address"] if newest else None
        on_chain = deposit.newest_of(tx, visit.account_id, depths=depths, limit=SHOWN)
        return {
            "address": address,
            "address_uri": _uri(address, asked_sats),
            "payment": payment.shown(invoice, address=address, rate=rate, now_us=visit.now_us) if invoice else None,
            "history": _history(on_chain, invoices.newest_of_account(tx, visit.account_id, limit=SHOWN)),
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
        takes_lightning=runtime.invoices is not None,
        has_wallet=runtime.invoices is not None and runtime.invoices.is_simulated,
        currency=rate.currency if rate else None,
        asked=query.get("amount", "")[:100],
        asked_sats=asked_sats,
        asked_approximately=rate.of(asked_sats) if rate and asked_sats else "",
        back=back if drafts.safe(back) else "",
        **views.refused(form, refusal),
    )


def _uri(address: str | None, amount_sats: int | None) -> str:
    amount = f"?amount={in_bitcoins(amount_sats)}" if amount_sats else ""
    return f"bitcoin:{address}{amount}"


def _history(on_chain: list[tuple[Row, int, int]], by_lightning: list[Row]) -> list[dict[str, Any]]:
    """Return the last deposits and invoices, newest first."""
    found: list[dict[str, Any]] = [
        {"at_us": row["seen_at_us"], "deposit": row, "invoice": None, "count": count, "needed": needed}
        for row, count, needed in on_chain
    ]
    found += [
        {"at_us": row["created_at_us"], "deposit": None, "invoice": row, "amount": payment.amount_of(row)}
        for row in by_lightning
    ]
    return sorted(found, key=lambda each: each["at_us"], reverse=True)[:SHOWN]


ROUTES = [get_top_up, post_top_up, post_address]
