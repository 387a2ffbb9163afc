"""What the words around a candidate say about it, and the place where it stands."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate

from .candidates import Candidate
from .lexicon import WORDS

_CLEAR = 40  # points of words that a weak form needs
# Distance between a word and a number: a word between them is 3, a character of a script without blanks 1, the end of
# a sentence 9.
_WORD, _CHARACTER, _SENTENCE = 3, 1, 9
_CODE_POINTS, _TASK_POINTS, _POINTS_PER_PACE = 80, 45, 2
_CODE_ANYWHERE = 15
_OTHER_POINTS, _OTHER_PACES = 75, 6
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_STEP = re.compile(
    rf"(?P<character>[{_UNSPACED}])|(?P<word>(?<![^\s{_UNSPACED}])[^\W_]+)|(?P<sentence>[.!?](?=\s)|[。！？।])"
)


class Surroundings:
    """The words around the candidates of one text, and how far it is from one place to another."""

    def __init__(self, text: str, lower: str, candidates: list[Candidate]) -> None:
        self._text = text
        self._alone = len(candidates) == 1
        self._numbers = [candidate.start for candidate in candidates]
        self._paces = _paces(text)
        self._words: dict[str, list[tuple[int, int]]] = {"code": [], "task": [], "other": []}
        for found in WORDS.finditer(lower):
            assert found.lastgroup is not None
            self._words[found.lastgroup].append(found.span())

    def points(self, candidate: Candidate) -> int:
        """How much speaks for it."""
        nearest = self._nearness(candidate, "code", _CODE_POINTS)
        from_words = max(nearest, self._nearness(candidate, "task", _TASK_POINTS))
        if candidate.needs_word and from_words < _CLEAR:
            return 0
        if candidate.needs_colon and not (nearest and self._follows_colon(candidate)):
            return 0
        return candidate.points + from_words + self._place(candidate) - self._named_otherwise(candidate)

    def _nearness(self, candidate: Candidate, kind: str, most: int) -> int:
        """Points for the nearest word of a kind, before or after."""
        words = self._words[kind]
        if not words:
            return 0
        after = bisect_left(words, (candidate.start, 0))
        near = [
            most - _POINTS_PER_PACE * self._between(end, candidate.start) for _, end in words[max(0, after - 1) : after]
        ]
        near += [
            most - 4 - _POINTS_PER_PACE * self._between(candidate.end, start) for start, _ in words[after : after + 1]
        ]
        return max(*near, _CODE_ANYWHERE if kind == "code" else 0)

    def _named_otherwise(self, candidate: Candidate) -> int:
        """Points off if the last word before names something else, in the same sentence, this number first."""
        last = {kind: bisect_left(words, (candidate.start, 0)) - 1 for kind, words in self._words.items()}
        ends = {kind: self._words[kind][at][1] for kind, at in last.items() if at >= 0}
        end = ends.get("other", -1)
        if end < max(ends.values(), default=0):
            return 0
        paces = self._between(end, candidate.start)
        numbers_between = bisect_left(self._numbers, candidate.start) - bisect_left(self._numbers, end)
        return _OTHER_POINTS - _POINTS_PER_PACE * paces if paces <= _OTHER_PACES and not numbers_between else 0

    def _place(self, candidate: Candidate) -> int:
        """Points for where it stands."""
        before = self._text[max(0, candidate.start - 40) : candidate.start].rstrip(" ")
        after = self._text[candidate.end : candidate.end + 40].lstrip(" ")
        starts, ends = before.strip("\n<#>[(*~ ") == "", after.strip("\n.!)]*~ ") == ""
        own_line = (starts or before.endswith("\n")) and (ends or after.startswith("\n"))
        enclosed = before[-1:] in tuple("*\"'«“„‘[(【「<`") and after[:1] in tuple("*\"'»”“’])】」>`")
        return (
            (10 if starts else 0)
            + (5 if ends else 0)
            + (20 if own_line else 0)
            + (10 if self._follows_colon(candidate) else 0)
            + (8 if enclosed else 0)
            + (8 if self._alone else 0)
        )

    def _follows_colon(self, candidate: Candidate) -> bool:
        return self._text[max(0, candidate.start - 4) : candidate.start].rstrip(" \n*\"'«“[(").endswith((":", "="))

    def _between(self, start: int, end: int) -> int:
        return max(0, self._paces[end] - self._paces[start])


def _paces(text: str) -> list[int]:
    """At each place, how far it is from the beginning of the text."""
    steps = [0] * (len(text) + 1)
    for found in _STEP.finditer(text):
        steps[found.start() + 1] = {"word": _WORD, "character": _CHARACTER, "sentence": _SENTENCE}[
            found.lastgroup or ""
        ]
    return list(accumulate(steps))
