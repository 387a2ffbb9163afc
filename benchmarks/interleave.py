"""Interleaving: A, B, A, B, … in one run. What the machine does meanwhile falls on both; ratios are taken per round."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Measured = Mapping[str, list[float]]  # contender: what it measured, round by round


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure is held against."""

    value: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"

    def is_kept_by(self, figure: float) -> bool:
        """Whether the figure is on the right side."""
        return figure >= self.value if self.at_least else figure <= self.value


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a figure, its spread over the rounds, its bound, and the numbers it comes from."""

    name: str
    figure: float
    bound: Bound | None
    raw: str
    spread: tuple[float, float] | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Whether the bound is kept; nothing for a figure that is only shown."""
        if self.bound is None:
            return ""
        return "ok" if self.bound.is_kept_by(self.figure) else "SHORT"


Finding = Line | str  # a line of the table, or a fact to print below it (a query plan, say)


def at_least(value: float) -> Bound:
    """A figure that must not be smaller."""
    return Bound(value, at_least=True)


def at_most(value: float) -> Bound:
    """A figure that must not be greater."""
    return Bound(value, at_least=False)


def rounds(contenders: Mapping[str, Callable[[], float]], count: int) -> Measured:
    """What each contender measured in each round; each measures itself, so that preparing is not counted."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, measure in contenders.items():
            gc.collect()
            measured[name].append(measure())
    return measured


def ratio(measured: Measured, ours: str, other: str, *, name: str, bound: Bound | None, raw: str = "{}") -> Line:
    """Ours by the other's: the median of the rounds' ratios. `raw` shows the medians of both."""
    ratios = [a / b for a, b in zip(measured[ours], measured[other], strict=True)]
    shown = " · ".join(f"{who}: {raw.format(_rounded(median(measured[who])))}" for who in (ours, other))
    return Line(name, median(ratios), bound, shown, (min(ratios), max(ratios)))


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
