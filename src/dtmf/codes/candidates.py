"""What has the form of a code, and what that form is worth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lexicon import is_code_word

if TYPE_CHECKING:
    from collections.abc import Iterator

_YEAR_POINTS = 45
_DIGIT_POINTS = {3: 0, 4: 14, 5: 16, 6: 20, 7: 12, 8: 14, 9: 0, 10: 0}
_GROUPS = {(3, 3), (4, 4), (2, 2), (2, 2, 2), (2, 2, 2, 2), (3, 2), (2, 3), (3, 3, 3)} | {(1,) * n for n in range(4, 9)}
_RUN = re.compile(r"[0-9A-Za-z]+")
_LONGEST_RUN = 32
_MOST_RUNS = 16


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something with the form of a code: where it stands, what to type, and what its form is worth."""

    start: int
    end: int
    code: str
    points: int
    needs_word: bool = False
    needs_colon: bool = False


def candidates_in(text: str) -> Iterator[Candidate]:
    """Every candidate in folded text, in order."""
    chain: list[re.Match[str]] = []
    for run in _RUN.finditer(text):
        if chain and not _goes_on(text, chain, run):
            yield from _of_chain(text, chain)
            chain = []
        chain.append(run)
    if chain:
        yield from _of_chain(text, chain)


def _goes_on(text: str, chain: list[re.Match[str]], run: re.Match[str]) -> bool:
    """Whether the run belongs together with those before: joined by hyphens, or digits by single blanks."""
    joint = text[chain[-1].end() : run.start()]
    if len(chain) > 1 and joint != text[chain[0].end() : chain[1].start()]:
        return False
    digits = chain[-1][0].isdigit() and run[0].isdigit()
    return len(chain) < _MOST_RUNS and (joint == "-" or (joint == " " and digits))


def _of_chain(text: str, chain: list[re.Match[str]]) -> Iterator[Candidate]:
    words = [run[0] for run in chain]
    if len(chain) == 1:
        yield from _of_run(chain[0])
    elif all(word.isdigit() for word in words):
        yield from _of_digits(text, chain, words)
    else:
        yield from _of_hyphens(chain, words)


def _of_digits(text: str, chain: list[re.Match[str]], words: list[str]) -> Iterator[Candidate]:
    """Groups of digits: a code in even groups; or a long number, which is none; or several numbers."""
    lengths = tuple(map(len, words))
    code = "".join(words)
    if lengths in _GROUPS and not any(_is_year(word) for word in words):
        yield Candidate(chain[0].start(), chain[-1].end(), code, _DIGIT_POINTS[len(code)])
    elif text[chain[0].end()] == " " and (max(lengths) > 4 or len(code) < 9):
        if lengths[:2] in _GROUPS and len(lengths) == 3 and lengths[0] == lengths[1] == 3:
            yield Candidate(chain[0].start(), chain[1].end(), "".join(words[:2]), _DIGIT_POINTS[6])
        else:
            for run in chain:
                yield from _of_run(run)


def _of_hyphens(chain: list[re.Match[str]], words: list[str]) -> Iterator[Candidate]:
    """Letters and digits joined by hyphens: AB12-CD34, or a number beside a word, or one after the letters of its
    sender, which the form that asks for it has before the field: of G-123456 only the digits are typed."""
    whole = "-".join(words)
    has_digit = any(c.isdigit() for c in whole)
    prefixed = len(words) == 2 and words[0].isalpha() and len(words[0]) <= 3 and words[1].isdigit()
    if prefixed and words[0].isupper() and 4 <= len(words[1]) <= 8 and not is_code_word(words[0]):
        yield Candidate(chain[0].start(), chain[-1].end(), words[1], 20)
    elif (
        len({len(word) for word in words}) == 1
        and 3 <= len(words[0]) <= 6
        and len(words) <= 4
        and whole in (whole.upper(), whole.lower())
    ):
        yield Candidate(chain[0].start(), chain[-1].end(), whole, 10, needs_word=True, needs_colon=not has_digit)
    elif len(words) == 2:
        for run in chain:
            if run[0].isdigit():
                yield from _of_run(run)


def _of_run(run: re.Match[str]) -> Iterator[Candidate]:
    """What one run of letters and digits is."""
    word, start, end = run[0], run.start(), run.end()
    if len(word) > _LONGEST_RUN:
        return
    if word.isdigit():
        if 3 <= len(word) <= 10:
            points = _DIGIT_POINTS[len(word)] - (_YEAR_POINTS if _is_year(word) else 0)
            yield Candidate(start, end, word, points, needs_word=len(word) in (3, 9, 10))
        return
    split = re.fullmatch(r"([A-Za-z]*?)([0-9]{4,8})([A-Za-z]*)", word)
    if split and _is_glued(split[1], split[3]):
        yield Candidate(start + len(split[1]), end - len(split[3]), split[2], _DIGIT_POINTS[len(split[2])])
    elif 4 <= len(word) <= 10 and word.isalpha() and word.isupper() and not is_code_word(word):
        yield Candidate(start, end, word, 0, needs_word=True, needs_colon=True)
    elif 4 <= len(word) <= 10 and not word.isalpha():
        even = word.isupper() or word.islower()
        ordered = split is not None or re.fullmatch(r"[A-Za-z]+[0-9]+|[0-9]+[A-Za-z]+", word)
        named = re.fullmatch(r"[A-Za-z]{5,}[0-9]+", word) is not None  # WELCOME10
        points = 10 - (0 if even else 15) - (15 if ordered else 0)
        yield Candidate(start, end, word, points, needs_word=True, needs_colon=named)


def _is_glued(before: str, after: str) -> bool:
    """Whether digits only lack a blank: `OTP482913`, `482913is your code`."""
    if before:
        return not after and is_code_word(before)
    return len(after) >= 2 and not after.isupper()


def _is_year(word: str) -> bool:
    return len(word) == 4 and word[:2] in ("19", "20")
