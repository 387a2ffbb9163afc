"""The session cookie: a random value, never the token. It authenticates a session and keys the CSRF tokens of forms.

Visitors have one before signing in too, so that the sign-in form is protected as well; signing in replaces it. Browsers
send the cookies of a host to all of its ports, so the renters' website and the operator's console have different names.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from litestar import Response

from dtmf_server.core.units import SECOND_US
from dtmf_server.http.request import Request
from dtmf_server.operations.sign_in import SESSION_MAX_US
from dtmf_server.web.kit.request import is_secure


@dataclass(frozen=True, slots=True)
class CookiePolicy:
    """The name of an application's cookie, which sites may cause it to be sent, how long a session can last, and where the
    application is on its host: over HTTP, other ports of the host receive the cookie only for this path."""

    name: str
    same_site: Literal["lax", "strict"]
    session_max_us: int
    path: str = "/"


POLICY = "cookie_policy"  # its key in the application's state
RENTER = CookiePolicy("dtmf", "lax", SESSION_MAX_US)
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
    lifetime_s = _policy(request).session_max_us // SECOND_US
    _set(request, response, value, max_age_s=lifetime_s if signed_in else None)


def clear_cookie(request: Request, response: Response[Any]) -> None:
    """Delete the cookie."""
    _set(request, response, "", max_age_s=0)


def _set(request: Request, response: Response[Any], value: str, *, max_age_s: int | None) -> None:
    response.set_cookie(
        _name(request),
        value,
        path="/" if is_secure(request) else _policy(request).path,  # the prefix __Host- requires /
        httponly=True,
        samesite=_policy(request).same_site,
        secure=is_secure(request),
        max_age=max_age_s,
    )


def _policy(request: Request) -> CookiePolicy:
    policy: CookiePolicy = request.scope["state"].get(POLICY, RENTER)
    return policy


def _name(request: Request) -> str:
    name = _policy(request).name
    return f"__Host-{name}" if is_secure(request) else name
