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
    """This form did not come from a page of this site, or the page was left open for too long. Nothing was done."""

    status, code, title = 403, "foreign_form", "Please try again"


def csrf_token(value: str) -> str:
    """What a form carries to prove that it is ours; another one each time, so that compression tells nothing."""
    number = secrets.token_hex(8)
    return f"{number}.{_mac(value, number)}"


def check(request: Request, form: Form) -> str:
    """The cookie's value, if the form is ours and was sent from our origin. Raises ForeignForm."""
    value = value_of(request)
    number, _, mac = form["csrf_token"].partition(".")
    if not is_same_origin(request) or value is None:
        raise CsrfRejected
    if not hmac.compare_digest(mac.encode(), _mac(value, number).encode()):
        raise CsrfRejected
    return value


def is_same_origin(request: Request) -> bool:
    """Whether the request was made by a page of this site."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin in (own_origin(request), asked_origin(request))


def _mac(value: str, number: str) -> str:
    return hmac.new(value.encode(), f"form {number}".encode(), hashlib.sha256).hexdigest()[:40]
