"""API tokens: `dtmf_`, 30 random base62 characters (178 bits) and a 6-character checksum.

The checksum is a CRC-32. It rejects typing mistakes and blind guesses before the database is queried. It is not a
secret.
"""

import hashlib
import re
import string
import zlib

PREFIX = "dtmf_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
BODY_LENGTH = 30
CHECKSUM_LENGTH = 6
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]

_form = re.compile(
    rf"{PREFIX}(?P<body>[0-9A-Za-z]{{{BODY_LENGTH}}})(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
).fullmatch


def mint(random_bytes: bytes) -> str:
    """Return a token made from at least 32 random bytes."""
    assert len(random_bytes) >= 32, "a token needs 32 random bytes"
    body = _base62(int.from_bytes(random_bytes, "big"), BODY_LENGTH)
    return PREFIX + body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Return True if the length, characters and checksum of `token` are valid."""
    form = _form(token)
    return form is not None and _checksum(form["body"]) == form["checksum"]


def sha256(token: str) -> bytes:
    """Return the hash that is stored in place of the token."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(body: str) -> str:
    """Return six base62 digits, computed two at a time because this runs for every request."""
    rest, low = divmod(zlib.crc32(body.encode()), len(_PAIRS))
    high, middle = divmod(rest, len(_PAIRS))
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def _base62(number: int, length: int) -> str:
    """Return the last `length` base62 digits of a number."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
