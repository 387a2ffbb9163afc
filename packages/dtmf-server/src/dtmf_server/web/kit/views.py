"""Views for signed-in users: look up the session and do the work in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from litestar import Response

from dtmf_server.core.errors import AccountSuspended, AlreadyIssued, InsufficientFunds, Refusal
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.low_balance import THRESHOLDS_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, ended, sign_in
from dtmf_server.operations.ended import Money
from dtmf_server.operations.idempotency import StoredResponse, run_idempotent
from dtmf_server.operations.sign_in import Session, SignedOut
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import accounts, events, instance, web_sessions
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import csrf, forms, session_cookie, templating
from dtmf_server.web.kit.forms import Form, form_error_of
from dtmf_server.web.kit.request import is_secure, own_origin

T = TypeVar("T")
WHILE_SUSPENDED = {"while_suspended": True}  # `opt` of a route whose form a suspended account may submit
KEY_MAX = 64
# Refusals with these statuses redisplay the form with what was typed; others get an error page.
COMES_BACK = (400, 402, 404, 409, 422, 429, 503)


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in account and token, the current time by both clocks, and whether the account is suspended."""

    account_id: int
    token_id: int
    now_us: int
    wall_us: int
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class PageHeader:
    """The account data in every page's header, and the id of the last event the page includes."""

    balance: int
    debt: int
    after: int
    now_us: int
    money: Money | None = None
    ahead_us: int = 0  # of the wall clock, in a sandbox
    is_suspended: bool = False


def _visit(tx: Tx, runtime: Runtime, cookie: str | None) -> tuple[Caller, Session]:
    if cookie is None:
        raise SignedOut
    wall_us = runtime.clock.wall_us()
    session = sign_in.session(tx, session_cookie.sha256(cookie), wall_us=wall_us)
    now_us = runtime.clock.now_us(tx)
    return Caller(session.account_id, session.token_id, now_us, wall_us, session.is_suspended), session


async def read(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """Run `fn` in a read transaction for the signed-in user. Raises SignedOut."""
    cookie, runtime = session_cookie.value_of(request), runtime_of(request)

    def run(tx: Tx) -> tuple[T, Session]:
        visit, session = _visit(tx, runtime, cookie)
        return fn(tx, visit), session

    found, session = await runtime.db.read(run)
    if session.stale:
        wall_us = runtime.clock.wall_us()
        await runtime.db.write(lambda tx: web_sessions.touch(tx, session.id, wall_us=wall_us))
    return found


async def read_autocommit(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """Like `read`, for a few rows found by an index. Does not extend the session."""
    return await read_autocommit_as(runtime_of(request), session_cookie.value_of(request), fn)


async def read_autocommit_as(runtime: Runtime, cookie: str | None, fn: Callable[[Tx, Caller], T]) -> T:
    """Like `read_autocommit`, for streams that no longer hold their request."""
    return await runtime.db.read_autocommit(lambda tx: fn(tx, _visit(tx, runtime, cookie)[0]))


async def render_page(
    request: Request, template: str, fn: Callable[[Tx, Caller], dict[str, Any]], *, status: int = 200, **more: Any
) -> Response[Any]:
    """Render a page of what `fn` reads, with the account header."""

    def gather(tx: Tx, visit: Caller) -> tuple[PageHeader, dict[str, Any]]:
        after = events.last_id(tx, visit.account_id)
        balance = account.balance(tx, visit.account_id, now_us=visit.now_us)
        debt = accounts.debt(tx, visit.account_id)
        money = ended.money(tx, visit.account_id, now_us=visit.now_us, warn_us=THRESHOLDS_US[0])
        ahead_us = visit.now_us - visit.wall_us
        return PageHeader(balance, debt, after, visit.now_us, money, ahead_us, visit.is_suspended), fn(tx, visit)

    frame, found = await read(request, gather)
    context = {
        "visit": frame,
        "ahead_us": frame.ahead_us,
        "flash": request.query_params.get("done", ""),
        **found,
        **more,
    }
    return templating.page(request, template, context, status=status, cookie=session_cookie.value_of(request))


async def handle_form(
    request: Request,
    do: Callable[[Tx, Caller, Form], str],
    *,
    again: Callable[[Form, Refusal], Awaitable[Response[Any]]] | None = None,
) -> Response[Any]:
    """Process a form at most once and redirect to the path `do` returns; `again` redisplays a refused form."""
    form, cookie = await verified_form(request)

    def run(tx: Tx, visit: Caller) -> str:
        answer = once_for(tx, visit, request, form, lambda tx: StoredResponse(303, do(tx, visit, form).encode()))
        return (answer.body or b"/").decode()

    try:
        return templating.redirect(await write(request, cookie, run))
    except Refusal as refusal:
        if again is None or refusal.status not in COMES_BACK or isinstance(refusal, SignedOut):
            raise
        return await again(form, refusal)


async def verified_form(request: Request) -> tuple[Form, str]:
    """Return the form and the session cookie after checking the CSRF token. Raises CsrfRejected."""
    form = await forms.read(request)
    return form, csrf.check(request, form)


async def write(request: Request, cookie: str, fn: Callable[[Tx, Caller], T]) -> T:
    """Run `fn` in a write transaction for the signed-in user, and return when it is durable. Raises SignedOut, and
    AccountSuspended unless the route is one that a suspended account may use (WHILE_SUSPENDED)."""
    runtime, is_allowed = runtime_of(request), request.scope["route_handler"].opt.get("while_suspended", False)

    def run(tx: Tx) -> T:
        visit = _visit(tx, runtime, cookie)[0]
        if visit.is_suspended and not is_allowed:
            raise AccountSuspended
        return fn(tx, visit)

    return await runtime.db.write(run)


async def render_public_page(
    request: Request,
    template: str,
    fn: Callable[[Tx, int], dict[str, Any]] = lambda _tx, _now_us: {},
    *,
    status: int = 200,
    **more: Any,
) -> Response[Any]:
    """Render a page that needs no session. Visitors get a cookie, so that forms have CSRF protection."""
    runtime, cookie = runtime_of(request), session_cookie.value_of(request)

    def gather(tx: Tx) -> tuple[bool, int, dict[str, Any]]:
        try:
            signed_in = bool(_visit(tx, runtime, cookie))
        except SignedOut:
            signed_in = False
        ahead_us = instance.clock_offset_us(tx) if runtime.settings.sandbox else 0
        return signed_in, ahead_us, fn(tx, runtime.clock.now_us(tx))

    signed_in, ahead_us, found = await runtime.db.read(gather)
    value = cookie or session_cookie.new_value()
    context = {"visit": None, "signed_in": signed_in, "ahead_us": ahead_us, **found, **more}
    response = templating.page(request, template, context, status=status, cookie=value)
    if cookie is None:
        session_cookie.set_cookie(request, response, value, signed_in=False)
    return response


async def is_signed_in(request: Request) -> bool:
    """True if the request has a valid session."""
    try:
        await read_autocommit(request, lambda _tx, _visit: None)
    except SignedOut:
        return False
    return True


def already_shown(request: Request, *, is_first: bool) -> Response[Any]:
    """Render the page shown instead of a token that has already been shown."""
    context = {"visit": None, "signed_in": True, "is_first": is_first}
    status = csrf.CsrfRejected.status if is_first else AlreadyIssued.status
    return templating.page(request, "token_shown.html", context, status=status, cookie=session_cookie.value_of(request))


def once_for(
    tx: Tx, visit: Caller, request: Request, form: Form, action: Callable[[Tx], StoredResponse]
) -> StoredResponse:
    """Run `action` at most once per form key and content. Raises AlreadyIssued."""
    fingerprint = _fingerprint(request, form)
    return run_idempotent(
        tx,
        account_id=visit.account_id,
        key=f"web {form['key'][:KEY_MAX] or session_cookie.new_value()} {fingerprint.hex()[:16]}",
        fingerprint=fingerprint,
        wall_us=visit.wall_us,
        action=action,
    )


def refused(form: Form, refusal: Refusal | None) -> dict[str, Any]:
    """Return the template context that redisplays a form: what was typed, and the error."""
    short = refusal.members if isinstance(refusal, InsufficientFunds) else None
    return {"form": form, "form_error": form_error_of(refusal), "short": short}


def status_of(refusal: Refusal | None) -> int:
    """Return the HTTP status of a page that shows a form, with or without an error."""
    return 200 if refusal is None else refusal.status


def may_hold_a_session(request: Request) -> bool:
    """True if a session cookie is safe here: over HTTPS, on loopback, or in a sandbox."""
    return is_secure(request) or _is_here(own_origin(request)) or runtime_of(request).settings.sandbox


def _is_here(origin: str) -> bool:
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:  # a malformed Host header
        return False


def _fingerprint(request: Request, form: Form) -> bytes:
    fields = sorted((name, value) for name, value in form.values.items() if name != "csrf_token")
    return hashlib.sha256(repr((request.url.path, fields)).encode()).digest()
