"""Hosts, as configurations and requests name them."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether the host, a name or an address without brackets, is this machine and nobody else's way to it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
