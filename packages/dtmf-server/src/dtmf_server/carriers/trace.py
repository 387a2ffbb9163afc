"""A carrier's traffic, recorded while an operator watches it with `dtmf-server carriers trace NAME`.

A carrier calls `record` with everything it sends or receives: PDUs in hexadecimal, or HTTP requests and replies. It masks
texts and secrets first (`mask`). Nothing is recorded unless an operator is watching, so a carrier checks `is_on` before it
formats an entry.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

ENTRIES_MAX = 1000
TEXT_MAX = 4000  # characters per entry

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One message sent or received. `at_us` is wall time in microseconds."""

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
