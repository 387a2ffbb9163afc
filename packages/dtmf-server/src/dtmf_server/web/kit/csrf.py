"""Protection against cross-site request forgery (CSRF)."""

import hashlib
import hmac
import secrets

from dtmf_server.core.errors import Refusal
from dtmf_server.http.request import Request
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.request import asked_origin, own_origin
from dtmf_server.web.kit.session_cookie import value_of


class CsrfRejected(Refusal):
    """This form wasn't sent from a page of this site, or the page was open for too long. Nothing changed."""

    status, code, title = 403, "foreign_form", "Please try again"


def csrf_token(value: str) -> str:
    """Return a form's CSRF token. It differs on every call, so that compression can't leak it (BREACH)."""
    number = secrets.token_hex(8)
    return f"{number}.{_mac(value, number)}"


def check(request: Request, form: Form) -> str:
    """Return the cookie's value if the token matches it and the origin is ours. Raises CsrfRejected."""
    value = value_of(request)
    number, _, mac = form["csrf_token"].partition(".")
    if not is_same_origin(request) or value is None:
        raise CsrfRejected
    if not hmac.compare_digest(mac.encode(), _mac(value, number).encode()):
        raise CsrfRejected
    return value


def is_same_origin(request: Request) -> bool:
    """True if a page of this site sent the request."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin in (own_origin(request), asked_origin(request))


def _mac(value: str, number: str) -> str:
    return hmac.new(value.encode(), f"form {number}".encode(), hashlib.sha256).hexdigest()[:40]
