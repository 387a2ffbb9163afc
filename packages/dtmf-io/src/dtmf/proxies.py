"""The proxy set in the environment: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, and NO_PROXY for exceptions.

An invalid value is rejected before anything is sent, and the message names the variable."""

from __future__ import annotations

import os
from importlib.util import find_spec
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from httpcore2 import URL, Proxy

from .e164 import quote
from .errors import environment_failed, source
from .validation import is_host, is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Route(NamedTuple):
    """The route to the service, through a proxy or direct, and the environment variable that decides it."""

    proxy: Proxy | None = None
    variable: str = ""
    """The environment variable that decides the route, empty if none does."""
    address: str = ""
    """The proxy's address without credentials."""

    @property
    def via(self) -> str:
        """The route as error messages name it; empty for a direct route that no variable decides."""
        if self.proxy:
            return f"through the proxy {self.address} of {source(self.variable)}"
        return f"without a proxy, because of the environment variable {self.variable}" if self.variable else ""


def route_to(base_url: str) -> Route:
    """Return the route to an address. Loopback addresses never use a proxy, because a remote proxy can't reach them.
    Raises ConnectionFailedError if the environment names an unusable proxy."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    value = proxies.get(kind)
    if not value or is_loopback(host):
        return Route()
    if proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return Route(variable=_name_of("no_proxy"))
    return route_over(_name_of(f"{kind}_proxy"), value.strip(), base_url)


def require_socks(route: Route, base_url: str) -> None:
    """Raise ConnectionFailedError if the route is a SOCKS proxy and the package for SOCKS is missing."""
    if route.proxy and route.proxy.url.scheme.startswith(b"socks") and find_spec("socksio") is None:
        reason = f"{route.address} needs the package socksio, which is not installed: pip install socksio"
        raise environment_failed(base_url, route.variable, reason)


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """Return the proxy for this host, None for a direct connection."""
    authority = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return route_to(f"{scheme}://{authority}").proxy


def _name_of(lower: str) -> str:
    """Return the variable as spelled in the environment. The lower-case spelling wins, as in urllib."""
    names = sorted(name for name in os.environ if name.lower() == lower and os.environ[name])
    return names[-1] if names else lower.upper()


def route_over(variable: str, value: str, base_url: str) -> Route:
    """Return the route over a proxy, named by an environment variable or by proxy=. Raises ConnectionFailedError."""
    url = value if "://" in value else f"http://{value}"
    try:
        if any(c.isspace() or not c.isprintable() for c in url if c < "\ud800" or c > "\udfff"):
            raise ValueError("it contains a space or a control character")
        parts, port = _split(url)
        host = _host(parts)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"{parts.scheme} is not one of {', '.join(_DEFAULT_PORTS)}")
        if port == 0 or parts.netloc.endswith(":"):
            raise ValueError("the port is missing or 0")
    except ValueError as cause:
        reason = f"it must be the URL of a proxy, like http://proxy.example:3128, not {_masked(value)}: {cause}"
        raise environment_failed(base_url, variable, reason) from cause
    shown = f"[{host}]" if ":" in host else host
    address = f"{parts.scheme}://{shown}:{port or _DEFAULT_PORTS[parts.scheme]}"
    location = URL(scheme=parts.scheme.encode(), host=host.encode(), port=port, target=b"/")
    return Route(Proxy(location, auth=_credentials(parts)), variable, address)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:  # the original text may quote the credentials
        raise ValueError("the host or the port is malformed") from None


def _host(parts: SplitResult) -> str:
    """Return the proxy's host name or address. Raises ValueError, also for malformed hosts that urlsplit() accepts."""
    host = parts.hostname or ""
    if not host.isascii():
        raise ValueError("its host must be ASCII; write international names in xn-- form")
    if parts.netloc.rpartition("@")[2].startswith("["):
        host = str(ip_address(host.replace("%25", "%")))  # in a URL, an address's zone is escaped (RFC 6874)
        if parts.netloc.rpartition("]")[2] not in {"", f":{parts.port}"}:
            raise ValueError("something other than a port follows its address")
    elif not is_host(host):
        raise ValueError("it has no valid host")
    return host


def _credentials(parts: SplitResult) -> tuple[bytes, bytes] | None:
    """Return user name and password as bytes, so that any value of the environment can be sent."""
    if not parts.username:
        return None
    user, password = (value.encode("utf-8", "surrogateescape") for value in (parts.username, parts.password or ""))
    return unquote_to_bytes(user), unquote_to_bytes(password)


def _masked(value: str) -> str:
    """Return the value with any credentials removed, for use in messages."""
    scheme, separator, rest = value.rpartition("://")
    credentials, at, place = rest.rpartition("@")
    return quote(f"{scheme}{separator}{'…' if credentials else ''}{at}{place}")
