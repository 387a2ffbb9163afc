"""Host names and addresses."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Return True if `host` (a name, or an address without brackets) is the loopback interface of this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
