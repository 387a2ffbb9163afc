"""Who calls: the address of a request, past the operator's own proxies, and the subscriber it stands for."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from dtmf_server.runtime.context import Network


def address_of(scope: Any, proxies: Sequence[Network]) -> str:
    """The caller's address: the last one in X-Forwarded-For that is not a proxy of the operator's."""
    peer = peer_of(scope)
    if not is_proxy(peer, proxies):
        return peer
    hops = header(scope, b"x-forwarded-for").split(",")
    return next((hop.strip() for hop in reversed(hops) if not is_proxy(hop.strip(), proxies)), peer)


def scheme_of(scope: Any, proxies: Sequence[Network]) -> str:
    """http or https, as the caller sees it; a proxy of the operator's is believed."""
    said = header(scope, b"x-forwarded-proto").strip().lower()
    if said in ("http", "https") and is_proxy(peer_of(scope), proxies):
        return said
    return str(scope.get("scheme", "http"))


def peer_of(scope: Any) -> str:
    """The address at the other end of the connection."""
    return str((scope.get("client") or ("unknown",))[0])


def header(scope: Any, name: bytes) -> str:
    """A header's value, the last if it came several times; empty without one."""
    return next((value.decode("latin-1") for key, value in reversed(scope["headers"]) if key == name), "")


def has_body(scope: Any) -> bool:
    """Whether the request has a body, or begins one."""
    return header(scope, b"content-length") not in ("", "0") or header(scope, b"transfer-encoding") != ""


def is_proxy(address: str, proxies: Sequence[Network]) -> bool:
    """Whether the address is of the operator's own proxies."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)


def network_of(scope: Any, proxies: Sequence[Network]) -> str:
    """The network that the caller is in: /24 of IPv4, /48 of IPv6, which is what one customer may have at will."""
    address = address_of(scope, proxies)
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def rate_limit_key(address: str) -> str:
    """Whom an address stands for: in IPv6 a subscriber has a whole /64 to choose from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, 64), strict=False))
