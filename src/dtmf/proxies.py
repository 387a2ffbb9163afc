"""The proxy the environment asks for: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, and NO_PROXY for exceptions."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from httpcore2 import Proxy


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """The proxy on the way to this host, None for a direct connection.
    This machine itself is always reached directly: no proxy elsewhere could."""
    proxies = getproxies_environment()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or _is_loopback(host) or proxy_bypass(f"{host}:{port}" if port else host):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    at = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = f"{parts.scheme}://{at}" + (f":{parts.port}" if parts.port else "")
    credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Proxy(url, auth=credentials)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
