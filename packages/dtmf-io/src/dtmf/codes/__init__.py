"""Find the verification code in a text, if it has one.

The rules:

1. A line `@example.com #123456` (WebOTP) states the code; the rest of the text is ignored.
2. The text is normalized: letters and digits of every script and width in plain form, accents removed, case unchanged.
3. Parts that are never a code are masked: web addresses, amounts, dates, times, durations, percentages, IBANs, phone
   numbers with a `+`, masked cards, the hash at the end of an Android app's SMS.
4. The remaining parts with the form of a code are candidates: 3 to 10 digits, also in even groups (`123 456`,
   `12-34-56`, returned joined); letters with digits (`7F3K9Q`, `AB12-CD34`, returned unchanged); digits after the
   sender's letters (`G-123456`, returned without them); capitals that form no word in any language (`WXKT-PLMQ`). A part
   of a longer number is not a candidate.
5. The words around a candidate score points. A word for "code" scores more the nearer it is; so does a verb or a colon
   between the two. Words in another sentence count only if the candidate begins its own sentence or line.
6. The last label before a candidate counts against it if it names something else (order, account, phone), unless it
   only says what the code is for ("code for your account is 4829"). A discount in the sentence counts against it.
7. A candidate that touches a gap (`[…]`, or an ellipsis where the text breaks off) may be incomplete. It competes like
   any other, but if it wins there is no code.
8. The candidate with the most points is the code, if it has enough. In a tie, the first one wins.

One module per step: normalization, exclusions, candidates, scoring, and word_patterns for the words. vocabulary.py has
the words about codes, labels.py those about other numbers. Every step is linear in the text, up to a maximum length."""

from __future__ import annotations

import re

from .candidates import candidates_in
from .exclusions import mask_non_codes
from .normalization import fold, lowered
from .scoring import ContextScorer

__all__ = ["find_code"]

_TEXT_MAX = 4_000  # maximum length examined; an SMS of ten parts has 1,530. The rest is treated as missing
_ENOUGH = 40
_CUT = "[\u2026]"  # the mark of a gap
_WEBOTP = re.compile(
    r"^@[a-z0-9.-]{1,253} #(?=[A-Z-]*[0-9]|[B-DF-HJ-NP-TV-XZ-]+\b)([0-9A-Za-z-]{3,32})(?: ?[%@]\S*){0,2}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_WEBOTP_CUT = re.compile(
    r"^@[a-z0-9.-]{1,253} #?[0-9A-Za-z-]{0,32} ?\[(?:\u2026|\.{3})\]", re.MULTILINE | re.IGNORECASE
)


def find_code(text: str) -> str | None:
    """Return the code in a text as a user would type it, None if there is none: '123456' for 'Your code is 123 456'."""
    folded = fold(text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + _CUT)
    outright = [*_WEBOTP.finditer(folded)]
    if outright:
        return outright[-1][1]
    if _WEBOTP_CUT.search(folded):
        return None
    lower = lowered(folded)
    plain = mask_non_codes(folded, lower)
    candidates = candidates_in(plain)
    if not candidates:
        return None
    surroundings = ContextScorer(plain, lowered(plain), candidates, whole=lower)
    points, best = max(((surroundings.points(c), c) for c in candidates), key=lambda rated: rated[0])
    return best.code or None if points >= _ENOUGH else None
