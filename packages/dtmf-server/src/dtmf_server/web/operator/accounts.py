"""`/operator/accounts`: find an account, and what happened in it. Message texts are never shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from dtmf_server.core.errors import Refusal
from dtmf_server.core.money import SUSPENSE
from dtmf_server.core.units import INT64_MAX
from dtmf_server.http.request import Request
from dtmf_server.operations import find_account
from dtmf_server.operations.find_account import SeveralAccounts, UnknownAccount
from dtmf_server.storage import accounts, delivery_log, deposits, operator_actions, operator_lists, transfers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import templating
from dtmf_server.web.kit.forms import EMPTY, Form, form_error_of
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import PAGE, digits, page_of, position
from dtmf_server.web.operator import error_pages, views
from dtmf_server.web.operator.views import Visit

QUERY_MAX = 2_000  # characters; an invoice has several hundred


@get("/operator/accounts")
async def get_accounts(request: Request) -> Response[Any]:
    """List accounts, all or those of a network, or lead to the one that has what was searched for."""
    what = request.query_params.get("q", "").strip()[:QUERY_MAX]
    after = digits(request.query_params.get("after", "")) or 0
    network = _network(request.query_params.get("network", ""))

    def gather(tx: Tx, _visit: Visit) -> dict[str, Any]:
        found, trouble = _found(tx, request.scope["state"]["payment_hash"](what)) if what else (None, "")
        limit, ids = PAGE + 1, None
        if network is not None:
            ids = deposits.accounts_of_network(tx, network, after=after, limit=limit)
        rows = accounts.customers(tx, after=after, limit=limit, ids=ids)
        return {
            "found": found,
            "trouble": trouble,
            "network": network.hex() if network else "",
            "rows": rows[:PAGE],
            "after": rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
        }

    visit, context = await views.read(request, gather)
    if context["found"] is not None:
        return templating.redirect(f"/operator/accounts/{context['found']}")
    status = 404 if context["trouble"] else 200
    return views.render(request, "accounts.html", visit, context, status=status, nav="accounts", query=what)


def _found(tx: Tx, what: str) -> tuple[int | None, str]:
    """Return the account that has this, or why there isn't one."""
    try:
        return find_account.find(tx, what), ""
    except (UnknownAccount, SeveralAccounts) as refusal:
        trouble = error_pages.sentence(refusal.detail)
    if SUSPENSE in deposits.accounts_of_txid(tx, what.partition(":")[0], limit=find_account.FOUND_MAX):
        return None, _("This transaction paid an address in suspense: Deposits lists it, and no account has it.")
    return None, trouble


def _network(text: str) -> bytes | None:
    """Return the keyed hash of a network in the URL; None if it is invalid or missing."""
    try:
        return bytes.fromhex(text[:128]) or None
    except ValueError:
        return None


@get("/operator/accounts/{account_id:int}")
async def get_account(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Show an account as `dtmf-server accounts show` does."""
    return await show(request, account_id)


async def show(
    request: Request, account_id: int, *, form: Form = EMPTY, refusal: Refusal | None = None
) -> Response[Any]:
    """Render the account's page, with a form that was refused, if there is one."""

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        _require(tx, account_id)
        report = find_account.report(tx, account_id, now_us=visit.now_us, wall_us=visit.wall_us)
        return {"report": report, "account_id": account_id}

    status = 200 if refusal is None else refusal.status
    more = {"form": form, "form_error": form_error_of(refusal), "flash": request.query_params.get("done", "")}
    return await views.render_page(
        request, "account.html", gather, status=status, nav="accounts", tab="overview", **more
    )


async def _list(
    request: Request, account_id: int, tab: str, read: Callable[[Tx, int], Sequence[Row]], **more: Any
) -> Response[Any]:
    """Render a page of one of the account's lists, newest first. `read`: returns rows with IDs below a position."""
    before = position(request)

    def gather(tx: Tx, _visit: Visit) -> Mapping[str, Any]:
        _require(tx, account_id)
        return {"page": page_of(read(tx, before)), "account_id": account_id}

    return await views.render_page(request, f"account_{tab}.html", gather, nav="accounts", tab=tab, **more)


@get("/operator/accounts/{account_id:int}/ledger")
async def get_ledger(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Show the account's transfers."""
    return await _list(
        request,
        account_id,
        "ledger",
        lambda tx, before: transfers.newest_of_account(tx, account_id, before=before, limit=PAGE + 1),
    )


@get("/operator/accounts/{account_id:int}/rentals")
async def get_rentals(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Show the account's rentals."""
    return await _list(
        request,
        account_id,
        "rentals",
        lambda tx, before: operator_lists.rentals_of_account(tx, account_id, before=before, limit=PAGE + 1),
    )


@get("/operator/accounts/{account_id:int}/deliveries")
async def get_deliveries(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Show the account's deliveries with their attempts, without what receivers replied; all, or those that are
    parked, which have an index."""
    before, state = position(request), "parked" if request.query_params.get("state") == "parked" else None

    def gather(tx: Tx, _visit: Visit) -> Mapping[str, Any]:
        _require(tx, account_id)
        page = page_of(delivery_log.newest_of_state(tx, account_id, state=state, before=before, limit=PAGE + 1))
        attempts = delivery_log.attempts_of(tx, [row["id"] for row in page.rows])
        return {"page": page, "attempts": attempts, "account_id": account_id}

    return await views.render_page(
        request, "account_deliveries.html", gather, nav="accounts", tab="deliveries", shown=_shown, state=state
    )


def _shown(destination: str) -> str:
    """Return a phone number as it is, and of a URL only the host: the rest may contain a secret."""
    scheme, separator, rest = destination.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}/…" if separator else destination


@get("/operator/accounts/{account_id:int}/actions")
async def get_actions(request: Request, account_id: FromPath[int]) -> Response[Any]:
    """Show what operators did to the account."""
    return await _list(
        request,
        account_id,
        "actions",
        lambda tx, before: operator_actions.newest_of_account(tx, account_id, before=before, limit=PAGE + 1),
    )


def _require(tx: Tx, account_id: int) -> None:
    """Raise UnknownAccount unless this is a customer's account."""
    known = 0 < account_id <= INT64_MAX
    if not known or not accounts.customers(tx, after=0, limit=1, ids=[account_id]):
        raise UnknownAccount


ROUTES = [get_accounts, get_account, get_ledger, get_rentals, get_deliveries, get_actions]
