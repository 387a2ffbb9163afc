"""The entries of words.py as regular expressions for folded text in lower case."""

from __future__ import annotations

import re

from .folding import fold, lowered
from .words import CODE, OTHER, TASK


def entries(table: dict[str, str]) -> list[str]:
    """The entries of a table of words.py, of all languages."""
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
        (r"[ \n-]" if character == "_" else re.escape(character)) + _expression(below)
        for character, below in node.items()
        if character not in (_OPEN, _CLOSED)
    ]
    if _OPEN in node:
        branches.append("")
    elif _CLOSED in node:
        branches.append(_NOT_AFTER)
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


_KINDS = {"other": OTHER, "code": CODE, "task": TASK}
WORDS = re.compile("|".join(f"(?P<{kind}>{any_of(entries(table))})" for kind, table in _KINDS.items()))
"""Finds the words about numbers; the group that matched is the kind: other, code or task."""


def is_code_word(word: str) -> bool:
    """Whether the word alone is one for a code."""
    found = WORDS.fullmatch(lowered(word))
    return found is not None and found.lastgroup == "code"
