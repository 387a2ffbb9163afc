"""The examples of the public document, and the comparison of their results.

`document.txt` has every `>>>` line with the exact result printed below it: true, false and null instead of Python's
names, `...` for omissions, and one list that is never closed. Its last block is the body that a webhook receives.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAMES = {"true": "True", "false": "False", "null": "None"}
_CLOSING = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Example:
    """An input line, and the output printed below it ('' for none)."""

    source: str
    printed: str

    @property
    def python(self) -> str:
        """The printed output with Python's names and closed brackets."""
        return as_python(self.printed)


def read() -> tuple[list[Example], str]:
    """Return every example in the document's order, and the body of the webhook."""
    *blocks, body = Path(__file__).with_name("document.txt").read_text("ascii").strip().split("\n\n")
    examples = []
    for block in blocks:
        for part in block.removeprefix(">>> ").split("\n>>> "):
            source, _, printed = part.partition("\n")
            examples.append(Example(source, printed))
    return examples, body


def as_python(printed: str) -> str:
    """Return the printed value with Python's True, False and None, and with the missing bracket."""
    for word, name in _NAMES.items():
        printed = printed.replace(f": {word}", f": {name}")
    open_brackets: list[str] = []
    for character in printed:
        if character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif character in _CLOSING.values():
            assert open_brackets.pop() == character
    return printed + "".join(reversed(open_brackets))


def value(printed: str) -> Any:
    """Parse the printed value; `...` is Ellipsis."""
    return ast.literal_eval(as_python(printed))


def differences(expected: Any, actual: Any, at: str = "result") -> list[str]:
    """Describe where a result differs from the document; empty if it doesn't. Deposit addresses are only compared by
    type, and parts omitted by `...` only by structure."""
    if type(expected) is not type(actual):
        return [f"{at}: {actual!r} is a {type(actual).__name__}, not a {type(expected).__name__}"]
    if isinstance(expected, dict):
        if list(expected) != list(actual):
            return [f"{at}: the keys are {list(actual)}, not {list(expected)}"]
        return [line for key in expected for line in differences(expected[key], actual[key], f"{at}[{key!r}]")]
    if isinstance(expected, list):
        return _of_lists(expected, actual, at)
    if at.endswith("['address']"):
        return [] if actual.startswith("bcrt1") and actual.isalnum() else [f"{at}: {actual!r} is not an address"]
    return [] if expected == actual else [f"{at}: {actual!r}, not {expected!r}"]


def _of_lists(expected: list[Any], actual: list[Any], at: str) -> list[str]:
    listed = [item for item in expected if item is not ...]
    elided = actual[len(listed) :]
    if len(actual) < len(listed) or (elided and len(listed) == len(expected)):
        return [f"{at}: {len(actual)} items, not {len(expected)}"]
    pairs = zip(listed, actual, strict=False)
    found = [line for i, (one, other) in enumerate(pairs) for line in differences(one, other, f"{at}[{i}]")]
    keys = [list(item) for item in elided]
    return found + [f"{at}: an item with the keys {wrong}" for wrong in keys if wrong != list(listed[0])]
