"""No, as a page in words: what happened, that nothing was lost by it, and where to go on. Never a stack trace."""

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response
from litestar.exceptions import HTTPException

from dtmf_server.core.errors import InsufficientFunds, NumberNotRented, Refusal, StorageUnavailable
from dtmf_server.http.request import BROKEN_OFF, Request
from dtmf_server.operations.sign_in import SignedOut
from dtmf_server.web.kit import csrf, drafts, session_cookie, templating
from dtmf_server.web.kit.i18n import _

log = logging.getLogger("dtmf.web")

_Words = tuple[str, str, tuple[str, str]]  # title, text, and where to go on: its name and address


def refused(request: Request, error: Refusal) -> Response[Any]:
    """The page for what the service refuses. Without a session it is the sign-in form, which leads back."""
    if isinstance(error, SignedOut) and not request.url.path.startswith("/live"):
        return _sign_in_first(request)
    if isinstance(error, csrf.CsrfRejected) and csrf.is_same_origin(request):
        return _send_again(request)
    return _page(request, error.status, _words_of(error))


def _sign_in_first(request: Request) -> Response[Any]:
    """The sign-in form: on its own page, or below what was refused, with what was typed kept."""
    if request.method in ("GET", "HEAD"):
        path = bytes(request.scope["raw_path"]).decode("latin-1")
        query = bytes(request.scope["query_string"]).decode("latin-1")
        return templating.redirect(f"/sign-in?next={quote(f'{path}?{query}' if query else path, safe='/')}")
    draft, cookie = drafts.of(request), session_cookie.value_of(request)
    context = {
        "visit": None,
        "signed_in": False,
        "next": draft.page if draft else drafts.page_for(request.url.path),
        "draft": draft,
        "ended": True,
    }
    return templating.page(request, "sign_in.html", context, status=401, cookie=cookie)


def _send_again(request: Request) -> Response[Any]:
    """For a form of an old page of this site: it can be sent again from here, by its button."""
    draft = drafts.of(request)
    if draft is None:
        return _page(request, 403, _stale_words(request))
    value = session_cookie.value_of(request) or session_cookie.new_value()
    context = {"visit": None, "signed_in": True, "draft": draft, "signed_in_now": False}
    response = templating.page(request, "draft.html", context, status=403, cookie=value)
    if session_cookie.value_of(request) is None:
        session_cookie.set_cookie(request, response, value, signed_in=False)
    return response


def _stale_words(request: Request) -> _Words:
    text = _(
        "The page was open for too long, or you signed in or out meanwhile. Nothing was done: open the page again."
    )
    address = drafts.page_for(request.url.path) if not request.url.path.startswith("/sign-") else "/sign-in"
    return _("Please try again"), text, (_("Open the page again"), address)


def http_error(request: Request, error: HTTPException) -> Response[Any]:
    """What the HTTP layer refuses."""
    if error.detail == BROKEN_OFF:  # nobody is there to read it, and it is no fault of the service
        return _page(request, 400, _words(400))
    if error.status_code >= 500:
        return crashed(request, error)
    return _page(request, error.status_code, _words(error.status_code))


def crashed(request: Request, error: Exception) -> Response[Any]:
    """A bug of ours: logged whole, told as nothing but its request id."""
    log.error("unexpected error", exc_info=error)
    return _page(request, 500, _words(500))


def error_page(status: int, *, wait_s: int = 0) -> tuple[bytes, Sequence[tuple[str, str]]]:
    """The page for what was refused before any route was reached, and its headers."""
    title, text, link = _words(status, wait_s=wait_s)
    return templating.plain_page(status, title, text, link=link).encode(), list(templating.HEADERS.items())


def _page(request: Request, status: int, words: _Words) -> Response[Any]:
    title, text, link = words
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    return templating.html(templating.plain_page(status, title, text, link=link), status=status, zipped=zipped)


def _words_of(error: Refusal) -> _Words:
    inbox = (_("To your messages"), "/messages")
    if isinstance(error, SignedOut):
        return _("You are signed out"), _("Your session has ended. Sign in again."), (_("Sign in"), "/sign-in")
    if isinstance(error, NumberNotRented):
        text = _(
            "You do not rent this number now. If you did, its rental has ended: your ended rentals have what it"
            " received, until that is erased."
        )
        return _("This number is not yours now"), text, (_("Ended rentals"), "/rentals")
    if isinstance(error, InsufficientFunds):
        return _("The balance does not cover this"), _sentence(error.detail), (_("Top up"), "/top-up")
    if isinstance(error, StorageUnavailable):
        return _words(503)
    if error.status == 404:
        return error.title if error.title != "Not found" else _words(404)[0], _sentence(error.detail), inbox
    return _(error.title), _sentence(error.detail), inbox


def _words(status: int, *, wait_s: int = 0) -> _Words:
    home = (_("To the first page"), "/")
    words = {
        400: (_("That could not be read"), _("Your browser sent something that is no form of ours. Nothing was done.")),
        403: (_("Please try again"), _("This form did not come from a page of this site. Nothing was done.")),
        404: (_("There is no such page"), _("The address is mistyped, or what was here is gone.")),
        405: (_("This address takes no such request"), _("Go back and use the page's own buttons.")),
        413: (_("That is too much"), _("The form was larger than what is read here. Nothing was done: shorten it.")),
        429: (
            _("Slow down, please"),
            _("There were too many requests from your address. In %d seconds it goes on.") % wait_s
            if wait_s
            else _("There were too many requests from your address. Wait a little."),
        ),
        503: (
            _("The service is stopping or short of space"),
            _("What you did last was not stored. Try again in a minute: everything before it is safe."),
        ),
    }
    fault = (_("This is a fault of ours"), _("Nothing was stored. It has been noted, under the number below."))
    title, text = words.get(status, fault if status >= 500 else words[400])
    return title, text, home


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


HANDLERS = {Refusal: refused, HTTPException: http_error, Exception: crashed}
