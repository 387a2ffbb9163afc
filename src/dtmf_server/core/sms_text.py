"""The octets of an SMS and its text. Decoding is total: whatever comes is shown, and what is in doubt is marked.

Rules:
1. GSM 7-bit text has one septet an octet, ESC opening the extension table (3GPP TS 23.038 §6.2.1). After ESC a septet
   that is not in that table stands for itself; ESC at the end, or twice, is a space, as §6.2.1.1 tells a phone.
2. UCS-2 is read as UTF-16, big-endian unless it begins with the other byte order mark. Half a surrogate pair becomes
   U+FFFD, an odd octet at the end U+FFFD and its Latin-1 character.
3. Octets that their coding has no character for make the whole text Latin-1 behind the mark U+FFFD.
4. Binary octets are shown as text where they are printable ASCII, else in hexadecimal.
5. NUL, which databases refuse, is shown as U+2400.
6. ASCII with control characters other than tab, line feed and carriage return, or a NUL in its middle, is no ASCII:
   node-smpp, left to choose, writes GSM 7-bit under the data_coding of ASCII.
"""

import codecs
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal, get_args

from dtmf_server.core.sms import ESCAPE, GSM7_ALPHABET, GSM7_EXTENSION

Coding = Literal["gsm7", "ucs2", "ascii", "latin1", "utf8", "cyrillic", "hebrew", "japanese", "korean", "binary"]
CODINGS: frozenset[str] = frozenset(get_args(Coding))

MARK = "\ufffd"
GAP = "[…]"  # in place of parts that never came
_NUL, _VISIBLE_NUL = "\0", "\u2400"
_CODECS = {
    "ascii": "ascii",
    "latin1": "latin-1",
    "utf8": "utf-8",
    "cyrillic": "iso8859_5",
    "hebrew": "iso8859_8",
    "korean": "cp949",
}
_EXTENDED = {chr(septet): character for character, septet in GSM7_EXTENSION.items()}
_ENCODED = str.maketrans(
    {character: chr(septet) for septet, character in enumerate(GSM7_ALPHABET) if character != ESCAPE}
    | {character: ESCAPE + chr(septet) for character, septet in GSM7_EXTENSION.items()}
)
_is_gsm7_after_all = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]|\x00(?!\x00*\Z)").search


def decode(octets: bytes, coding: Coding) -> str:
    """The text of these octets. Total: every octet string has an answer."""
    try:
        text = _decoded(octets, coding)
    except UnicodeDecodeError:
        text = MARK + octets.decode("latin-1")
    return text.replace(_NUL, _VISIBLE_NUL)


def encode_gsm7(text: str) -> bytes:
    """One septet an octet. Raises ValueError for a character that GSM 7-bit has not."""
    septets = text.translate(_ENCODED)
    if not septets.isascii() or ESCAPE in text:
        raise ValueError("a character is not in the GSM 7-bit alphabet")
    return septets.encode("ascii")


def join(parts: Sequence[tuple[int, bytes, Coding]], *, total: int) -> str:
    """The text of a long message of which these parts came (number, octets, coding), numbers each once.

    Octets are joined before they are decoded: a character may begin in one part and end in the next.
    """
    here = sorted(parts)
    numbers = [number for number, _, _ in here]
    assert numbers and len(set(numbers)) == len(numbers) and numbers[0] >= 1 and numbers[-1] <= total
    runs = [list(run) for _, run in groupby(enumerate(here), key=lambda item: (item[1][0] - item[0], item[1][2]))]
    shown, expected = "", 1
    for run in runs:
        if run[0][1][0] != expected:
            shown += GAP
        shown += decode(b"".join(octets for _, (_, octets, _) in run), run[0][1][2])
        expected = run[-1][1][0] + 1
    return shown if expected > total else shown + GAP


def _decoded(octets: bytes, coding: Coding) -> str:
    if coding == "gsm7" or (coding == "ascii" and _is_gsm7_after_all(octets)):
        return _from_gsm7(octets)
    if coding == "ucs2":
        return _from_ucs2(octets)
    if coding == "binary":
        readable = octets.isascii() and octets.decode("ascii").isprintable()
        return octets.decode("ascii") if readable else octets.hex()
    if coding == "japanese":  # ISO-2022-JP announces itself with ESC; without it, Shift JIS is what is meant
        return octets.decode("iso2022_jp" if b"\x1b" in octets else "cp932")
    return octets.decode(_CODECS[coding])


def _from_gsm7(octets: bytes) -> str:
    text, _ = codecs.charmap_decode(octets, "strict", GSM7_ALPHABET)
    return _unescaped(text, octets) if ESCAPE in text else text


def _unescaped(text: str, octets: bytes) -> str:
    """The text with what ESC and the septet after it stand for."""
    shown = []
    at = 0
    for escape in re.finditer("\x1b", text):
        if escape.start() < at:
            continue  # the second of two
        shown.append(text[at : escape.start()])
        following = octets[escape.end() : escape.end() + 1].decode("ascii")
        if following in ("", ESCAPE):
            shown.append(" ")
        else:
            shown.append(_EXTENDED.get(following) or GSM7_ALPHABET[ord(following)])
        at = escape.end() + 1
    return "".join([*shown, text[at:]])


def _from_ucs2(octets: bytes) -> str:
    even, odd = octets[: len(octets) & ~1], octets[len(octets) & ~1 :]
    codec = "utf-16-le" if even.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    text = even.decode(codec, "replace").removeprefix("\ufeff")
    return text + (MARK + odd.decode("latin-1") if odd else "")
