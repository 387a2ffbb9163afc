"""The one cookie: a random value that is not the token. It proves a session, and that a form came from our page.

A visitor has it before signing in too, so that the sign-in form is protected like every other; signing in
gives a new one. Forms carry an HMAC of it over a random number, another one each time.
"""

import hashlib
import hmac
import re
import secrets
from typing import Any

from litestar import Response

from dtmf_server.core.errors import Refusal
from dtmf_server.core.rental import DAY_US
from dtmf_server.operations.sign_in import LONGEST_US
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.request import Request, asked_origin, is_secure, own_origin

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class ForeignForm(Refusal):
    """This form did not come from a page of this site, or the page was left open for too long. Nothing was done."""

    status, code, title = 403, "foreign_form", "Please try again"


def new_value() -> str:
    """A value for the cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def value_of(request: Request) -> str | None:
    """The cookie's value, None without one."""
    value = request.cookies.get(_name(request), "")
    return value if _VALUE.fullmatch(value) else None


def sha256(value: str) -> bytes:
    """What is stored of a value."""
    return hashlib.sha256(value.encode()).digest()


def give(request: Request, response: Response[Any], value: str, *, signed_in: bool) -> None:
    """Sets the cookie: a visitor's until the browser closes, a session's for as long as one lasts at most."""
    response.set_cookie(
        _name(request),
        value,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
        max_age=LONGEST_US // DAY_US * 86400 if signed_in else None,
    )


def take(request: Request, response: Response[Any]) -> None:
    """Takes the cookie back."""
    response.set_cookie(
        _name(request), "", path="/", httponly=True, samesite="lax", secure=is_secure(request), max_age=0
    )


def stamp(value: str) -> str:
    """What a form carries to prove that it is ours; another one each time, so that compression tells nothing."""
    number = secrets.token_hex(8)
    return f"{number}.{_mac(value, number)}"


def check(request: Request, form: Form) -> str:
    """The cookie's value, if the form is ours and was sent from our origin. Raises ForeignForm."""
    value = value_of(request)
    number, _, mac = form["stamp"].partition(".")
    if not is_same_origin(request) or value is None:
        raise ForeignForm
    if not hmac.compare_digest(mac.encode(), _mac(value, number).encode()):
        raise ForeignForm
    return value


def is_same_origin(request: Request) -> bool:
    """Whether the request was made by a page of this site."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin in (own_origin(request), asked_origin(request))


def _mac(value: str, number: str) -> str:
    return hmac.new(value.encode(), f"form {number}".encode(), hashlib.sha256).hexdigest()[:40]


def _name(request: Request) -> str:
    return "__Host-dtmf" if is_secure(request) else "dtmf"
