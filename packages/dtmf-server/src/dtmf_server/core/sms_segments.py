"""How many segments a text needs: GSM 7-bit or UCS-2, single or concatenated.

Rules:
1. A text is sent in the GSM 7-bit default alphabet if every character is in it or in its extension table (3GPP TS
   23.038 §6.2.1, §6.2.1.1), else in UCS-2, which phones read as UTF-16.
2. An extension character is ESC and a second septet: two septets, never split across segments. A character beyond
   U+FFFF is two UTF-16 code units, a surrogate pair, which is never split either.
3. One segment carries 140 octets: 160 septets or 70 code units (TS 23.040 §9.2.3.24). A longer text is split into
   segments that each use 6 octets for a header with an 8-bit reference (§9.2.3.24.1), which leaves 153 septets or 67
   code units.
4. An empty text is one segment of 0 units.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["gsm7", "ucs2"]

ESCAPE = "\x1b"
# Index = septet. The position of ESC (0x1B) holds ESC itself, which no text may contain as a character.
GSM7_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# Character: the septet that follows ESC (TS 23.038 §6.2.1.1).
GSM7_EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}

OCTETS, HEADER_OCTETS = 140, 6
GSM7_SINGLE, GSM7_PART = 160, 153  # septets
UCS2_SINGLE, UCS2_PART = 70, 67  # UTF-16 code units


@dataclass(frozen=True, slots=True)
class Segments:
    """The size of a text: its encoding, its length in septets or code units, and the number of segments."""

    encoding: Encoding
    units: int
    count: int


_BASIC = re.escape(GSM7_ALPHABET.replace(ESCAPE, ""))
_EXTENDED = re.escape("".join(GSM7_EXTENSION))
_is_basic = re.compile(f"[{_BASIC}]*").fullmatch
_is_gsm7 = re.compile(f"[{_BASIC}{_EXTENDED}]*").fullmatch
_extended = re.compile(f"[{_EXTENDED}]").findall
_beyond_ucs2 = re.compile("[\U00010000-\U0010ffff]").findall
# Almost every text is one GSM segment, so these results are built once, not per message.
_ONE_GSM7 = tuple(Segments("gsm7", units, 1) for units in range(GSM7_SINGLE + 1))


def segments(text: str) -> Segments:
    """Return the encoding, units and number of segments of `text`. Total: every str has a result."""
    if _is_basic(text):
        if len(text) <= GSM7_SINGLE:
            return _ONE_GSM7[len(text)]
        return Segments("gsm7", len(text), -(-len(text) // GSM7_PART))
    if _is_gsm7(text):
        units = len(text) + len(_extended(text))
        if units <= GSM7_SINGLE:
            return _ONE_GSM7[units]
        return Segments("gsm7", units, _parts((2 if c in GSM7_EXTENSION else 1 for c in text), GSM7_PART))
    units = len(text) + len(_beyond_ucs2(text))
    if units <= UCS2_SINGLE:
        return Segments("ucs2", units, 1)
    return Segments("ucs2", units, _parts((2 if c > "\uffff" else 1 for c in text), UCS2_PART))


def cut(text: str, *, header_octets: int = HEADER_OCTETS, encoding: Encoding | None = None) -> list[str]:
    """Split `text` into the pieces that are sent. With the default header there are as many as `segments` counts; a
    longer header (a 16-bit reference takes 7 octets), or UCS-2 for a text that fits GSM 7-bit, may need more."""
    counted = segments(text)
    encoding = encoding or counted.encoding
    room = OCTETS - header_octets
    if encoding == "gsm7":
        single, part = GSM7_SINGLE, room * 8 // 7
        widths = [2 if character in GSM7_EXTENSION else 1 for character in text]
    else:
        single, part = UCS2_SINGLE, room // 2
        widths = [2 if character > "\uffff" else 1 for character in text]
    if sum(widths) <= single:
        return [text]
    pieces, start, used = [], 0, 0
    for at, width in enumerate(widths):
        if used + width > part:
            pieces.append(text[start:at])
            start, used = at, 0
        used += width
    return [*pieces, text[start:]]


def _parts(widths: Iterable[int], capacity: int) -> int:
    """Return how many segments of `capacity` units hold characters of these widths without splitting one."""
    count, used = 1, 0
    for width in widths:
        used += width
        if used > capacity:
            count, used = count + 1, width
    return count
