"""A carrier's traffic, recorded while an operator watches it with `dtmf-server carriers trace NAME`.

A carrier calls `record` with everything it sends or receives: PDUs in hexadecimal, or HTTP requests and replies. It masks
texts and secrets first. Nothing is recorded unless an operator is watching, so a carrier checks `is_on` before it formats
an entry.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

ENTRIES_MAX = 1000
TEXT_MAX = 4000  # characters per entry
_SHOWN_OF_NUMBER = 4, 2  # digits at its beginning and end

Direction = Literal["in", "out", "note"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One message sent or received, or a note. `at_us` is wall time in microseconds."""

    at_us: int
    direction: Direction
    text: str


@dataclass(slots=True)
class Trace:
    """The most recent entries of a carrier that have not been taken yet, at most ENTRIES_MAX."""

    is_on: bool = False
    _entries: deque[TraceEntry] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))

    def record(self, direction: Direction, text: str, *, at_us: int) -> None:
        """Record a message, already masked. Does nothing unless an operator is watching."""
        if self.is_on:
            self._entries.append(TraceEntry(at_us, direction, text[:TEXT_MAX]))

    def take(self) -> list[TraceEntry]:
        """Remove and return the entries, oldest first."""
        taken = [*self._entries]
        self._entries.clear()
        return taken


def mask(text: str) -> str:
    """Return the placeholder for a text or secret, which shows only its length."""
    return f"<{len(text)} characters>"


def mask_number(number: str) -> str:
    """Return a phone number without its middle digits, so that its format shows. Short codes and names are unchanged."""
    first, last = _SHOWN_OF_NUMBER
    if not number.removeprefix("+").isdecimal() or len(number) <= first + last + 2:
        return number
    return f"{number[:first]}…{number[-last:]} ({len(number)} characters)"


Shown = Callable[[Sequence[str], str], str]  # the names that lead to a value, and the value: what to show of it


def masked_json(content: bytes, shown: Shown) -> str | None:
    """Return JSON with what to show in place of each value; None if the content is not JSON."""
    try:
        return json.dumps(_masked(msgspec.json.decode(content), (), shown), ensure_ascii=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def masked_form(text: str, shown: Shown) -> str:
    """Return a form, or the query of a URL, with what to show in place of each value."""
    return "&".join(f"{name}={shown((name,), value)}" for name, value in parse_qsl(text, keep_blank_values=True))


def _masked(value: Any, names: tuple[str, ...], shown: Shown) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, (*names, key), shown) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, names, shown) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else str(value)
    replaced = shown(names, text)
    return value if replaced == text else replaced
