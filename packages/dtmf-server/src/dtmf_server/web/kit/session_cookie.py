"""The one cookie: a random value that is not the token. It proves a session, and that a form came from our page.

A visitor has it before signing in too, so that the sign-in form is protected like every other; signing in
gives a new one. Forms carry an HMAC of it over a random number, another one each time.
"""

import hashlib
import re
import secrets
from typing import Any

from litestar import Response

from dtmf_server.core.units import DAY_US
from dtmf_server.http.request import Request
from dtmf_server.operations.sign_in import SESSION_MAX_US
from dtmf_server.web.kit.request import is_secure

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


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


def set_cookie(request: Request, response: Response[Any], value: str, *, signed_in: bool) -> None:
    """Sets the cookie: a visitor's until the browser closes, a session's for as long as one lasts at most."""
    response.set_cookie(
        _name(request),
        value,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
        max_age=SESSION_MAX_US // DAY_US * 86400 if signed_in else None,
    )


def clear_cookie(request: Request, response: Response[Any]) -> None:
    """Takes the cookie back."""
    response.set_cookie(
        _name(request), "", path="/", httponly=True, samesite="lax", secure=is_secure(request), max_age=0
    )


def _name(request: Request) -> str:
    return "__Host-dtmf" if is_secure(request) else "dtmf"
