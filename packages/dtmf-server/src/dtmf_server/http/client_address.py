"""The client's address behind trusted proxies, and its rate limit key."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from dtmf_server.runtime.context import Network


def address_of(scope: Any, proxies: Sequence[Network]) -> str:
    """Return the client's address: the last one in X-Forwarded-For that is not a trusted proxy."""
    peer = peer_of(scope)
    if not is_proxy(peer, proxies):
        return peer
    hops = header(scope, b"x-forwarded-for").split(",")
    return next((hop.strip() for hop in reversed(hops) if not is_proxy(hop.strip(), proxies)), peer)


def scheme_of(scope: Any, proxies: Sequence[Network]) -> str:
    """Return http or https, as the client sees it. Trusts X-Forwarded-Proto from trusted proxies only."""
    said = header(scope, b"x-forwarded-proto").strip().lower()
    if said in ("http", "https") and is_proxy(peer_of(scope), proxies):
        return said
    return str(scope.get("scheme", "http"))


def peer_of(scope: Any) -> str:
    """Return the address of the connection's other end."""
    return str((scope.get("client") or ("unknown",))[0])


def header(scope: Any, name: bytes) -> str:
    """Return a header's value: the last one if it is repeated, empty if it is missing."""
    return next((value.decode("latin-1") for key, value in reversed(scope["headers"]) if key == name), "")


def has_body(scope: Any) -> bool:
    """True if the request has a body."""
    return header(scope, b"content-length") not in ("", "0") or header(scope, b"transfer-encoding") != ""


@lru_cache(maxsize=4096)
def is_proxy(address: str, proxies: Sequence[Network]) -> bool:
    """True if the address is a trusted proxy."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)


def network_of(scope: Any, proxies: Sequence[Network]) -> str:
    """Return the client's network: /24 for IPv4, /48 for IPv6, the largest block one customer usually controls."""
    address = address_of(scope, proxies)
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


@lru_cache(maxsize=4096)
def rate_limit_key(address: str) -> str:
    """Return the rate limit key of an address: its /64 for IPv6, since a subscriber controls all of it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))
