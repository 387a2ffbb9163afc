"""The session cookie: a random value, never the token. It authenticates a session and keys the CSRF tokens of forms.

Visitors have one before signing in too, so that the sign-in form is protected as well; signing in replaces it.
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
    """Generate a cookie value: 256 random bits."""
    return secrets.token_urlsafe(32)


def value_of(request: Request) -> str | None:
    """Return the cookie's value; None if it is missing or malformed."""
    value = request.cookies.get(_name(request), "")
    return value if _VALUE.fullmatch(value) else None


def sha256(value: str) -> bytes:
    """Hash a cookie value for storage."""
    return hashlib.sha256(value.encode()).digest()


def set_cookie(request: Request, response: Response[Any], value: str, *, signed_in: bool) -> None:
    """Set the cookie: until the browser closes for visitors, for a session's maximum lifetime for users."""
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
    """Delete the cookie."""
    response.set_cookie(
        _name(request), "", path="/", httponly=True, samesite="lax", secure=is_secure(request), max_age=0
    )


def _name(request: Request) -> str:
    return "__Host-dtmf" if is_secure(request) else "dtmf"
