"""What is never a code, wherever it stands: taken out before codes are looked for."""

from __future__ import annotations

import re

from .lexicon import any_of, entries
from .words import MONEY, UNIT


def _never() -> re.Pattern[str]:
    unit, money = any_of(entries(UNIT)), any_of(MONEY.split())
    amount = r"[0-9]{1,12}(?:[.,' ][0-9]{3}){0,4}(?:[.,][0-9]{1,2})?(?![0-9])"
    counted = r"(?<![0-9])(?:[0-9]{1,3}(?:[.,][0-9]{1,2})?|[0-9]{4})(?: ?- ?[0-9]{1,4})?(?:[ -]?(?:%s)|[sh](?![a-z]))"
    day, month, year = "(?:3[01]|[12][0-9]|0?[1-9])", "(?:1[0-2]|0?[1-9])", "(?:(?:19|20)[0-9]{2}|[0-9]{2})"
    return re.compile(
        "|".join(
            [
                r"(?:https?://|www\.)[!-~]{1,2000}",
                r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}",
                r"(?<![\w@])[a-z][a-z0-9-]{0,62}(?:\.[a-z][a-z0-9-]{0,62}){1,5}/[!-~]{0,2000}",
                r"(?<![\w@])[a-z][a-z0-9-]{1,62}\.(?:com?|net|org|io|me|ly|app|dev|info|ru|de|uk|fr|es|it|in|br|cn)(?![\w])",
                counted % (unit + r"|%|°"),
                rf"(?:\$|{money})[ :.]?{amount}",
                rf"(?<![0-9]){amount} ?(?:\$|%|{money})(?! ?[0-9])",
                r"(?<![0-9])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?![0-9])",
                r"(?<![0-9])[0-9]{1,2}[.h][0-9]{2} ?(?:uhr|hrs|h)(?![a-z])",
                rf"(?<![0-9-])(?:{day}-{month}|{month}-{day})-{year}(?![0-9-])",
                rf"(?<![0-9-])(?:19|20)[0-9]{{2}}-{month}(?:-{day})?(?![0-9-])",
                r"(?<![0-9])[0-9]{1,4}(?:[/.][0-9]{1,4}){1,3}(?![0-9])",
                r"(?<![0-9])[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9])",
                rf"(?<![0-9])[0-9]{{1,7}},[0-9]{{1,2}}(?![0-9])(?! ?(?:{unit}))",
                r"[0-9]{0,6}(?:[*x\u2022\u00d7\u25cf]{2,20}|(?<![a-z0-9])x)[ -]?[0-9]{2,6}(?![0-9a-z])",
                r"[0-9]{1,6}\*{2,20}",
                r"\+[0-9][0-9 ().-]{5,24}[0-9]",
                r"\([0-9]{2,5}\)[ -]?[0-9]{2,4}[ -]?[0-9]{2,4}",
            ]
        )
    )


_NEVER = _never()


def without_what_is_never_a_code(folded: str, lower: str) -> str:
    """The folded text with a `~` for each character of what is never a code."""
    parts, end = [], 0
    for found in _NEVER.finditer(lower):
        parts += [folded[end : found.start()], "~" * len(found[0])]
        end = found.end()
    return "".join([*parts, folded[end:]])
