"""`/account`: data export, sessions, account deletion."""

from typing import Any

from litestar import Response, get, post

from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, close_account, sign_in
from dtmf_server.storage import web_sessions
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import session_cookie, templating, views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller


@get("/account")
async def get_account(request: Request) -> Response[Any]:
    """Show exports, sessions and the link to delete the account."""

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {"browsers": sign_in.browsers(tx, visit.account_id, wall_us=visit.wall_us)}

    retention_us = runtime_of(request).settings.retention_us
    return await views.render_page(request, "account.html", gather, nav="account", retention_us=retention_us)


@post("/account/sign-out", opt=views.WHILE_SUSPENDED)
async def post_sign_out_everywhere(request: Request) -> Response[Any]:
    """End all sessions of the account, including this one."""
    _form, cookie = await views.verified_form(request)
    await views.write(request, cookie, lambda tx, visit: web_sessions.end_all(tx, visit.account_id))
    response = templating.redirect("/sign-in")
    session_cookie.clear_cookie(request, response)
    return response


@get("/account/delete")
async def get_delete(request: Request) -> Response[Any]:
    """Explain what deleting the account means and ask for confirmation."""
    return await _page(request)


@post("/account/delete")
async def post_delete(request: Request) -> Response[Any]:
    """Delete the account if the user has agreed to forfeit the balance shown."""
    form, cookie = await views.verified_form(request)

    def close(tx: Tx, visit: Caller) -> None:
        close_account.close_account(
            tx, visit.account_id, given_up_max=agreed, now_us=visit.now_us, wall_us=visit.wall_us
        )

    try:
        agreed = form.whole(
            "given_up", at_least=0, at_most=2**53, otherwise=_("Your balance has changed. Check it and confirm again.")
        )
        if form["agreed"] != "yes":
            raise InvalidRequest("agreed", _("Tick to confirm."))
        await views.write(request, cookie, close)
        db = runtime_of(request).db
        while await db.write(close_account.go_on):
            pass
        await db.scrub()
    except (InvalidRequest, close_account.MoreThanAgreed, close_account.DepositUnderWay) as refusal:
        return await _page(request, form, refusal)
    response = templating.redirect("/account/deleted")
    session_cookie.clear_cookie(request, response)
    return response


@get("/account/deleted")
async def get_deleted(request: Request) -> Response[Any]:
    """Show what was deleted, and what the user can do now."""
    return await views.render_public_page(request, "account_deleted.html")


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {
            "usage": account.usage(tx, visit.account_id, now_us=visit.now_us),
            "live_rentals": account.standing(tx, visit.account_id, now_us=visit.now_us).live_rentals,
        }

    more = views.refused(form, refusal)
    return await views.render_page(
        request, "account_delete.html", gather, status=views.status_of(refusal), nav="account", **more
    )


ROUTES = [get_account, post_sign_out_everywhere, get_delete, post_delete, get_deleted]
