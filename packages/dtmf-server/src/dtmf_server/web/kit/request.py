"""What the pages ask of a request: its form, its origin, its caller's address."""

from typing import TYPE_CHECKING

from dtmf_server.http.client_address import address_of, header, rate_limit_key, scheme_of
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.http.request import Request, runtime_of

if TYPE_CHECKING:
    from dtmf_server.web.kit.forms import Form


def form_of(request: Request) -> "Form | None":
    """The form that this request has sent, once it was read."""
    form: Form | None = request.scope.get("dtmf.form")  # type: ignore[assignment]  # a scope holds anything
    return form


def sign_in_limit(request: Request) -> RateLimit:
    """How often an address may be wrong about its token."""
    limit: RateLimit = request.scope["state"]["sign_in_limit"]
    return limit


def is_secure(request: Request) -> bool:
    """Whether the browser is on https."""
    return own_origin(request).startswith("https://")


def own_origin(request: Request) -> str:
    """The origin that the browser sees this service at: the operator's public URL, else what it asked for."""
    settings = runtime_of(request).settings
    if settings.public_url is not None:
        scheme, _, rest = settings.public_url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
    return asked_origin(request)


def asked_origin(request: Request) -> str:
    """The origin of the address that was asked for."""
    proxies = runtime_of(request).settings.trusted_proxies
    return f"{scheme_of(request.scope, proxies)}://{header(request.scope, b'host')}"


def caller(request: Request) -> bytes:
    """Whom to count wrong sign-ins against."""
    return rate_limit_key(address_of(request.scope, runtime_of(request).settings.trusted_proxies)).encode()
