"""`/sandbox`: a test phone that exchanges messages with your numbers, a faucet for test coins, a test wallet for Lightning
invoices, and the clock."""

from typing import Any, cast

from litestar import Response, get, post

from dtmf.e164 import is_e164
from dtmf_server.core.billing import NEVER_US
from dtmf_server.core.errors import InvalidRequest, NotFound, NumberNotRented, Refusal
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.lightning import MSAT
from dtmf_server.core.units import SECOND_US
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.http.sandbox_sync import run_due_work, wait_for_chain, wait_for_lightning
from dtmf_server.operations import deposit, sandbox, simulated_lightning
from dtmf_server.operations.receive import receive_many
from dtmf_server.operations.rent import live_rental, newest_rentals
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import conversations, deposits, invoices
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import drafts, views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import digits
from dtmf_server.web.kit.views import Caller

PHONE = "+13105550123"  # the test phone's number, reserved for fiction
SENDER_MAX = 64
COINS_MAX = 100_000_000
SHOWN = 30  # messages on the test phone
PAYABLE = 10  # invoices
ANY_AMOUNT_MSAT = 10_000 * MSAT  # paid to an invoice without an amount
FAULTS = {
    "": _("Normally"),
    "late": _("Even if it has expired"),
    "twice": _("Reported twice by the node"),
}
ADVANCES_S = {
    "600": _("10 minutes"),
    "3600": _("1 hour"),
    "86400": _("1 day"),
    "604800": _("1 week"),
    "2592000": _("30 days"),
}


@get("/sandbox")
async def get_sandbox(request: Request) -> Response[Any]:
    """Show the test phone, the faucet and the clock."""
    return await _page(request)


@post("/sandbox/phone", opt=views.WHILE_SUSPENDED)
async def post_phone(request: Request) -> Response[Any]:
    """Send an SMS from the test phone, or any sender, to one of the account's numbers."""

    def arrive(tx: Tx, visit: Caller, form: Form) -> str:
        to, sender, content = _sms(form)
        live_rental(tx, visit.account_id, to, now_us=visit.now_us)
        (message_id,) = receive_many(tx, [InboundMessage(to, sender, content)], now_us=visit.now_us)
        if message_id is None:
            raise NumberNotRented
        return "/sandbox?done=texted"

    return await views.handle_form(request, arrive, again=lambda form, refusal: _page(request, form, refusal))


@post("/sandbox/faucet", opt=views.WHILE_SUSPENDED)
async def post_faucet(request: Request) -> Response[Any]:
    """Send test coins to the account's newest address, confirmed or unconfirmed."""
    runtime = _runtime(request)
    if runtime.settings.network != "simulated":
        raise NotFound

    def pay(tx: Tx, visit: Caller, form: Form) -> str:
        words = _("Enter a whole number of satoshis, from 1 to %d.") % COINS_MAX
        amount = form.whole("amount", at_least=1, at_most=COINS_MAX, otherwise=words)
        assert runtime.derive is not None, "a sandbox accepts deposits"
        newest = deposits.newest_address(tx, visit.account_id)
        address = (
            newest["address"]
            if newest
            else deposit.new_address(tx, visit.account_id, derive=runtime.derive, now_us=visit.now_us)
        )
        needed = sandbox.blocks_needed(tx, visit.account_id, amount, depths=runtime.settings.confirmations)
        sandbox.broadcast(tx, visit.account_id, address=address, amount=amount)
        sandbox.mine(tx, 0 if form["pending"] else needed)
        done = "pending" if form["pending"] else "paid"
        return f"/top-up?done={done}" if form["back"] == "top-up" else f"/sandbox?done={done}"

    response = await views.handle_form(request, pay, again=lambda form, refusal: _page(request, form, refusal))
    if response.status_code == 303:
        await wait_for_chain(runtime)
    return response


@post("/sandbox/pay", opt=views.WHILE_SUSPENDED)
async def post_pay(request: Request) -> Response[Any]:
    """Pay an invoice from the test wallet: once, after it has expired, or so that the node reports it twice."""
    runtime = _runtime(request)
    if runtime.invoices is None or not runtime.invoices.is_simulated:
        raise NotFound

    def pay(tx: Tx, visit: Caller, form: Form) -> str:
        row = invoices.by_id(tx, digits(form["invoice"]) or 0)
        if row is None or row["account_id"] != visit.account_id or row["bolt11"] is None:
            raise InvalidRequest("invoice", _("Choose one of your invoices."))
        if form["fault"] not in FAULTS:
            raise InvalidRequest("fault", _("Choose how to pay."))
        amount_msat = None if row["amount_msat"] else ANY_AMOUNT_MSAT
        fault = cast(simulated_lightning.Fault | None, form["fault"] or None)
        simulated_lightning.pay(
            tx, visit.account_id, row["bolt11"], amount_msat=amount_msat, fault=fault, now_us=visit.now_us
        )
        return form["back"] if drafts.safe(form["back"]) else "/sandbox?done=settled"

    response = await views.handle_form(request, pay, again=lambda form, refusal: _page(request, form, refusal))
    if response.status_code == 303:
        await wait_for_lightning(runtime)
    return response


@post("/sandbox/clock", opt=views.WHILE_SUSPENDED)
async def post_clock(request: Request) -> Response[Any]:
    """Move the clock forward and process what came due before responding."""
    runtime = _runtime(request)

    def advance(tx: Tx, visit: Caller, form: Form) -> str:
        if form["advance_s"] not in ADVANCES_S:
            raise InvalidRequest("advance_s", _("Choose how far to move the clock."))
        by_us = int(form["advance_s"]) * SECOND_US
        if visit.now_us + by_us >= NEVER_US:
            raise InvalidRequest("advance_s", _("The clock can't go past the year 9999."))
        sandbox.advance_clock(tx, by_us)
        return "/sandbox?done=advanced"

    response = await views.handle_form(request, advance, again=lambda form, refusal: _page(request, form, refusal))
    if response.status_code == 303:
        await run_due_work(runtime)
    return response


def _sms(form: Form) -> tuple[str, str, str]:
    """Return recipient, sender and text. Raises InvalidRequest naming the field."""
    to, sender = form["to"], validation.line("from", form.line("from"))
    content = validation.text("text", form.text("text"))
    if not is_e164(to):
        raise InvalidRequest("to", _("Choose one of your numbers."))
    if not 0 < len(sender) <= SENDER_MAX:
        raise InvalidRequest("from", _("Enter a number, or a name of at most %d characters.") % SENDER_MAX)
    if len(content) > validation.TEXT_MAX:
        raise InvalidRequest("text", _("This message is too long. Use at most %d characters.") % validation.TEXT_MAX)
    return to, sender, content


def _runtime(request: Request) -> Runtime:
    runtime = runtime_of(request)
    if not runtime.settings.sandbox:
        raise NotFound
    return runtime


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    runtime = _runtime(request)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        newest = newest_rentals(tx, visit.account_id, now_us=visit.now_us)
        return {
            "rentals": newest.rows,
            "more_rentals": newest.more,
            "seen": _seen(tx, visit),
            "phone": PHONE,
            "advances": ADVANCES_S,
            "payable": _payable(tx, visit),
            "has_wallet": runtime.invoices is not None and runtime.invoices.is_simulated,
            "faults": FAULTS,
        }

    more = views.refused(form, refusal)
    return await views.render_page(
        request, "sandbox.html", gather, status=views.status_of(refusal), nav="sandbox", **more
    )


def _payable(tx: Tx, visit: Caller) -> list[dict[str, Any]]:
    """Return the account's last invoices that are not paid."""
    rows = invoices.newest_of_account(tx, visit.account_id, limit=SHOWN)
    unpaid = [row for row in rows if row["state"] != "settled"][:PAYABLE]
    return [dict(row) | {"is_expired": row["expires_at_us"] <= visit.now_us} for row in unpaid]


def _seen(tx: Tx, visit: Caller) -> list[Row]:
    """Return the latest messages between the account's numbers and other phones, oldest first."""
    return list(reversed(conversations.newest(tx, visit.account_id, limit=SHOWN)))


ROUTES = [get_sandbox, post_phone, post_faucet, post_pay, post_clock]
