"""The octets of an SMS and its text. Decoding is total: everything is displayed, and doubtful text is marked.

Rules:
1. GSM 7-bit text has one septet per octet; ESC selects the extension table (3GPP TS 23.038 §6.2.1). A septet after ESC
   that is not in that table stands for itself. A trailing ESC, or a double one, is a space, as §6.2.1.1 requires of a
   phone.
2. A national coding (`gsm7_with`) replaces the alphabet, the extension table, or both (annex A). A number without a
   table means the default table; a septet that the single shift table leaves unassigned is taken from the alphabet in
   use.
3. UCS-2 is read as UTF-16. Each part of a long SMS may start with a byte order mark. The mark is removed and sets the
   byte order until the next mark; before the first mark it is big-endian. Half a surrogate pair becomes U+FFFD; an odd
   octet at the end becomes U+FFFD and its Latin-1 character.
4. If an octet is invalid in its coding, the whole text becomes Latin-1, preceded by U+FFFD.
5. Binary octets are displayed as text if they are printable ASCII including tabs and line ends, else in hexadecimal.
6. Carriers may count a terminating NUL as part of the text: NULs at the end of a part are removed, except in GSM 7-bit,
   where 0 is `@`, in binary that is not text, and where there is nothing else. Any other NUL, which databases refuse,
   is displayed as U+2400.
7. ASCII with control characters other than tab, line feed and carriage return, or with a NUL in the middle, is read as
   GSM 7-bit: node-smpp by default writes GSM 7-bit with the data_coding of ASCII.
"""

import codecs
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Literal, get_args

from dtmf_server.core.national import LOCKING, SINGLE
from dtmf_server.core.sms_segments import ESCAPE, GSM7_ALPHABET, GSM7_EXTENSION

# One of CODINGS, or a name returned by `gsm7_with`.
Coding = str
_Plain = Literal["gsm7", "ucs2", "ascii", "latin1", "utf8", "cyrillic", "hebrew", "japanese", "korean", "binary"]
CODINGS: frozenset[str] = frozenset(get_args(_Plain))

MARK = "\ufffd"
GAP = "[…]"  # in place of parts that never arrived
_NUL, _VISIBLE_NUL = "\0", "\u2400"
_CODECS = {
    "ascii": "ascii",
    "latin1": "latin-1",
    "utf8": "utf-8",
    "cyrillic": "iso8859_5",
    "hebrew": "iso8859_8",
    "korean": "cp949",
}
_ENCODED = str.maketrans(
    {character: chr(septet) for septet, character in enumerate(GSM7_ALPHABET) if character != ESCAPE}
    | {character: ESCAPE + chr(septet) for character, septet in GSM7_EXTENSION.items()}
)
_UTF8_MARK = "\ufeff".encode()
_LINE_ENDS_AND_TABS = str.maketrans("", "", "\t\n\r")
_national = re.compile(r"gsm7-([0-9]{1,3})-([0-9]{1,3})").fullmatch
_is_gsm7_after_all = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]|\x00(?!\x00*\Z)").search


def gsm7_with(*, locking: int, single: int) -> Coding:
    """Return GSM 7-bit with the national language tables of these numbers, 0 for the default ones."""
    locking, single = locking if locking in LOCKING else 0, single if single in SINGLE else 0
    return f"gsm7-{locking}-{single}" if locking or single else "gsm7"


def decode(octets: bytes, coding: Coding) -> str:
    """Return the text of these octets. Total: every octet string has a result."""
    return join([(1, octets, coding)], total=1)


def encode_gsm7(text: str) -> bytes:
    """Encode with one septet per octet. Raises ValueError for a character outside GSM 7-bit."""
    septets = text.translate(_ENCODED)
    if not septets.isascii() or ESCAPE in text:
        raise ValueError("a character is not in the GSM 7-bit alphabet")
    return septets.encode("ascii")


def join(parts: Sequence[tuple[int, bytes, Coding]], *, total: int) -> str:
    """Return the text of a long message from the parts that arrived: (number, octets, coding), each number once.

    Octets are joined before they are decoded, because a character may start in one part and end in the next.
    """
    here = sorted(parts)
    numbers = [number for number, _, _ in here]
    assert numbers and len(set(numbers)) == len(numbers) and numbers[0] >= 1 and numbers[-1] <= total
    runs = [list(run) for _, run in groupby(enumerate(here), key=lambda item: (item[1][0] - item[0], item[1][2]))]
    shown, expected, order = "", 1, codecs.BOM_UTF16_BE
    for run in runs:
        if run[0][1][0] != expected:
            shown += GAP
        coding, pieces = run[0][1][2], [octets for _, (_, octets, _) in run]
        if coding == "ucs2":
            octets, order = _without_marks(pieces, order)
        else:
            octets = b"".join(_bare(piece, coding) for piece in pieces)
        shown += _shown(octets, coding)
        expected = run[-1][1][0] + 1
    return shown if expected > total else shown + GAP


def _shown(octets: bytes, coding: Coding) -> str:
    try:
        text = _decoded(octets, coding)
    except UnicodeDecodeError:
        text = MARK + octets.decode("latin-1")
    return text.replace(_NUL, _VISIBLE_NUL)


def _decoded(octets: bytes, coding: Coding) -> str:
    if coding == "gsm7" or (coding == "ascii" and _is_gsm7_after_all(octets)):
        return _from_gsm7(octets, LOCKING[0], SINGLE[0])
    if coding == "ucs2":
        return _from_ucs2(octets)
    if coding == "binary":
        return octets.decode("ascii") if _is_readable(octets) else octets.hex()
    if coding == "japanese":  # ISO-2022-JP uses ESC; without one, assume Shift JIS
        return octets.decode("iso2022_jp" if b"\x1b" in octets else "cp932")
    if tables := _national(coding):
        return _from_gsm7(octets, LOCKING[int(tables[1])], SINGLE[int(tables[2])])
    return octets.decode(_CODECS[coding])


def _bare(octets: bytes, coding: Coding) -> bytes:
    """Strip counted NULs at the end of a part, and a byte order mark at its start."""
    if coding.startswith("gsm7"):
        return octets
    text = octets.rstrip(b"\0")
    if not text or (coding == "binary" and not _is_readable(text)):
        return octets
    return text.removeprefix(_UTF8_MARK) if coding == "utf8" else text


def _is_readable(octets: bytes) -> bool:
    return octets.isascii() and octets.decode("ascii").translate(_LINE_ENDS_AND_TABS).isprintable()


def _without_marks(parts: Sequence[bytes], order: bytes) -> tuple[bytes, bytes]:
    """Return the parts of UCS-2 text joined, big-endian and without marks, and the final byte order. A code unit may
    start in one part and end in the next, so a mark or NUL only counts at the start of a code unit."""
    pieces, piece = [], bytearray()  # `piece` is in one byte order
    for part in parts:
        has_mark = len(piece) % 2 == 0 and part[:2] in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
        if has_mark:
            pieces.append(_big_endian(piece, order))
            order, piece = part[:2], bytearray()
        piece += part[2:] if has_mark else part
        while len(piece) > 2 and len(piece) % 2 == 0 and piece.endswith(b"\0\0"):
            del piece[-2:]
    return b"".join([*pieces, _big_endian(piece, order)]), order


def _big_endian(octets: bytes | bytearray, order: bytes) -> bytes:
    if order == codecs.BOM_UTF16_BE:
        return bytes(octets)
    even = len(octets) & ~1
    swapped = bytearray(octets)
    swapped[0:even:2], swapped[1:even:2] = octets[1:even:2], octets[0:even:2]
    return bytes(swapped)


def _from_gsm7(octets: bytes, alphabet: str, extension: Mapping[str, str]) -> str:
    text, _ = codecs.charmap_decode(octets, "strict", alphabet)
    return _unescaped(text, octets, alphabet, extension) if ESCAPE in text else text


def _unescaped(text: str, octets: bytes, alphabet: str, extension: Mapping[str, str]) -> str:
    """Replace each ESC and the septet after it with the character they encode."""
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
            shown.append(extension.get(following) or alphabet[ord(following)])
        at = escape.end() + 1
    return "".join([*shown, text[at:]])


def _from_ucs2(octets: bytes) -> str:
    even, odd = octets[: len(octets) & ~1], octets[len(octets) & ~1 :]
    text = even.decode("utf-16-be", "replace")
    return text + (MARK + odd.decode("latin-1") if odd else "")
