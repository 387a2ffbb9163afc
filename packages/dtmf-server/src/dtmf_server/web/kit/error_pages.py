"""HTML error pages: what happened, that nothing was lost, and a link to continue. Never a stack trace."""

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

_Words = tuple[str, str, tuple[str, str]]  # title, text, and a link: its label and URL


def refused(request: Request, error: Refusal) -> Response[Any]:
    """Render a refusal. Without a session, show the sign-in form, which leads back here."""
    if isinstance(error, SignedOut) and not request.url.path.startswith("/live"):
        return _sign_in_first(request)
    if isinstance(error, csrf.CsrfRejected) and csrf.is_same_origin(request):
        return _send_again(request)
    return _page(request, error.status, _words_of(request, error))


def _sign_in_first(request: Request) -> Response[Any]:
    """Ask to sign in: redirect a GET; show the form with the draft for a POST."""
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
    """Offer to submit a form from an outdated page of this site again."""
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
        "The page was open for too long, or you signed in or out in the meantime. Nothing changed. Reload the page and try again."
    )
    address = drafts.page_for(request.url.path) if not request.url.path.startswith("/sign-") else "/sign-in"
    return _("Please try again"), text, (_("Reload the page"), address)


def http_error(request: Request, error: HTTPException) -> Response[Any]:
    """Render an HTTP error."""
    if error.detail == BROKEN_OFF:  # the client has gone; not an error of the service
        return _page(request, 400, _words(400))
    if error.status_code >= 500:
        return crashed(request, error)
    return _page(request, error.status_code, _words(error.status_code))


def crashed(request: Request, error: Exception) -> Response[Any]:
    """Log an unexpected exception; show only the request ID."""
    log.error("unexpected error", exc_info=error)
    return _page(request, 500, _words(500))


def error_page(status: int, *, wait_s: int = 0) -> tuple[bytes, Sequence[tuple[str, str]]]:
    """Return an error page and its headers, for requests rejected before routing."""
    title, text, link = _words(status, wait_s=wait_s)
    return templating.plain_page(status, title, text, link=link).encode(), list(templating.HEADERS.items())


def _page(request: Request, status: int, words: _Words) -> Response[Any]:
    title, text, link = words
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    return templating.html(templating.plain_page(status, title, text, link=link), status=status, zipped=zipped)


def _words_of(request: Request, error: Refusal) -> _Words:
    inbox = (_("Go to messages"), "/messages")
    if isinstance(error, SignedOut):
        return _("You're signed out"), _("Your session has ended. Sign in again."), (_("Sign in"), "/sign-in")
    if isinstance(error, NumberNotRented):
        text = _(
            "You aren't renting this number. If you used to, its rental has ended. You can find its messages under"
            " Ended rentals until they're erased."
        )
        return _("You aren't renting this number"), text, (_("Ended rentals"), "/rentals")
    if isinstance(error, InsufficientFunds):
        link = templating.top_up_address(request, error.shortfall)
        return _("Your balance is too low"), _sentence(error.detail), (_("Top up"), link)
    if isinstance(error, StorageUnavailable):
        return _words(503)
    if error.status == 404:
        return error.title if error.title != "Not found" else _words(404)[0], _sentence(error.detail), inbox
    return _(error.title), _sentence(error.detail), inbox


def _words(status: int, *, wait_s: int = 0) -> _Words:
    home = (_("Go to home page"), "/")
    words = {
        400: (_("Something went wrong"), _("We couldn't read that form. Nothing changed. Go back and try again.")),
        403: (_("Please try again"), _("This form wasn't sent from a page of this site. Nothing changed.")),
        404: (_("Page not found"), _("The address may be mistyped, or the page may no longer exist.")),
        405: (
            _("Page not available"),
            _("You can't open this address directly. Go back and use the buttons on the page."),
        ),
        413: (_("That form is too large"), _("Shorten what you typed and try again. Nothing changed.")),
        429: (
            _("Too many requests"),
            _("Your network has sent too many requests. Try again in %d seconds.") % wait_s
            if wait_s
            else _("Your network has sent too many requests. Try again in a few seconds."),
        ),
        503: (
            _("Temporarily unavailable"),
            _(
                "The service is restarting or out of disk space. Your last change wasn't saved; everything before it is"
                " safe. Try again in a minute."
            ),
        ),
    }
    fault = (
        _("Something went wrong on our side"),
        _("Nothing was saved. If it happens again, contact the operator and quote the reference below."),
    )
    title, text = words.get(status, fault if status >= 500 else words[400])
    return title, text, home


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


HANDLERS = {Refusal: refused, HTTPException: http_error, Exception: crashed}
