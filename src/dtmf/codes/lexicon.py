"""The entries of words.py and labels.py as regular expressions for folded text in lower case."""

from __future__ import annotations

import re

from .folding import fold, lowered
from .labels import NOT_A_CODE, NUMBER, OTHER
from .words import CODE, IS, SALE, TASK


def entries(table: dict[str, str]) -> list[str]:
    """The entries of a table of words.py or labels.py, of all languages."""
    return [entry for line in table.values() for entry in line.split()]


Tree = dict[str, "Tree"]
_NOT_BEFORE = r"(?<![^\W\d_])"  # begins with a word
_NOT_AFTER = r"(?![^\W\d_])"  # ends with a word
_OPEN, _CLOSED = "open", "closed"  # no characters, so no branches


def any_of(some: list[str]) -> str:
    """One expression for all of them; where several begin, the longest that fits. As a tree of their letters, since
    an alternation of a thousand words would be tried word by word at each place of a text."""
    bound: Tree = {}
    free: Tree = {}
    for entry in some:
        node = free if entry.startswith("~") else bound
        for character in lowered(fold(entry.strip("~"))):
            node = node.setdefault(character, {})
        node[_OPEN if entry.endswith("~") else _CLOSED] = {}
    either = [_NOT_BEFORE + _expression(bound)] if bound else []
    return "|".join([*either, *([_expression(free)] if free else [])])


def _expression(node: Tree) -> str:
    """A branch of the tree: whatever is longer first, then the end of the entry that ends here."""
    branches = [
        (r"[ \n'-]" if character == "_" else re.escape(character)) + _expression(below)
        for character, below in node.items()
        if character not in (_OPEN, _CLOSED)
    ]
    if _OPEN in node:
        branches.append("")
    elif _CLOSED in node:
        branches.append(_NOT_AFTER)
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


_KINDS = {"not": NOT_A_CODE, "other": OTHER, "code": CODE, "task": TASK, "number": NUMBER}
_KIND_OF = {
    re.sub(r"[ \n'-]", "_", lowered(fold(entry.strip("~")))): kind
    for kind, table in reversed(_KINDS.items())
    for entry in entries(table)
}
_WORDS = re.compile(any_of([entry for table in _KINDS.values() for entry in entries(table)]))
_NAMED_AFTER = re.compile(rf"[ \"'»”’)\]*]*(?:{any_of(IS['after'].split())})[^\w]")
_STATED = re.compile(
    rf"(?:(?:{any_of(IS['before'].split())})[ \n]*|[:=>\u055d\u2192\u00bb][ \n]*|(?<=\s)-[ \n]*)[\"'«“„‘\[(【「*<]*\Z"
)

_SALE = re.compile(any_of(SALE.split()))
_TO_MEANS_IS = re.compile(r"\b(?:kod|hasl|twoj)")
_SET_TO = re.compile(r"\b(?:re)?set to |\bchanged to |\bupdated to |\bequals? to |\bequal to ")


def words_in(lower: str) -> dict[str, list[tuple[int, int]]]:
    """The places of the words about numbers, by kind; of entries that begin at one place the longest counts."""
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in _KINDS}
    for word in _WORDS.finditer(lower):
        found[_KIND_OF[re.sub(r"[ \n'-]", "_", word[0])]].append(word.span())
    return found


def is_stated(lower: str, start: int) -> bool:
    """Whether a verb or a colon stands directly before a place: "code is …", "code: …"."""
    before = lower[max(0, start - 24) : start]
    return _STATED.search(before) is not None or (before.endswith(" to ") and _TO_MEANS_IS.search(lower) is not None)


def is_named_after(lower: str, end: int) -> bool:
    """Whether a verb stands directly after a place: "… is your code"."""
    return _NAMED_AFTER.match(lower, end, end + 24) is not None


def is_for_a_sale(lower: str, start: int, end: int) -> bool:
    """Whether a stretch of a text speaks of a discount."""
    return _SALE.search(lower, start, end) is not None


def is_destination(lower: str, start: int) -> bool:
    """Whether an English "to" stands directly before a place, as in "we sent it to …"; in Polish it means "is"."""
    before = lower[max(0, start - 16) : start]
    return before.endswith(" to ") and not _TO_MEANS_IS.search(lower) and not _SET_TO.search(before)


def is_code_word(word: str) -> bool:
    """Whether the word alone is one for a code."""
    found = _WORDS.fullmatch(lowered(word))
    return found is not None and _KIND_OF[found[0]] == "code"
