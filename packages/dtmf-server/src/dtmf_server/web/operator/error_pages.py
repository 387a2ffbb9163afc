"""The console's error pages: what happened, and a link to continue."""

import logging
from collections.abc import Sequence
from typing import Any

from litestar import Response
from litestar.exceptions import HTTPException

from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import BROKEN_OFF, Request
from dtmf_server.operations.operator_sign_in import OperatorSignedOut, SignInAgain
from dtmf_server.runtime.logging import request_id
from dtmf_server.web.kit import templating
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.operator.views import POLICY

log = logging.getLogger("dtmf.web")
SIGN_IN = "/operator/sign-in"


def refused(request: Request, error: Refusal) -> Response[Any]:
    """Render a refusal. Without a session, a GET leads to the page that explains how to sign in."""
    if isinstance(error, OperatorSignedOut) and request.method in ("GET", "HEAD"):
        return templating.redirect(SIGN_IN)
    needs_sign_in = isinstance(error, OperatorSignedOut | SignInAgain)
    link = (_("How to sign in"), SIGN_IN) if needs_sign_in else (_("Go to the console"), "/operator")
    answer = _response(request, error.status, _(error.title), sentence(error.detail), link)
    if "retry_after" in error.members:
        answer.headers["Retry-After"] = str(error.members["retry_after"])
    return answer


def http_error(request: Request, error: HTTPException) -> Response[Any]:
    """Render an HTTP error."""
    if error.status_code >= 500 and error.detail != BROKEN_OFF:
        return crashed(request, error)
    status = 400 if error.detail == BROKEN_OFF else error.status_code
    return _response(request, status, *_words(status))


def crashed(request: Request, error: Exception) -> Response[Any]:
    """Log an unexpected exception; show only the request ID."""
    log.error("unexpected error", exc_info=error)
    return _response(request, 500, *_words(500))


def error_page(status: int, *, wait_s: int = 0) -> tuple[bytes, Sequence[tuple[str, str]]]:
    """Return an error page and its headers, for requests rejected before routing."""
    title, text, link = _words(status, wait_s=wait_s)
    return _page(status, title, text, link).encode(), list({**templating.HEADERS, **_POLICY}.items())


_POLICY = {"Content-Security-Policy": POLICY}


def _response(request: Request, status: int, title: str, text: str, link: tuple[str, str]) -> Response[Any]:
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    answer = templating.html(_page(status, title, text, link), status=status, zipped=zipped)
    answer.headers |= _POLICY
    return answer


def _page(status: int, title: str, text: str, link: tuple[str, str]) -> str:
    return templating.fragment(
        "operator/error.html",
        status=status,
        title=title,
        text=text,
        link=link,
        request_id=request_id.get() or "",
        visit=None,
    )


def _words(status: int, *, wait_s: int = 0) -> tuple[str, str, tuple[str, str]]:
    words = {
        400: (_("Something went wrong"), _("The form could not be read. Nothing changed.")),
        403: (_("Please try again"), _("This form was not sent from a page of the console. Nothing changed.")),
        404: (_("Page not found"), _("The address may be mistyped.")),
        405: (_("Page not available"), _("You can't open this address directly. Use the buttons on the pages.")),
        421: (
            _("This is not the console's address"),
            _("The console answers only at the address that dtmf-server operator link prints."),
        ),
        429: (_("Too many requests"), _("Try again in %d seconds.") % max(1, wait_s)),
    }
    fault = (_("Something went wrong"), _("Nothing was saved. The log has the reason, with the reference below."))
    return *words.get(status, fault if status >= 500 else words[400]), (_("Go to the console"), "/operator")


def sentence(text: str) -> str:
    """Return an error's detail as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


HANDLERS = {Refusal: refused, HTTPException: http_error, Exception: crashed}
