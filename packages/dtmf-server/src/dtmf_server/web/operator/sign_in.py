"""Sign in with a one-time link, and sign out."""

from typing import Any

from litestar import Response, get, post

from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import operator_sign_in
from dtmf_server.operations.operator_sign_in import OperatorLinkUsed
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import csrf, forms, session_cookie, templating
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.request import caller, sign_in_limit
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit


class TooManyLinks(Refusal):
    """Too many links that don't work were tried from your network."""

    status, code, title = 429, "too_many_links", "Too many attempts"


@get("/operator/sign-in")
async def get_sign_in(request: Request) -> Response[Any]:
    """Show whom the link signs in, and a button, so that a link preview doesn't use it up. Without a link, explain how to
    get one."""
    key, runtime = request.query_params.get("key", ""), runtime_of(request)
    operator = ""
    if key:
        _refuse_guesses(request)
        try:
            operator = await runtime.db.read(
                lambda tx: operator_sign_in.operator_of_link(
                    tx, session_cookie.sha256(key), wall_us=runtime.clock.wall_us()
                )
            )
        except OperatorLinkUsed as refusal:
            sign_in_limit(request).retry_after_s(caller(request))
            return _form(request, status=refusal.status, trouble=refusal.detail)
    return _form(request, key=key, operator=operator)


@post("/operator/sign-in")
async def post_sign_in(request: Request) -> Response[Any]:
    """Use the link and start a session. It replaces the browser's session, if there is one."""
    form = await forms.read(request)
    before = csrf.check(request, form)
    _refuse_guesses(request)
    runtime, cookie = runtime_of(request), session_cookie.new_value()
    wall_us = runtime.clock.wall_us()

    def begin(tx: Tx) -> None:
        operator_sign_in.sign_in(
            tx,
            link_sha256=session_cookie.sha256(form["link"]),
            session_sha256=session_cookie.sha256(cookie),
            replaces=session_cookie.sha256(before),
            wall_us=wall_us,
        )

    try:
        await runtime.db.write(begin)
    except OperatorLinkUsed as refusal:
        sign_in_limit(request).retry_after_s(caller(request))
        return _form(request, status=refusal.status, trouble=refusal.detail)
    response = templating.redirect("/operator")
    session_cookie.set_cookie(request, response, cookie, signed_in=True)
    return response


@post("/operator/sign-out")
async def post_sign_out(request: Request) -> Response[Any]:
    """End this session."""

    def end(tx: Tx, visit: Visit, _form: forms.Form) -> None:
        operator_sign_in.sign_out(tx, visit.session, wall_us=visit.wall_us)

    await views.write(request, end)
    response = templating.redirect("/operator/sign-in")
    session_cookie.clear_cookie(request, response)
    return response


def _refuse_guesses(request: Request) -> None:
    """Raise TooManyLinks if this network has tried many links that don't work."""
    if wait_s := sign_in_limit(request).wait_s(caller(request)):
        text = _("Too many links that don't work were tried from your network. Try again in %d seconds.") % wait_s
        raise TooManyLinks(text, retry_after=wait_s)


def _form(
    request: Request, *, status: int = 200, key: str = "", operator: str = "", trouble: str = ""
) -> Response[Any]:
    """Render the page. Visitors get a cookie, so that the form has CSRF protection."""
    cookie = session_cookie.value_of(request)
    value = cookie or session_cookie.new_value()
    context = {"visit": None, "key": key, "operator": operator, "trouble": trouble}
    response = views.page(request, "sign_in.html", context, status=status, cookie=value)
    if cookie is None:
        session_cookie.set_cookie(request, response, value, signed_in=False)
    return response


ROUTES = [get_sign_in, post_sign_in, post_sign_out]
