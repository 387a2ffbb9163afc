"""The code in a text: which of its numbers somebody is meant to type in.

How a reader knows, and so the rules:

1. `@example.com #123456` as the last line says it outright (WebOTP); nothing else counts then.
2. Letters and digits mean the same in every width and script: the text is folded first, case kept, accents off.
3. Some things are never a code, wherever they stand: addresses, amounts, dates, times, durations, percentages, the
   rest of a masked card, long numbers. They are taken out.
4. What is left and has the form of a code is a candidate: 3 to 10 digits, also in even groups (`123 456`, `12-34-56`,
   joined when returned); letters with digits (`7F3K9Q`, `AB12-CD34`, returned as they stand); digits after the
   letters of their sender (`G-123456`, returned without them); capitals only straight after "code:".
5. A number is explained by the words around it. A word for "code" counts the more the nearer it is. The last word
   before a number that names something else (order, account, call) speaks against it. A colon, brackets, an end of the
   text, a line of its own and being the only candidate count a little.
6. The best candidate is the code if it has enough points; else there is none. Of equals the first.

A file each: folding, never, candidates, surroundings; words.py has the words, in more than 40 languages. Every step is one
pass or bounded, so that a text of any length takes milliseconds."""

from __future__ import annotations

import re

from .candidates import candidates_in
from .folding import fold, lowered
from .never import without_what_is_never_a_code
from .surroundings import Surroundings

__all__ = ["find_code"]

_LONGEST_TEXT = 4_000  # characters looked at; an SMS of ten parts has 1,530
_ENOUGH = 40
_CUT = "[\u2026]"  # the mark of a gap
_WEBOTP = re.compile(
    r"^@[a-z0-9.-]{1,253} #(?=[A-Z-]*[0-9]|[B-DF-HJ-NP-TV-XZ-]+\b)([0-9A-Za-z-]{3,32})(?: ?[%@]\S*){0,2}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)


def find_code(text: str) -> str | None:
    """The code in a text, as it is to be typed in, None if there is none: 'Your code is 123 456' gives '123456'."""
    folded = fold(text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + _CUT)
    outright = _WEBOTP.findall(folded)
    if outright:
        return str(outright[-1])
    lower = lowered(folded)
    plain = without_what_is_never_a_code(folded, lower)
    candidates = list(candidates_in(plain))
    if not candidates:
        return None
    surroundings = Surroundings(plain, lowered(plain), candidates, whole=lower)
    points, best = max(((surroundings.points(c), c) for c in candidates), key=lambda rated: rated[0])
    return best.code or None if points >= _ENOUGH else None
