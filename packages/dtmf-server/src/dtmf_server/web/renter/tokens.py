"""`/tokens`: list, create and revoke API tokens. A new token is shown once."""

import secrets
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf_server.core import api_token
from dtmf_server.core.errors import AlreadyIssued, InvalidRequest, Refusal
from dtmf_server.http import validation
from dtmf_server.http.request import Request
from dtmf_server.operations import tokens
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import templating, views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller


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
        tokens.add(tx, visit.account_id, token_sha256=api_token.sha256(new_token), label=label, now_us=visit.now_us)
        return StoredResponse(200, secret=True)

    def add(tx: Tx, visit: Caller) -> StoredResponse:
        return views.once_for(tx, visit, request, form, lambda tx: action(tx, visit))

    try:
        label = _label(form)
        await views.write(request, cookie, add)
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


def _label(form: Form) -> str:
    label = validation.line("label", form.line("label"))
    if not label:
        raise InvalidRequest("label", _("Enter a name, for example the program that will use the token."))
    if len(label) > validation.LABEL_MAX:
        raise InvalidRequest("label", _("This name is too long. Use at most %d characters.") % validation.LABEL_MAX)
    return label


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {"tokens": tokens.of_account(tx, visit.account_id, wall_us=visit.wall_us), "mine": visit.token_id}

    more = views.refused(form, refusal)
    return await views.render_page(
        request, "tokens.html", gather, status=views.status_of(refusal), nav="account", **more
    )


ROUTES = [get_tokens, post_tokens, post_revoke]
