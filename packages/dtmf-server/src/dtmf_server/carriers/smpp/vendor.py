"""A carrier's deviations from the specification: TLVs that it requires, its receipts, its data_coding values.

Read from the tables of `[[carrier]]`. Pure; every function raises ValueError that names the invalid entry.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dtmf_server.carriers.smpp.pdu import Tlv
from dtmf_server.core.sms_encoding import CODINGS

Outcome = Literal["delivered", "failed", "pending"]
OUTCOMES = ("delivered", "failed", "pending")
TAG_MAX, TLV_OCTETS_MAX = 0xFFFF, 255
_HEX = "hex:"


@dataclass(frozen=True, slots=True)
class ReceiptRules:
    """The carrier's own status words, normalized, and the pattern of its receipts; empty for those of appendix B."""

    words: Mapping[str, Outcome] = field(default_factory=dict)
    pattern: re.Pattern[str] | None = None


def tlvs(table: Mapping[str, Any]) -> tuple[Tlv, ...]:
    """Return the TLVs of a table like `{"0x1400": "1101", "0x1401": "hex:313233"}`: text is sent as ASCII."""
    found: dict[int, bytes] = {}
    for key, value in table.items():
        tag = _number(key, TAG_MAX)
        if not tag:
            raise ValueError(f"has the key {key!r}: use a tag from 0x1 to 0xffff, like 0x1400")
        if tag in found:
            raise ValueError(f"lists the tag 0x{tag:04x} twice")
        found[tag] = _octets(key, value)
    return tuple(sorted(found.items()))


def tlvs_by_sender(table: Mapping[str, Any]) -> dict[str, tuple[Tlv, ...]]:
    """Return the TLVs of each of our numbers in a table like `{"+12025550100": {"0x1401": "1107"}}`."""
    found = {}
    for sender, entries in table.items():
        if not re.fullmatch(r"\+[1-9][0-9]{1,14}", sender, re.ASCII):
            raise ValueError(f"has the key {sender!r}: use one of your numbers, like '+12025550100'")
        if not isinstance(entries, dict):
            raise ValueError(f"maps {sender} to {entries!r}: use a table of TLVs")
        try:
            found[sender] = tlvs(entries)
        except ValueError as error:
            raise ValueError(f"for {sender} {error}") from None
    return found


def receipt_words(table: Mapping[str, Any]) -> dict[str, Outcome]:
    """Return the outcome of each status word, in the form that receipts are compared in."""
    found: dict[str, Outcome] = {}
    for word, outcome in table.items():
        if not normalized(word):
            raise ValueError(f"has the key {word!r}: use a status word of the carrier, like 'DLVD'")
        if outcome not in OUTCOMES:
            raise ValueError(f"maps {word} to {outcome!r}: use 'delivered', 'failed' or 'pending'")
        found[normalized(word)] = outcome
    return found


def receipt_pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a receipt's text: a regular expression with the groups `id` and `stat`, and perhaps `err`."""
    try:
        found = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if missing := {"id", "stat"} - set(found.groupindex):
        raise ValueError(f"has no group (?P<{min(missing)}>…)")
    return found


def data_codings(table: Mapping[str, Any]) -> dict[int, str]:
    """Return the coding of each data_coding value of a table like `{"0xf5": "ucs2"}`."""
    found: dict[int, str] = {}
    for key, coding in table.items():
        value = _number(key, 0xFF)
        if value is None:
            raise ValueError(f"has the key {key!r}: use a data_coding from 0x0 to 0xff, like 0xf5")
        if coding not in CODINGS:
            raise ValueError(f"maps {key} to {coding!r}: use one of {', '.join(sorted(CODINGS))}")
        found[value] = str(coding)
    return found


def normalized(word: str) -> str:
    """Return a status word as receipts are compared: in capitals, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", word).upper()


def host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """Return the host and port of `host`, `host:port` or `[IPv6]:port`. Raises ValueError."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.%a-z]+)\](?::([0-9]{1,5}))?|([0-9A-Za-z._-]+)(?::([0-9]{1,5}))?", text)
    if not found:
        raise ValueError(f"has {text!r}: use host, host:port or [IPv6]:port")
    port = int(found[2] or found[4] or default_port)
    if not 1 <= port <= 65535:
        raise ValueError(f"has {text!r}: use a port from 1 to 65535")
    return found[1] or found[3], port


def complaints(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the invalid ones of these settings, each as its key and the complaint."""
    for key, read in _READERS.items():
        try:
            if settings[key]:
                read(settings[key])
        except ValueError as error:
            yield key, str(error)


_READERS: dict[str, Callable[[Any], object]] = {
    "tlvs": tlvs,
    "tlvs_by_sender": tlvs_by_sender,
    "receipt_words": receipt_words,
    "receipt_pattern": receipt_pattern,
    "data_coding": data_codings,
}


def _number(key: str, limit: int) -> int | None:
    """Return a key like '0x1400' or '5120' as a number; None if it is not one from 0 to `limit`."""
    if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,8}", key, re.ASCII):
        return None
    value = int(key, 16 if key[:2].lower() == "0x" else 10)
    return value if value <= limit else None


def _octets(key: str, value: Any) -> bytes:
    if not isinstance(value, str) or not value.isascii():
        raise ValueError(f"maps {key} to {value!r}: use ASCII text, or 'hex:' and hexadecimal digits")
    try:
        octets = bytes.fromhex(value.removeprefix(_HEX)) if value.startswith(_HEX) else value.encode()
    except ValueError:
        raise ValueError(f"maps {key} to {value!r}: after 'hex:', use pairs of hexadecimal digits") from None
    if len(octets) > TLV_OCTETS_MAX:
        raise ValueError(f"has {len(octets)} octets for {key}: at most {TLV_OCTETS_MAX}")
    return octets
