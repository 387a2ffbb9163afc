"""What a carrier brings: an SMS, a part of a long one, or word of what became of an SMS that it took."""

import re

from msgspec import Struct

from dtmf_server.core.sms_encoding import Coding

REF_MAX = 64  # characters (SMPP 3.4 §5.2.23)
_is_decimal = re.compile(r"[0-9]{1,20}").fullmatch
_is_hexadecimal = re.compile(r"[0-9a-f]{1,16}").fullmatch


class Place(Struct, frozen=True):
    """Where a part stands in its long message: `number` of `total`, under a reference of so many bits."""

    ref: int
    ref_bits: int
    total: int
    number: int  # from 1


class Part(Struct, frozen=True):
    """A part of a long SMS, undecoded: a character may be split between two of them."""

    place: Place
    octets: bytes
    coding: Coding
    dcs: int = 0  # as it came, like the user data header
    udh: bytes = b""


class Arrival(Struct, frozen=True):
    """An SMS for one of our numbers. `sender` may be a name or short code, kept verbatim.

    `digest` is of what came over the wire on the link `link`, for carriers that bring a thing again when they saw no
    answer; without one, nothing is taken for a repetition.
    """

    sender: str
    to: str
    content: str | Part
    digest: str = ""
    link: int = 0


class Receipt(Struct, frozen=True):
    """What became of an SMS that the carrier took under the reference `ref`; `sender` is the phone it went to, `to` the
    number it was sent from, where the carrier says so."""

    ref: str
    delivered: bool
    reason: str = ""
    sender: str = ""
    to: str = ""


def canonical(ref: str) -> str:
    """The spelling that a reference is stored and looked for in."""
    plain = ref.strip().lower().replace("\0", "")[:REF_MAX]
    return plain.lstrip("0") or plain


def spellings(ref: str) -> list[str]:
    """The reference, then what it would be in the other base; the first that is known is meant: SMSCs answer a submit in
    hexadecimal and report in decimal, or the other way round, and lose leading zeros on the way."""
    found = [canonical(ref)]
    if _is_decimal(found[0]):
        found.append(f"{int(found[0]):x}")
    if _is_hexadecimal(found[0]):
        found.append(str(int(found[0], 16)))
    return list(dict.fromkeys(found))
