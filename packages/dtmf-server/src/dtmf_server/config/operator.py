"""`[operator]`: where the operator's console is served, and the limit of credits and debits."""

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from dtmf_server.config.section import Section, setting
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.money import SATS_MAX

_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:]+)\]|([0-9A-Za-z._-]+)):(0|[1-9][0-9]{0,4})")


def _address(value: str) -> tuple[str, int] | None:
    found = _LISTEN.fullmatch(value)
    if found is None or int(found[3]) > 65535:
        return None
    return found[1] or found[2], int(found[3])


def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        valid_port = parts.port != 0
    except ValueError:
        return False
    is_plain = value.isascii() and value.isprintable() and not set(" ?#\\@") & set(value) and parts.path in ("", "/")
    return valid_port and is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)


class Operator(Section, frozen=True):
    """The limit of what operators credit to accounts, and of what they debit, on a UTC day; and where the operator's console
    is served."""

    credit_per_day_sats: Annotated[int, Meta(ge=0, le=SATS_MAX, description="satoshis, a whole number from 0")] = (
        100_000
    )
    listen: Annotated[str | None, setting("an address and port like 127.0.0.1:8001", _address)] = None
    public_url: Annotated[str | None, setting("an http:// or https:// address without a path", _is_origin)] = None

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and port to listen on."""
        return None if self.listen is None else _address(self.listen)

    @property
    def origin(self) -> str | None:
        """The origin that browsers use, in lower case."""
        return None if self.public_url is None else self.public_url.rstrip("/").lower()

    @property
    def url(self) -> str | None:
        """The address of the console; None if it is not served, or on any free port (0)."""
        if self.address is None or (self.origin is None and self.address[1] == 0):
            return None
        return f"{self.origin or f'http://{self.listen}'}/operator"

    def disagreements(self, website: str | None) -> Iterator[tuple[str, str]]:
        """Yield settings that are valid alone but not together, each as its key and the complaint. `website`: the public
        URL of the renters' website."""
        if self.public_url is not None:
            if self.listen is None:
                yield "public_url", "needs listen, the address on which the console is served"
            parts, other = urlsplit(self.public_url), urlsplit(website or "")
            if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
                yield (
                    "public_url",
                    "must begin with https:// unless it is on this machine: sessions would not be encrypted",
                )
            if (parts.scheme, parts.hostname, parts.port) == (other.scheme, other.hostname, other.port):
                yield "public_url", "is the address of the website: the console needs its own host name or port"
        elif self.address is not None and not is_loopback(self.address[0]):
            yield (
                "listen",
                "can be reached by other machines: set public_url, the https:// address of the proxy in front of it",
            )
