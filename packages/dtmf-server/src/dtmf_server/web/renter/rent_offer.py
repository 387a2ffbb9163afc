"""Pay and rent: a renter without enough balance pays the invoice of an offer, and then has the number.

`/rent/{group_id}?invoice=` waits for the payment. Once the balance suffices, it submits a form to `/rent/{group_id}/accept`,
by script or by a button, which rents once per offer.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, post
from litestar.params import FromPath

from dtmf_server.core.errors import InsufficientFunds, InvoiceNotFound, Refusal
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import rent_offers
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.operations.rent_offers import Offer, Standing
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import templating, views
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import digits
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import payment

RENTED = 201  # the status of an accepted offer's outcome


async def make(
    request: Request, offer: Offer, *, minutes: int, again: Callable[[Form, Refusal], Awaitable[Response[Any]]]
) -> Response[Any]:
    """Store the offer with an invoice for what is missing, and redirect to the page that waits for its payment."""
    runtime = runtime_of(request)

    def want(tx: Tx, visit: Caller, _form: Form) -> str:
        missing = rent_offers.missing_for(tx, visit.account_id, offer.prices, minutes=minutes, now_us=visit.now_us)
        invoice_id = payment.want(tx, visit, runtime, amount_sats=missing)
        rent_offers.make(tx, visit.account_id, invoice_id, offer, wall_us=visit.wall_us)
        return f"/rent/{offer.group_id}?invoice={invoice_id}"

    return await views.handle_form(request, want, again=again)


async def page(request: Request, group_id: str) -> Response[Any] | None:
    """Show the invoice of an offer and its state. None if the request names no offer of this group, or a closed one."""
    standing = await _standing(request, group_id)
    if standing is None or (standing.outcome is not None and standing.outcome.status != RENTED):
        return None
    if standing.outcome is not None:
        return templating.redirect(_number(standing.outcome))
    offer, runtime = standing.offer, runtime_of(request)
    try:
        invoice = await payment.ready(request, standing.invoice["id"])
    except InvoiceNotFound:
        return None  # the node refused it
    rate = await payment.rate_of(runtime)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {
            "group": numbers.group(tx, group_id),
            "payment": payment.shown(invoice, address=None, rate=rate, now_us=visit.now_us),
        }

    return await views.render_page(
        request,
        "rent_offer.html",
        gather,
        nav="rent",
        offer=offer,
        missing=standing.missing,
        is_expired=standing.is_expired,
        has_wallet=runtime.invoices is not None and runtime.invoices.is_simulated,
        group_id=group_id,
    )


async def closed(request: Request, group_id: str) -> str:
    """Describe why nothing was rented for the payment of the offer that the request names; empty if it names none."""
    standing = await _standing(request, group_id)
    if standing is None or standing.outcome is None or standing.outcome.status == RENTED:
        return ""
    texts = {
        "number_taken": _("Another renter took this number before your payment arrived."),
        "no_numbers_available": _("Another renter took the last number before your payment arrived."),
        "price_changed": _("The price went up before your payment arrived."),
    }
    return texts.get((standing.outcome.body or b"").decode(), _("This number can’t be rented at the moment."))


@post("/rent/{group_id:str}/accept")
async def post_accept(request: Request, group_id: FromPath[str]) -> Response[Any]:
    """Rent what was offered, at the prices shown or not at all."""
    form, cookie = await views.verified_form(request)
    settings, invoice_id = runtime_of(request).settings, digits(form["invoice"]) or 0
    waiting = f"/rent/{group_id}?invoice={invoice_id}"

    def accept(tx: Tx, visit: Caller) -> str:
        standing = rent_offers.find(tx, visit.account_id, invoice_id, now_us=visit.now_us)
        if standing is None or standing.offer.group_id != group_id or (standing.is_expired and not standing.outcome):
            return waiting
        outcome = rent_offers.accept(
            tx,
            visit.account_id,
            invoice_id,
            standing.offer,
            now_us=visit.now_us,
            wall_us=visit.wall_us,
            cooldown_us=settings.cooldown_us,
            rules=settings.supply,
            network=network(request),
            price_terms=runtime_of(request).price_terms(),
        )
        return _number(outcome) if outcome.status == RENTED else waiting

    try:
        return templating.redirect(await views.write(request, cookie, accept))
    except InsufficientFunds:
        return templating.redirect(waiting)
    except Refusal as refusal:
        if refusal.status not in (404, 409, 422):
            raise
        code = refusal

    def close(tx: Tx, visit: Caller) -> str:
        outcome = rent_offers.close(tx, visit.account_id, invoice_id, code, wall_us=visit.wall_us)
        return _number(outcome) if outcome.status == RENTED else waiting

    return templating.redirect(await views.write(request, cookie, close))


def network(request: Request) -> str | None:
    """Return the network prefix that refunds are capped by; None in a sandbox."""
    settings = runtime_of(request).settings
    return None if settings.sandbox else network_of(request.scope, settings.trusted_proxies)


def _number(outcome: StoredResponse) -> str:
    return f"/numbers/{(outcome.body or b'').decode()}?done=rented"


async def _standing(request: Request, group_id: str) -> Standing | None:
    """Return the offer that the request names, if it is one of this group and account."""
    invoice_id = digits(request.query_params.get("invoice", ""))
    if not invoice_id:
        return None

    def find(tx: Tx, visit: Caller) -> Standing | None:
        return rent_offers.find(tx, visit.account_id, invoice_id, now_us=visit.now_us)

    standing = await views.read(request, find)
    return standing if standing is not None and standing.offer.group_id == group_id else None
