"""Candidates: parts of a text with the form of a code, and the points for that form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exclusions import GAP
from .word_patterns import is_code_word

if TYPE_CHECKING:
    from collections.abc import Iterator

_YEAR_POINTS = 45
_DIGIT_POINTS = {3: 0, 4: 14, 5: 16, 6: 20, 7: 12, 8: 14, 9: 0, 10: 0}
_CUT_POINTS = 14
_GROUPS = {(3, 3), (4, 4), (2, 2), (2, 2, 2), (2, 2, 2, 2), (3, 2), (2, 3), (3, 3, 3)} | {(1,) * n for n in range(4, 9)}
_UNEVEN = {(4, 2), (2, 4), (3, 4), (4, 3)}  # a code only if no word follows: "4829 25" but not "4829 25 March"
_RUN = re.compile(r"[0-9A-Za-z]+")
_RUN_MAX = 32
_JOINTS = ("-", " ")
_PHONE_DIGITS = 7  # with this many or more, digits joined by both spaces and hyphens are one long number
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])|(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])20[0-9]{2}"
)
# Letters that are a word in no language: no vowels, or impossible combinations.
_UNSPEAKABLE = re.compile(
    r"[B-DF-HJ-NP-TV-XZ]+|.*(?:Q[^U]|[^AEIOUYN]Q|X[BDGJKMNQRVWZ]|[BCDFGHJKMPQSTVWXZ]X|J[BCFGHJLMPQSTVWXZ]|V[BCFHJKMPQTWX]|W[JQVX]|Z[QXJ]).*"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part of the text with the form of a code: its position, the code, and the points for its form.

    The code is empty if a part of it may be missing. `needs_word`: counts only near a word for "code". `needs_stating`:
    counts only with a colon or a verb between the two."""

    start: int
    end: int
    code: str
    points: int
    needs_word: bool = False
    needs_stating: bool = False


def candidates_in(text: str) -> list[Candidate]:
    """Return every candidate in normalized text. One that touches a gap has no code, because a part may be missing; so
    has a gap between words, because a whole code may be missing."""
    gaps = [gap.span() for gap in GAP.finditer(text)]
    before, after = {end: start for start, end in gaps}, dict(gaps)
    found: list[Candidate] = []
    for chain in _chains(text):
        start, end = chain[0].start(), chain[-1].end()
        begin, stop = before.get(_end_of_joints(text, start, -1), start), after.get(_end_of_joints(text, end, 1), end)
        if (begin, stop) == (start, end):
            found += _of_chain(text, chain)
        elif any(run[0][0].isdigit() for run in chain):
            found.append(Candidate(begin, stop, "", _CUT_POINTS))
    return found + [
        Candidate(place, place, "", 0)
        for start, end in gaps
        for place in {start, end}
        if not text[max(0, start - 1) : start].isalnum() and not text[end : end + 1].isalnum()
    ]


def _chains(text: str) -> Iterator[list[re.Match[str]]]:
    """Iterate over the runs of letters and digits, grouped if they belong together."""
    chain: list[re.Match[str]] = []
    for run in _RUN.finditer(text):
        if chain and not _goes_on(text, chain, run):
            yield chain
            chain = []
        chain.append(run)
    if chain:
        yield chain


def _end_of_joints(text: str, place: int, step: int) -> int:
    """Return the position after (or before) the spaces and hyphens that could join a number to its neighbor."""
    while 0 < place < len(text) and text[place if step > 0 else place - 1] in _JOINTS:
        place += step
    return place


def _goes_on(text: str, chain: list[re.Match[str]], run: re.Match[str]) -> bool:
    """Return whether a run continues the chain: joined by a hyphen, or digits joined by a space."""
    joint = text[chain[-1].end() : run.start()]
    return joint == "-" or (joint == " " and chain[-1][0].isdigit() and run[0].isdigit())


def _of_chain(text: str, chain: list[re.Match[str]]) -> Iterator[Candidate]:
    words = [run[0] for run in chain]
    if len(chain) == 1:
        yield from _of_run(chain[0])
    elif all(word.isdigit() for word in words):
        yield from _of_digits(text, chain, words)
    else:
        yield from _of_hyphens(text, chain, words)


def _of_digits(text: str, chain: list[re.Match[str]], words: list[str]) -> Iterator[Candidate]:
    """Iterate over the candidates in groups of digits: a code in even groups, none in a long number, or several."""
    lengths = tuple(map(len, words))
    code = "".join(words)
    joints = {text[run.end()] for run in chain[:-1]}
    uneven = lengths in _UNEVEN and not re.compile(r" ?[^\W\d_]").match(text, chain[-1].end())
    if len(joints) == 1 and (lengths in _GROUPS or uneven) and not any(_is_year(word) for word in words):
        long = len(code) > 8
        yield Candidate(chain[0].start(), chain[-1].end(), code, _DIGIT_POINTS[len(code)], long, long)
    elif joints == {" "} and not _is_phone(words) and (max(lengths) > 4 or len(code) < 9):
        if len(lengths) == 3 and lengths[0] == lengths[1] == 3:
            yield Candidate(chain[0].start(), chain[1].end(), "".join(words[:2]), _DIGIT_POINTS[6])
        else:
            for run in chain:
                yield from _of_run(run)
    elif len(joints) == 2 and (max(lengths) > 4 or len(code) < _PHONE_DIGITS):
        for run in chain:
            if "-" not in (text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]):
                yield from _of_run(run)


def _is_phone(words: list[str]) -> bool:
    """Return whether groups form a phone number in national format: 0800 2274825."""
    return words[0][0] == "0" and len(words[0]) <= 5 and sum(map(len, words)) >= 8


def _of_hyphens(text: str, chain: list[re.Match[str]], words: list[str]) -> Iterator[Candidate]:
    """Iterate over the candidates in letters and digits joined by hyphens: AB12-CD34; a number beside a word; or digits
    after the sender's letters, as in G-123456, where forms show the letters and users type only the digits."""
    whole = text[chain[0].start() : chain[-1].end()]
    digits = "".join(words[1:])
    sender = words[0].isalpha() and words[0].isupper() and len(words[0]) <= 3 and digits.isdigit()
    grouped = len(words) == 2 or tuple(map(len, words[1:])) in _GROUPS
    if sender and grouped and 4 <= len(digits) <= 8 and not is_code_word(words[0]):
        yield Candidate(chain[0].start(), chain[-1].end(), digits, 20)
    elif (
        len({len(word) for word in words}) == 1
        and 3 <= len(words[0]) <= 6
        and len(words) <= 4
        and " " not in whole
        and whole in (whole.upper(), whole.lower())
    ):
        spelled = whole.replace("-", "").isalpha()
        if not spelled or all(map(_UNSPEAKABLE.fullmatch, words)):
            yield Candidate(chain[0].start(), chain[-1].end(), whole, 10, True, spelled)
    elif len(words) == 2:
        for run in chain:
            if run[0].isdigit():
                yield from _of_run(run)


def _of_run(run: re.Match[str]) -> Iterator[Candidate]:
    """Iterate over the candidates in one run of letters and digits."""
    word, start, end = run[0], run.start(), run.end()
    if len(word) > _RUN_MAX:
        return
    if word.isdigit():
        if 3 <= len(word) <= 10:
            points = _DIGIT_POINTS[len(word)] - (_YEAR_POINTS if _is_year(word) or _DATE.fullmatch(word) else 0)
            yield Candidate(start, end, word, points, len(word) in (3, 9, 10), len(word) > 8)
        return
    split = re.fullmatch(r"([A-Za-z]*?)([0-9]{4,8})([A-Za-z]*)", word)
    if split and _is_glued(split[1], split[3]):
        yield Candidate(start + len(split[1]), end - len(split[3]), split[2], _DIGIT_POINTS[len(split[2])])
    elif 4 <= len(word) <= 10 and word.isalpha():
        if word.isupper() and _UNSPEAKABLE.fullmatch(word) and not is_code_word(word):
            yield Candidate(start, end, word, 0, needs_word=True, needs_stating=True)
    elif 4 <= len(word) <= 10:
        even = word.isupper() or word.islower()
        ordered = split is not None or re.fullmatch(r"[A-Za-z]+[0-9]+|[0-9]+[A-Za-z]+", word)
        named = re.fullmatch(r"[A-Za-z]{5,}[0-9]+|[a-z]+[0-9][a-z]+", word) is not None  # WELCOME10, or taf3eel
        points = 10 - (0 if even else 15) - (15 if ordered else 0)
        yield Candidate(start, end, word, points, True, named)


def _is_glued(before: str, after: str) -> bool:
    """Return whether only a space is missing around digits: `OTP482913`, `482913is your code`."""
    if before:
        return not after and is_code_word(before)
    return len(after) >= 2 and not after.isupper()


def _is_year(word: str) -> bool:
    return len(word) == 4 and "1900" <= word < "2050"
