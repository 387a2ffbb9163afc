"""Normalization of text: letters, digits, spaces and hyphens of every kind become their nearest ASCII equivalents."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import category, decimal, normalize

_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u3099\u309a\ufe0e\ufe0f\u20e3]")
_LIKE = str.maketrans(
    {"đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ı": "i", "ə": "e", "Ə": "E", "ς": "σ", "：": ":"}
    | {"−": "-", "ی": "ي", "ى": "ي", "ک": "ك", "’": "'", "‘": "'", "ʻ": "'", "ʼ": "'"}
)


def fold(text: str) -> str:
    """Return the text in its plainest form: accents removed, lines ended by `\\n`, case unchanged."""
    plain = "".join(map(_plain, text.replace("\r\n", "\n").replace("\r", "\n")))
    return _MARKS.sub("", plain).translate(_LIKE)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Return the nearest ASCII letter, digit, space, hyphen or `$` for a character, else the character."""
    if character.isascii():
        return character
    kind = category(character)
    if character.isdecimal():
        return str(decimal(character))
    if character in "№ºª":  # before a number
        return {"№": "No ", "º": "o ", "ª": "a "}[character]
    fixed = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Pd": "-", "Sc": "$", "Cf": "", "Cs": " "}
    if kind in fixed:
        return fixed[kind]
    if "\uac00" <= character <= "\ud7af":  # Korean syllables stay whole
        return character
    apart = normalize("NFKD", character)
    return apart if apart.isalnum() or kind[0] == "L" else character


def lowered(text: str) -> str:
    """Return the text in lower case, with every character at the same position."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return lower.replace("ς", "σ")
