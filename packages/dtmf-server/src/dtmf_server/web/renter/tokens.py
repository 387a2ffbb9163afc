"""`/tokens`: list, create and revoke API tokens, restricted ones too. A new token is shown once."""

import secrets
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf_server.core import api_token
from dtmf_server.core.errors import AlreadyIssued, GroupNotFound, InvalidRequest, Refusal
from dtmf_server.core.token_grant import SCOPES
from dtmf_server.http.request import Request
from dtmf_server.operations import token_limits, tokens
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.tokens import grant_of
from dtmf_server.web.kit import templating, views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import token_form

GROUPS_SHOWN = 20  # in the hint of the form


@get("/tokens")
async def get_tokens(request: Request) -> Response[Any]:
    """List the active tokens."""
    return await _page(request)


@post("/tokens", status_code=200)
async def post_tokens(request: Request) -> Response[Any]:
    """Create a token and show it once. A resubmitted form creates none."""
    form, cookie = await views.verified_form(request)
    new_token = api_token.mint(secrets.token_bytes(32))

    def action(tx: Tx, visit: Caller) -> StoredResponse:
        asked = token_form.asked(form, wall_us=visit.wall_us)
        sha256 = api_token.sha256(new_token)
        tokens.add(tx, visit.account_id, token_sha256=sha256, label=label, now_us=visit.now_us, asked=asked)
        return StoredResponse(200, secret=True)

    def add(tx: Tx, visit: Caller) -> StoredResponse:
        return views.once_for(tx, visit, request, form, lambda tx: action(tx, visit))

    try:
        label = token_form.label(form)
        await views.write(request, cookie, add)
    except GroupNotFound:
        unknown = InvalidRequest("groups", _("One of these groups doesn’t exist. Check the IDs."))
        return await _page(request, form, unknown)
    except InvalidRequest as refusal:
        return await _page(request, form, refusal)
    except AlreadyIssued:
        return views.already_shown(request, is_first=False)
    context = {"visit": None, "signed_in": True, "token": new_token, "is_first": False}
    return templating.page(request, "new_token.html", context, cookie=cookie)


@post("/tokens/{token_id:int}/revoke")
async def post_revoke(request: Request, token_id: FromPath[int]) -> Response[Any]:
    """Revoke a token, and end the sessions that were opened with it."""

    def revoke(tx: Tx, visit: Caller, _form: Form) -> str:
        tokens.revoke(tx, visit.account_id, token_id, now_us=visit.now_us)
        return "/tokens?done=revoked"

    return await views.handle_form(request, revoke, again=lambda form, refusal: _page(request, form, refusal))


def _shown(row: Row, *, labels: dict[int, str], now_us: int) -> dict[str, Any]:
    """Return a token as the page shows it: its grant, None if it is unrestricted, and what counts against its limits."""
    return {
        "id": row["id"],
        "label": row["label"],
        "created_at_us": row["created_at_us"],
        "created_by": labels.get(row["parent_id"]),
        "grant": grant_of(row),
        "reserved": row["reserved_sats"],
        "spent": row["spent_sats"],
        "today": token_limits.today(row, now_us=now_us),
        "rentals_started": row["rentals_started"],
    }


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        rows = tokens.of_account(tx, visit.account_id, wall_us=visit.wall_us)
        labels = {row["id"]: row["label"] for row in rows}
        return {
            "tokens": [_shown(row, labels=labels, now_us=visit.now_us) for row in rows],
            "unrestricted": sum(row["scopes"] is None for row in rows),
            "mine": visit.token_id,
            "scopes": SCOPES,
            "group_ids": sorted(numbers.group_ids(tx))[:GROUPS_SHOWN],
            "periods": token_form.periods(),
        }

    more = {**views.refused(form, refusal), "restricting": token_form.restricts(form)}
    return await views.render_page(
        request, "tokens.html", gather, status=views.status_of(refusal), nav="account", **more
    )


ROUTES = [get_tokens, post_tokens, post_revoke]
