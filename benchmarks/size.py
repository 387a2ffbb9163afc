"""How much a benchmark measures: enough to publish, enough for a quick look, or just enough to check that it still runs."""

from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Size(Enum):
    """The size of a run."""

    FULL = "full"
    QUICK = "quick"
    SMALLEST = "smallest"

    def of(self, full: T, quick: T, smallest: T) -> T:
        """Return the value for this size."""
        return {Size.FULL: full, Size.QUICK: quick, Size.SMALLEST: smallest}[self]
