"""Search for the entries of vocabulary.py and labels.py in normalized, lower-case text."""

from __future__ import annotations

import re
from typing import Any

from .labels import NOT_A_CODE, NUMBER, OTHER
from .normalization import fold, lowered
from .vocabulary import CODE, IS, SALE, TASK

Span = tuple[int, int]

_JOINTS = str.maketrans(" \n'-", "____")
_LETTER = r"[^\W\d_]"


def any_of(entries: str) -> str:
    """Return one regular expression for all entries of a short table. The longest match wins."""
    return "|".join(
        (r"(?<![^\W\d_])" if entry[0] != "~" else "")
        + "".join(r"[ \n'-]" if c == "_" else re.escape(c) for c in lowered(fold(entry.strip("~"))))
        + (rf"(?!{_LETTER})" if entry[-1] != "~" else "")
        for entry in sorted(entries.split(), key=lambda entry: -len(entry.strip("~")))
    )


# A trie, because a regular expression of thousands of words takes a second to compile. "open" and "closed" hold the kind
# of the entry that ends at a node, either inside a word or at its end.
Tree = dict[str, Any]
_KINDS = {
    "number": NUMBER,
    "task": TASK,
    "code": CODE,
    "other": OTHER,
    "not": NOT_A_CODE,
}  # in a tie, the last one wins
_AT_WORDS: Tree = {}
_ANYWHERE: Tree = {}


def _plant() -> None:
    for kind, table in _KINDS.items():
        for entry in lowered(fold(" ".join(table.values()))).split():
            node = _ANYWHERE if entry[0] == "~" else _AT_WORDS
            for character in entry.strip("~").translate(_JOINTS):
                node = node.setdefault(character, {})
            node["open" if entry[-1] == "~" else "closed"] = kind


_plant()


def words_in(lower: str) -> dict[str, list[Span]]:
    """Return the positions of words about numbers, by kind. Of entries that start at one position, the longest wins."""
    found: dict[str, list[Span]] = {kind: [] for kind in _KINDS}
    text, place = lower.translate(_JOINTS), 0
    while place < len(text):
        end, kind = _longest(_ANYWHERE, text, place)
        if place == 0 or not text[place - 1].isalpha():
            end, kind = max((end, kind), _longest(_AT_WORDS, text, place), key=lambda each: each[0])
        if end > place:
            found[kind].append((place, end))
        place = max(end, place + 1)
    return found


def _longest(node: Tree, text: str, place: int) -> tuple[int, str]:
    """Return the end and kind of the longest entry at a position; the position itself if there is none."""
    end, kind = place, ""
    for at in range(place, len(text) + 1):
        if "open" in node:
            end, kind = at, node["open"]
        elif "closed" in node and not text[at : at + 1].isalpha():
            end, kind = at, node["closed"]
        following = node.get(text[at]) if at < len(text) else None
        if following is None:
            break
        node = following
    return end, kind


def is_code_word(word: str) -> bool:
    """Return whether the word means "code"."""
    lower = lowered(word)
    return words_in(lower)["code"] == [(0, len(lower))]


SALES = re.compile(any_of(SALE))
"""Words about discounts."""

_AFTER = re.compile(rf"[ \"'»”’)\]*]*(?:{any_of(IS['after'])})[^\w]")
_BEFORE = re.compile(
    rf"(?:(?:{any_of(IS['before'])})[ \n]*|[:=>\u055d\u2192\u00bb][ \n]*|(?<=\s)-[ \n]*)[\"'«“„‘\[(【「*<]*\Z"
)
_POLISH = re.compile(r"\b(?:kod|hasl|twoj)")
_SET_TO = re.compile(r"\b(?:(?:re)?set|changed|updated|equals?) to \Z")


def is_named_after(lower: str, end: int) -> bool:
    """Return whether a verb follows a position directly: "… is your code"."""
    return _AFTER.match(lower, end, end + 24) is not None


def is_stated(lower: str, start: int, *, polish: bool) -> bool:
    """Return whether a verb or a colon directly precedes a position: "code is …", "code: …"."""
    before = lower[max(0, start - 24) : start]
    return _BEFORE.search(before) is not None or (polish and before.endswith(" to "))


def is_destination(lower: str, start: int, *, polish: bool) -> bool:
    """Return whether an English "to" directly precedes a position, as in "we sent it to …". In Polish, it means "is"."""
    before = lower[max(0, start - 16) : start]
    return before.endswith(" to ") and not polish and not _SET_TO.search(before)


def is_polish(lower: str) -> bool:
    """Return whether a text looks Polish, or like a related language."""
    return _POLISH.search(lower) is not None
