"""Scoring of candidates by the words around them and by their position."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate

from .candidates import Candidate
from .word_patterns import SALES, is_destination, is_named_after, is_polish, is_stated, words_in

_CLEAR = 40  # points of words that a weak form needs
# Distance between a word and a number: 3 per word between them, 1 per character of a script without spaces, 9 per end
# of a sentence.
_WORD, _CHARACTER, _SENTENCE = 3, 1, 9
_CODE_POINTS, _TASK_POINTS, _POINTS_PER_PACE = 80, 45, 2
_CODE_ANYWHERE = 15
_STRONG_TASK, _STRONG_FORM = 43, 10
_EXPLAINED = 30  # points of words that make a colon count
_SALE_POINTS = 65
_STATED_POINTS, _NAMED_AFTER_POINTS = 16, 6
_NOT_POINTS, _NOT_PACES = 110, 9
_OTHER_POINTS, _OTHER_PACES = 95, 6
_OTHER_AFTER_POINTS = 40
_NUMBER_POINTS, _NUMBER_PACES = 40, 0
_PHRASE_PACES = 15  # from "code" to what it is for: "code for your account is"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_STEP = re.compile(
    rf"(?P<character>[{_UNSPACED}])|(?P<word>(?<![^\s{_UNSPACED}])[^\W_]+)"
    r"|(?P<sentence>[!?](?=\s)|[。！？।]|(?<!\b\w\w)(?<!\b\w)(?<!\b\w\w\w)\.(?=\s)|\.(?=\s+[A-Z\W]))|(?P<paragraph>\n(?=\n))"
)
_LENGTHS = {"word": _WORD, "character": _CHARACTER, "sentence": _SENTENCE, "paragraph": 0}
_ANOTHER_NUMBER = re.compile(r"[0-9~]{3}")


class ContextScorer:
    """The words around the candidates of one text, and the distances between positions."""

    def __init__(self, text: str, lower: str, candidates: list[Candidate], *, whole: str) -> None:
        self._text = text
        self._polish = is_polish(lower)
        self._lower = lower
        self._alone = sum(bool(candidate.code) for candidate in candidates) == 1
        self._paces, self._sentences = _paces(text)
        self._with_sale = {self._sentences[sale.start()] for sale in SALES.finditer(whole)}
        words = words_in(lower)
        self._words = words
        code_ends, code_starts = {end for _, end in words["code"]}, {start for start, _ in words["code"]}
        # "PIN number" and "number of the code" refer to the code; any other "number" is something else.
        words["number"] = [
            (start, end)
            for start, end in words["number"]
            if not any(start - gap in code_ends or end + gap in code_starts for gap in (0, 1))
        ]

    def points(self, candidate: Candidate) -> int:
        """Return the points of a candidate."""
        nearest = self._nearness(candidate, "code", _CODE_POINTS)
        task = self._nearness(candidate, "task", _TASK_POINTS)
        from_words = max(nearest, task)
        if candidate.needs_word and from_words < _CLEAR:
            return 0
        if candidate.code and not (
            candidate.code.isdigit() or nearest or (task >= _STRONG_TASK and candidate.points >= _STRONG_FORM)
        ):
            return 0
        stated = is_stated(self._lower, candidate.start, polish=self._polish)
        named_after = is_named_after(self._lower, candidate.end)
        if candidate.needs_stating and not (nearest and (stated or named_after)):
            return 0
        from_place = self._place(candidate)
        if from_words >= _EXPLAINED:
            from_place += _STATED_POINTS * stated + _NAMED_AFTER_POINTS * named_after
        return candidate.points + from_words + from_place - self._against(candidate, stated, named_after)

    def _nearness(self, candidate: Candidate, kind: str, most: int) -> int:
        """Return the points for the nearest word of a kind, before or after. A word in another sentence counts only for
        a number that begins its own: "Never share your PIN. Questions? 1500447" has no code."""
        words = self._words[kind]
        after = bisect_left(words, (candidate.start, 0))
        free = self._begins_sentence(candidate)
        near = [
            most - _POINTS_PER_PACE * self._between(end, candidate.start)
            for _, end in words[max(0, after - 1) : after]
            if free or self._is_one_sentence(end, candidate.start) or self._awaits(end, candidate.start)
        ]
        near += [
            most - 4 - _POINTS_PER_PACE * self._between(candidate.end, start)
            for start, _ in words[after : after + 1]
            if free or self._is_one_sentence(candidate.end, start)
        ]
        anywhere = _CODE_ANYWHERE if kind == "code" and near else 0
        return max(*near, anywhere, 0) if near else 0

    def _is_one_sentence(self, start: int, end: int) -> bool:
        return self._sentences[start] == self._sentences[end]

    def _awaits(self, end: int, start: int) -> bool:
        """Return whether a word is followed by a colon and no number yet: "Code: don't share! … 482913"."""
        return self._lower.startswith(":", end) and not _ANOTHER_NUMBER.search(self._text, end, start)

    def _begins_sentence(self, candidate: Candidate) -> bool:
        label = max(self._last_before(kind, candidate.start)[1] for kind in ("number", "other", "not"))
        if label >= 0 and not re.search(r"\w", self._text[label : candidate.start]):
            return False  # "tel. 1500447"
        before = self._text[max(0, candidate.start - 40) : candidate.start].rstrip(" \"'«“„‘[(【「<*#~-")
        return before == "" or before[-1] in "\n.!?。！？।]】>)"

    def _against(self, candidate: Candidate, stated: bool, named_after: bool) -> int:
        """Return the points deducted for words that name something else."""
        if is_destination(self._lower, candidate.start, polish=self._polish):
            return _NOT_POINTS
        named = max(self._named_before(candidate, stated, named_after), self._other_after(candidate, stated))
        return named + _SALE_POINTS * (self._sentences[candidate.start] in self._with_sale)

    def _named_before(self, candidate: Candidate, stated: bool, named_after: bool) -> int:
        """Return the points deducted if the last word before names something else, with no other number between."""
        last = {kind: self._last_before(kind, candidate.start) for kind in self._words}
        kind = max(("code", "task", "number", "other", "not"), key=lambda kind: last[kind][1])
        start, end = last[kind]
        if kind in ("code", "task") or end < 0:
            return 0
        distance = self._between(end, candidate.start)
        if _ANOTHER_NUMBER.search(self._text, end, candidate.start):
            return 0
        if kind == "number":
            return _NUMBER_POINTS if distance <= _NUMBER_PACES and last["task"][1] < start - 1 else 0
        if kind == "not":
            return _NOT_POINTS if distance <= _NOT_PACES else 0
        if distance > _OTHER_PACES:
            return 0
        points = _OTHER_POINTS - _POINTS_PER_PACE * distance
        return points // 5 if self._is_for(last["code"][1], start, stated, named_after, candidate) else points

    def _is_for(self, code_end: int, start: int, stated: bool, named_after: bool, candidate: Candidate) -> bool:
        """Return whether a word only says what the code is for: "code for your account is …", "Account: … is your code"."""
        if stated and 0 <= code_end <= start:
            near = self._is_one_sentence(code_end, start) and self._between(code_end, start) <= _PHRASE_PACES
            return near and not _ANOTHER_NUMBER.search(self._text, code_end, start)
        words = self._words["code"]
        after = bisect_left(words, (candidate.end, 0))
        return named_after and after < len(words) and self._between(candidate.end, words[after][0]) <= _PHRASE_PACES

    def _other_after(self, candidate: Candidate, stated: bool) -> int:
        """Return the points deducted for a number before its name, like an adjective: "your 4471 card"."""
        if stated:
            return 0
        place = (
            candidate.end + 1 if self._text[candidate.end : candidate.end + 1] in (" ", "的", "の") else candidate.end
        )
        words = self._words["other"]
        after = bisect_left(words, (candidate.end, 0))
        return _OTHER_AFTER_POINTS if after < len(words) and words[after][0] == place else 0

    def _last_before(self, kind: str, place: int) -> tuple[int, int]:
        words = self._words[kind]
        at = bisect_left(words, (place, 0)) - 1
        return words[at] if at >= 0 else (-1, -1)

    def _place(self, candidate: Candidate) -> int:
        """Return the points for a candidate's position."""
        before = self._text[max(0, candidate.start - 40) : candidate.start].rstrip(" ")
        after = self._text[candidate.end : candidate.end + 40].lstrip(" ")
        starts, ends = before.strip("\n<#>[(*~ ") == "", after.strip("\n.!)]*~ ") == ""
        own_line = (starts or before.endswith("\n")) and (ends or after.startswith("\n"))
        enclosed = before[-1:] in tuple("*\"'«“„‘[(【「<`") and after[:1] in tuple("*\"'»”“’])】」>`")
        return (
            (10 if starts else 0)
            + (5 if ends else 0)
            + (20 if own_line else 0)
            + (8 if enclosed else 0)
            + (8 if self._alone and candidate.code else 0)
        )

    def _between(self, start: int, end: int) -> int:
        return max(0, self._paces[end] - self._paces[start])


def _paces(text: str) -> tuple[list[int], list[int]]:
    """Return the distance of each position from the start of the text, in paces and in sentences."""
    steps, sentences = [0] * (len(text) + 1), [0] * (len(text) + 1)
    for found in _STEP.finditer(text):
        steps[found.start() + 1] = _LENGTHS[found.lastgroup or ""]
        sentences[found.start() + 1] = found.lastgroup in ("sentence", "paragraph")
    return list(accumulate(steps)), list(accumulate(sentences))
