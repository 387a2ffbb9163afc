"""Patterns that are never a code, masked before the search."""

from __future__ import annotations

import re

from .vocabulary import MONEY, NUMBERED, UNIT
from .word_patterns import any_of

GAP = re.compile(r"\[(?:\u2026|\.{3})\]|\((?:\u2026|\.{3})\)|^(?:\u2026|\.{3})|(?:\u2026|\.{3})(?=\s*\Z)")
"""A place where text is missing: the mark of a part that never arrived, or an ellipsis where the text breaks off."""

_APP_HASH = re.compile(  # at the end of a text that Android passes to an app
    r"(?<!\S)(?=[0-9+/]*[A-Za-z])(?=[A-Za-z]*[0-9+/]|[A-Za-z]{0,9}[a-z][A-Z])[A-Za-z0-9+/]{11}(?=\s*\Z)"
)
_PHONE_DIGITS_MAX = 15  # E.164


def _never() -> re.Pattern[str]:
    unit, money = any_of(" ".join(UNIT.values())), any_of(MONEY)
    amount = r"[0-9]{1,12}(?:[.,' ][0-9]{3}){0,4}(?:[.,][0-9]{1,2})?(?![0-9])"
    begins = "(?<![a-z0-9])(?<![a-z0-9]-)"
    counted = begins + r"(?:[0-9]{1,3}(?:[.,][0-9]{1,2})?|[0-9]{4})(?: ?- ?[0-9]{1,4})?(?:[ -]?(?:%s)|[sh](?![a-z]))"
    day, month, year = "(?:3[01]|[12][0-9]|0?[1-9])", "(?:1[0-2]|0?[1-9])", "(?:(?:19|20)[0-9]{2}|[0-9]{2})"
    return re.compile(
        "|".join(
            [
                r"(?:\b[a-z][a-z0-9+.-]{1,15}://|www\.|\b(?:tel|sms|smsto|mailto|geo):)[!-~]{1,2000}",
                r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}",
                r"\b[a-z]{2}[0-9]{2} ?[a-z0-9]{4}(?: ?[0-9]{4}){2,6}(?: ?[0-9a-z]{1,3})?(?![a-z0-9])",  # IBAN
                r"(?<![\w@])[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z][a-z0-9-]{0,62}){1,5}(?::[0-9]{2,5})?[/?#][!-~]{0,2000}",
                r"(?<![\w@])[a-z][a-z0-9-]{1,62}\.(?:com?|net|org|io|me|ly|app|dev|info|example|ru|de|uk|fr|es|it|in|br|cn"
                r"|pl|nl|eu|us|gov|edu|vn|id|jp|kr|ua|kz|uz|tr|se|no|dk|fi|cz|ro|gr|ir|il)(?::[0-9]{2,5})?(?![\w])",
                r"(?<![\w.+-])@[a-z_][a-z0-9_]{2,30}",
                counted % (unit + r"|%|°"),
                rf"(?<![0-9])[0-9]{{2,12}}[ '-]?(?:{any_of(NUMBERED)})",
                rf"(?:\$|{money})[ :.]?{amount}",
                rf"(?<![0-9]){amount} ?(?:\$|%|{money})(?! ?[0-9])",
                r"(?<![0-9])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?![0-9])",
                r"(?<![0-9])[0-9]{1,2}[.h][0-9]{2} ?(?:uhr|hrs|h|am|pm)(?![a-z])",
                rf"(?<![0-9-])(?:{day}-{month}|{month}-{day})-{year}(?![0-9-])",
                rf"(?<![0-9-])(?:19|20)[0-9]{{2}}-{month}(?:-{day})?(?![0-9-])",
                r"(?<![0-9])[0-9]{1,4}(?:[/.][0-9]{1,4}){1,3}(?::[0-9]{2,5})?(?![0-9])",
                r"(?<![0-9])[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9])",
                rf"(?<![0-9])[0-9]{{1,7}},[0-9]{{1,2}}(?![0-9])(?! ?(?:{unit}))",
                r"[0-9]{0,8}(?:[*x\u2022\u00d7\u25cf]{2,20}|(?<![a-z0-9])x)[ -]?[0-9]{2,10}(?![0-9a-z*])",
                r"(?<![*0-9])[0-9]{1,8}\*{2,20}",
                r"(?<![\w*])\*[0-9]{4}(?![0-9a-z*#])",
                r"(?<![\w*])\*[0-9*]{2,20}#",
                r"(?<!\w)(?:\u2026|\.{2,5}) ?[0-9]{2,6}(?![0-9])",
                r"(?P<phone>\+[0-9]++(?:[ .-]?\(?[0-9]++\)?)*+)",
                r"\([0-9]{2,5}\)(?:[ -]?[0-9]{2,4}){1,4}(?![0-9])",
            ]
        )
    )


_NEVER = _never()


def mask_non_codes(folded: str, lower: str) -> str:
    """Return the normalized text with a `~` for each character that can't be part of a code."""
    parts, end = [], 0
    for found in _NEVER.finditer(lower):
        length = len(found[0]) if not found["phone"] else _phone_length(found[0])
        parts += [folded[end : found.start()], "~" * length]
        end = found.start() + length
    plain = "".join([*parts, folded[end:]])
    return _APP_HASH.sub(lambda found: "~" * len(found[0]), plain)


def _phone_length(text: str) -> int:
    """Return the length of the phone number at the start of `+` and groups of digits. Groups beyond the maximum length
    of a phone number aren't part of it."""
    while sum(map(str.isdigit, text)) > _PHONE_DIGITS_MAX and " " in text:
        text = text.rpartition(" ")[0]
    return len(text)
