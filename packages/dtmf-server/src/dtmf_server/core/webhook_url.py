"""Rules for webhook URLs, and for the addresses that may be connected to for them.

Rules:
1. A URL is parsed once, by the grammar below, and the request is built from the parts that were checked: no second
   parser can read another host from the same text.
2. Anything that the grammar does not match is refused, not repaired: browsers fold full-width digits, backslashes and `0x7f.1`
   into addresses; here they are errors.
3. A name says nothing about where it leads: every address that it resolves to is checked with `address_allowed` at
   connect time, and one bad address refuses them all.
4. Only globally reachable unicast addresses that are assigned to a single party are allowed: nothing in the IANA
   special-purpose registries (RFC 6890 and later), and no IPv6 address that embeds an IPv4 address.
5. In the sandbox, loopback addresses are allowed too, and plain HTTP only to them or to `localhost`.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from dtmf_server.core import body_templates

URL_MAX = 2048
PARSED = 4096  # cache size: each URL is parsed twice for each delivery
NAME_MAX = 253  # RFC 1035 §2.3.4, as text without the final dot

Address = IPv4Address | IPv6Address

# RFC 3986 §3, without userinfo and fragment. The authority is parsed separately below.
_url = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?")
_authority = re.compile(r"(?P<host>\[[^\[\]@]*\]|[^:\[\]@]*)(?::(?P<port>[^:@]*))?")
_sendable_path = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_sendable_query = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})*")
_port = re.compile(r"[1-9][0-9]{0,4}")
_label = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A last label like these makes other parsers read the whole host as an IPv4 address (WHATWG URL §3.5).
_numeric_label = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Names that only resolve in local networks: RFC 6761, 6762, 7686, 8375, 9476, ICANN's .internal, and by convention.
_LOCAL_DOMAINS = (
    *("localhost", "localdomain", "local", "lan", "internal", "intranet", "corp", "home", "private"),
    *("home.arpa", "onion", "alt", "test", "invalid"),
)

# IANA IPv4 Special-Purpose Address Registry, multicast (RFC 5771), and one address of a cloud provider.
_BAD_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host on this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host agent: a public address, reachable only from inside
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# All of global unicast. The rest of the space (loopback, mapped and translated IPv4, 5f00::/16, unique local,
# link-local, site-local, multicast) is outside it and therefore refused.
_GLOBAL_V6 = IPv6Network("2000::/3")
_BAD_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
)
# Interface identifiers of ISATAP (RFC 5214 §6.1): the last 32 bits are an IPv4 address.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
_LOOPBACK_V4, _LOOPBACK_V6 = IPv4Network("127.0.0.0/8"), IPv6Address("::1")


@dataclass(frozen=True, slots=True)
class Destination:
    """An accepted webhook URL, split into the parts used to connect."""

    url: str  # built from the parts below
    scheme: str  # "https", or "http" in the sandbox
    host: str  # a name in lower case, or an address in its shortest form without brackets
    port: int
    path: str  # the request target: path and query
    address: Address | None  # set if the host is an address


@lru_cache(maxsize=PARSED)
def parse(url: str, *, sandbox: bool) -> Destination:
    """Return the destination that `url` names, without its template. Raises ValueError that says what is wrong with it."""
    url, _ = body_templates.split(url)
    parts = _split(url)
    scheme = parts["scheme"].lower()
    host, port_text = _split_authority(parts["authority"])
    address = _literal(host)
    loopback = host == "localhost" or (address is not None and _is_loopback(address))
    _check_scheme(scheme, plain_http_allowed=sandbox and loopback)
    if address is not None:
        _check_address(address, sandbox=sandbox)
        host = str(address)
    elif not (sandbox and host == "localhost"):
        _check_name(host)
    port = _checked_port(port_text, scheme=scheme)
    path = (parts["path"] or "/") + (parts["query"] or "")
    bracketed = f"[{host}]" if ":" in host else host
    standard = port == (443 if scheme == "https" else 80)
    authority = bracketed if standard else f"{bracketed}:{port}"
    return Destination(f"{scheme}://{authority}{path}", scheme, host, port, path, address)


def address_allowed(ip: str | Address, *, sandbox: bool) -> bool:
    """Return True if a webhook may be sent to this address; False if it is not an address."""
    try:
        address = ipaddress.ip_address(ip) if isinstance(ip, str) else ip
    except ValueError:
        return False
    if sandbox and _is_loopback(address):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _BAD_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    is_isatap = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
    return not is_isatap and not any(address in network for network in _BAD_V6)


def _split(url: str) -> dict[str, str]:
    """Return scheme, authority, path and query of `url`, which must need no encoding."""
    if len(url) > URL_MAX:
        raise ValueError(f"The URL has {len(url)} characters, more than {URL_MAX}.")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(
            f"The URL {url!r} has spaces, control characters or characters outside ASCII: "
            "write a host in its xn-- form and the rest percent-encoded."
        )
    if "\\" in url:
        raise ValueError(f"The URL {url!r} has a backslash.")
    if "#" in url:
        raise ValueError(f"The URL {url!r} has a fragment (#…), which is never sent.")
    match = _url.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is not a URL like https://example.org/webhook.")
    for part, sendable in (("path", _sendable_path), ("query", _sendable_query)):
        if not sendable.fullmatch((match[part] or "").removeprefix("?")):
            raise ValueError(f"The {part} of {url!r} has characters that must be percent-encoded.")
    return match.groupdict(default="")


def _split_authority(authority: str) -> tuple[str, str | None]:
    """Return the host in lower case, with brackets, and the text of the port."""
    if "@" in authority:
        raise ValueError("The URL has a user name or password before the host, which webhooks do not support.")
    match = _authority.fullmatch(authority)
    if match is None or not match["host"]:
        raise ValueError(f"The host of the URL is missing or malformed: {authority!r}.")
    return match["host"].lower(), match["port"]


def _literal(host: str) -> Address | None:
    """Return the address that `host` spells, or None for a name. Raises ValueError for any but the canonical
    spelling."""
    try:
        if host.startswith("["):
            address = IPv6Address(host[1:-1])
            if address.scope_id is None:
                return address
        elif not _numeric_label.fullmatch(host.removesuffix(".").rpartition(".")[2]):
            return None
        else:
            return IPv4Address(host)
    except ValueError:
        pass
    raise ValueError(f"The host {host!r} is neither a name nor an address like 192.0.2.1 or [2001:db8::1].")


def _check_scheme(scheme: str, *, plain_http_allowed: bool) -> None:
    if scheme == "https" or (scheme == "http" and plain_http_allowed):
        return
    if scheme == "http":
        raise ValueError("A webhook URL must start with https:// (http:// only to localhost in the sandbox).")
    raise ValueError(f"A webhook URL must start with https://, not {scheme}://.")


def _check_address(address: Address, *, sandbox: bool) -> None:
    if not address_allowed(address, sandbox=sandbox):
        raise ValueError(f"{address} is not a public address.")


def _check_name(name: str) -> None:
    labels = name.split(".")
    if len(name) > NAME_MAX or not all(map(_label.fullmatch, labels)):
        raise ValueError(f"The host {name!r} is not a host name.")
    if any(name == domain or name.endswith(f".{domain}") for domain in _LOCAL_DOMAINS):
        raise ValueError(f"The host {name!r} only exists in local networks, not on the public Internet.")
    if len(labels) < 2:
        raise ValueError(f"The host {name!r} has no domain: use a full name, like example.org.")
    for label in labels:
        if label.startswith("xn--") and not _is_idna(label):
            raise ValueError(f"The label {label!r} of the host is not a valid xn-- label.")


def _is_idna(label: str) -> bool:
    """Return True if an xn-- label is the canonical spelling of a text that needs it (RFC 5891 §5.4, RFC 3492)."""
    try:
        text = label[4:].encode("ascii").decode("punycode")
        spelled = text.encode("punycode").decode("ascii")
    except (UnicodeError, ValueError, OverflowError):
        return False
    stable = unicodedata.normalize("NFKC", text) == text and text.lower() == text and text.isprintable()
    return spelled == label[4:] and not text.isascii() and stable


def _checked_port(text: str | None, *, scheme: str) -> int:
    standard = 443 if scheme == "https" else 80
    if text is None:
        return standard
    if not _port.fullmatch(text):
        raise ValueError(f"{text!r} is not a port number.")
    port = int(text)
    if port not in {443, standard} and not 1024 <= port <= 65535:
        raise ValueError(f"Webhooks go to port 443 or 1024 to 65535, not to {port}.")
    return port


def _is_loopback(address: Address) -> bool:
    return address in _LOOPBACK_V4 if isinstance(address, IPv4Address) else address == _LOOPBACK_V6
