"""What one carrier exchanges, recorded while an operator watches with `dtmf-server carriers trace NAME`.

A carrier calls `record` with what it sent or received: PDUs in hexadecimal, or HTTP requests and replies. It masks texts
and secrets first (`mask`). Nothing is recorded while nobody watches, so a carrier asks `is_on` before it renders anything.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

ENTRIES_MAX = 1000
TEXT_MAX = 4000  # characters of an entry

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """Something that was exchanged. `at_us` is wall time in microseconds."""

    at_us: int
    direction: Direction
    text: str


@dataclass(slots=True)
class Trace:
    """The last exchanges of a carrier that have not been taken yet, at most ENTRIES_MAX."""

    is_on: bool = False
    _entries: deque[TraceEntry] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))

    def record(self, direction: Direction, text: str, *, at_us: int) -> None:
        """Record something that was exchanged, already masked. Does nothing while nobody watches."""
        if self.is_on:
            self._entries.append(TraceEntry(at_us, direction, text[:TEXT_MAX]))

    def take(self) -> list[TraceEntry]:
        """Remove and return what was recorded, oldest first."""
        taken = [*self._entries]
        self._entries.clear()
        return taken


def mask(text: str) -> str:
    """A text or a secret as a trace shows it: its length only."""
    return f"<{len(text)} characters>"
