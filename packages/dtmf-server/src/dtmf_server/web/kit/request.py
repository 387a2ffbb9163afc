"""Accessors for a request's form, origin and client address."""

from typing import TYPE_CHECKING

from dtmf_server.http.client_address import address_of, header, rate_limit_key, scheme_of
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.http.request import Request, runtime_of

if TYPE_CHECKING:
    from dtmf_server.web.kit.forms import Form


def form_of(request: Request) -> "Form | None":
    """Return the request's form if it has been read."""
    form: Form | None = request.scope.get("dtmf.form")  # type: ignore[assignment]  # a scope holds anything
    return form


def sign_in_limit(request: Request) -> RateLimit:
    """Return the rate limit for failed sign-ins."""
    limit: RateLimit = request.scope["state"]["sign_in_limit"]
    return limit


def is_secure(request: Request) -> bool:
    """True if the browser uses HTTPS."""
    return own_origin(request).startswith("https://")


def own_origin(request: Request) -> str:
    """Return the origin the browser sees: that of the configured public URL, or else of the request."""
    settings = runtime_of(request).settings
    if settings.public_url is not None:
        scheme, _, rest = settings.public_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    return asked_origin(request)


def asked_origin(request: Request) -> str:
    """Return the origin of the requested URL."""
    proxies = runtime_of(request).settings.trusted_proxies
    return f"{scheme_of(request.scope, proxies)}://{header(request.scope, b'host')}"


def caller(request: Request) -> bytes:
    """Return the rate limit key for failed sign-ins."""
    return rate_limit_key(address_of(request.scope, runtime_of(request).settings.trusted_proxies)).encode()
