"""Sign up, sign in and sign out. A token is shown once; the browser stores a session cookie, never the token."""

import secrets
from typing import Any

from litestar import Response, get, post

from dtmf_server.core import api_token
from dtmf_server.core.errors import Refusal, SignupClosed
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, sign_in
from dtmf_server.operations.sign_in import UnknownToken
from dtmf_server.storage import web_sessions
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import csrf, drafts, session_cookie, templating, views
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.request import caller, sign_in_limit
from dtmf_server.web.renter.landing import get_landing


class TooManyAttempts(Refusal):
    """Too many failed sign-in attempts from your network."""

    status, code, title = 429, "too_many_attempts", "Too many attempts"


class NotPrivate(Refusal):
    """Signing in over HTTP would send your session unencrypted. Open this site with https://."""

    status, code, title = 403, "not_private", "HTTPS required"


@get("/sign-up")
async def get_sign_up(request: Request) -> Response[Any]:
    """Explain accounts and offer to create one."""
    return await views.render_public_page(request, "sign_up.html")


@post("/sign-up", status_code=200)
async def post_sign_up(request: Request) -> Response[Any]:
    """Create an account, sign in, and show the token once."""
    try:
        await views.verified_form(request)
    except csrf.CsrfRejected:
        if not csrf.is_same_origin(request) or not await views.is_signed_in(request):
            raise
        return views.already_shown(request, is_first=True)  # the token page was reloaded, which resubmits the form
    runtime = runtime_of(request)
    if not runtime.settings.sandbox and runtime.settings.signup != "open":
        raise SignupClosed
    _refuse_in_clear(request)
    new_token, cookie = api_token.mint(secrets.token_bytes(32)), session_cookie.new_value()

    def open_account(tx: Tx) -> None:
        account.open_account(tx, token_sha256=api_token.sha256(new_token), now_us=runtime.clock.now_us(tx))
        _begin(tx, request, new_token, cookie)

    await runtime.db.write(open_account)
    context = {"visit": None, "signed_in": True, "token": new_token, "is_first": True}
    response = templating.page(request, "new_token.html", context, cookie=cookie)
    session_cookie.set_cookie(request, response, cookie, signed_in=True)
    return response


@get("/sign-in")
async def get_sign_in(request: Request) -> Response[Any]:
    """Show the sign-in form."""
    return await views.render_public_page(request, "sign_in.html", next=_next(request.query_params.get("next", "")))


@post("/sign-in")
async def post_sign_in(request: Request) -> Response[Any]:
    """Start a session with a token. Failed attempts are rate limited by address."""
    form, _cookie = await views.verified_form(request)
    _refuse_in_clear(request)
    limit, who = sign_in_limit(request), caller(request)
    if wait_s := limit.wait_s(who):
        text = _("Too many failed sign-in attempts from your network. Try again in %d seconds.") % wait_s
        return await _again(request, form, TooManyAttempts(f"token: {text}", field="token", retry_after=wait_s))
    given, cookie = form.line("token"), session_cookie.new_value()
    try:
        if not api_token.is_well_formed(given):
            raise UnknownToken(_unlike_a_token(given))
        await runtime_of(request).db.write(lambda tx: _begin(tx, request, given, cookie))
    except UnknownToken as refusal:
        limit.retry_after_s(who)
        return await _again(request, form, type(refusal)(f"token: {refusal.detail}", field="token"))
    draft = drafts.decoded(form["draft"])
    if draft is None:
        response = templating.redirect(_next(form["next"]))
    else:
        context = {"visit": None, "signed_in": True, "draft": draft, "signed_in_now": True}
        response = templating.page(request, "draft.html", context, cookie=cookie)
    session_cookie.set_cookie(request, response, cookie, signed_in=True)
    return response


@get("/sign-in/link")
async def get_sign_in_link(request: Request) -> Response[Any]:
    """Show a button, so that link previews don't use up the one-time link."""
    key, wall_us = request.query_params.get("key", ""), runtime_of(request).clock.wall_us()
    link = session_cookie.sha256(key)
    if key and not await runtime_of(request).db.read(lambda tx: sign_in.link_works(tx, link, wall_us=wall_us)):
        return await _link_used(request)
    return await views.render_public_page(request, "sign_in_link.html", link=key)


@post("/sign-in/link")
async def post_sign_in_link(request: Request) -> Response[Any]:
    """Sign in with a one-time link."""
    try:
        form, _cookie = await views.verified_form(request)
    except csrf.CsrfRejected:
        if not csrf.is_same_origin(request) or not await views.is_signed_in(request):
            raise
        return await _link_used(request, status=csrf.CsrfRejected.status)  # the button was pressed twice
    _refuse_in_clear(request)
    runtime, cookie = runtime_of(request), session_cookie.new_value()
    link, session = session_cookie.sha256(form["link"]), session_cookie.sha256(cookie)
    wall_us = runtime.clock.wall_us()
    try:
        await runtime.db.write(
            lambda tx: sign_in.sign_in_by_link(tx, link_sha256=link, session_sha256=session, wall_us=wall_us)
        )
    except sign_in.LinkUsed:
        return await _link_used(request)
    response = templating.redirect("/messages")
    session_cookie.set_cookie(request, response, cookie, signed_in=True)
    return response


@post("/sign-out")
async def post_sign_out(request: Request) -> Response[Any]:
    """End this session."""
    _form, cookie = await views.verified_form(request)
    await runtime_of(request).db.write(lambda tx: web_sessions.end(tx, session_cookie.sha256(cookie)))
    response = templating.redirect("/")
    session_cookie.clear_cookie(request, response)
    return response


async def _link_used(request: Request, *, status: int = sign_in.LinkUsed.status) -> Response[Any]:
    """Explain what to do about a used or expired link."""
    return await views.render_public_page(request, "link_used.html", status=status)


def _begin(tx: Tx, request: Request, given: str, cookie: str) -> None:
    wall_us = runtime_of(request).clock.wall_us()
    sign_in.sign_in(
        tx, token_sha256=api_token.sha256(given), session_sha256=session_cookie.sha256(cookie), wall_us=wall_us
    )


async def _again(request: Request, form: Form, refusal: Refusal) -> Response[Any]:
    """Redisplay the form without what was typed, which may be a token."""
    kept = Form({"next": form["next"], "draft": form["draft"]})
    response = await views.render_public_page(
        request,
        "sign_in.html",
        status=refusal.status,
        next=_next(form["next"]),
        draft=drafts.decoded(form["draft"]),
        **views.refused(kept, refusal),
    )
    if "retry_after" in refusal.members:
        response.headers["Retry-After"] = str(refusal.members["retry_after"])
    return response


def _unlike_a_token(given: str) -> str:
    if not given:
        return _("Paste your token here. It begins with dtmf_.")
    if not given.startswith(api_token.PREFIX):
        return _("Tokens begin with dtmf_, but this doesn't. Did you paste something else?")
    return _("That token isn't valid. Did you copy all of it? It's dtmf_ followed by 36 letters and digits.")


def _refuse_in_clear(request: Request) -> None:
    if not views.may_hold_a_session(request):
        raise NotPrivate


def _next(address: str) -> str:
    """Return where to go after signing in: a path of this site, never another site."""
    return address if drafts.safe(address) else "/messages"


ROUTES = [
    *(get_landing, get_sign_up, post_sign_up, get_sign_in, post_sign_in),
    *(get_sign_in_link, post_sign_in_link, post_sign_out),
]
