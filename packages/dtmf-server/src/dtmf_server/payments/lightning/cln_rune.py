"""The permissions of a rune of Core Lightning.

A rune is the base64 of an authentication code and its restrictions, which are joined with `&`. Each restriction consists of
alternatives, which are joined with `|`. All restrictions must hold, each by one of its alternatives.
"""

import re
from base64 import urlsafe_b64decode

METHODS = ("invoice", "waitanyinvoice", "listinvoices", "getinfo", "listpeerchannels")
AUTHCODE_BYTES = 32
_ALTERNATIVES = ", ".join(f'"method={method}"' for method in METHODS)
HOW = f"create one that cannot: lightning-cli createrune restrictions='[[{_ALTERNATIVES}]]'"

_is_alternative = re.compile(r"method=[a-z]+\Z").match


def permitted(rune: str) -> set[str] | None:
    """Return the methods that a rune permits, None if nothing restricts it to certain methods."""
    try:
        data = urlsafe_b64decode(rune + "=" * (-len(rune) % 4))
        restrictions = data[AUTHCODE_BYTES:].decode().split("&")
    except ValueError:
        return None
    alternatives = [restriction.split("|") for restriction in restrictions]
    lists = [set(each) for each in alternatives if all(_is_alternative(one) for one in each)]
    return {one.removeprefix("method=") for one in set.intersection(*lists)} if lists else None
