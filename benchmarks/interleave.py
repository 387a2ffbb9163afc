"""Interleaved measurements: A, B, A, B, … in one run. Other load on the machine affects both; ratios are per round."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Measured = Mapping[str, list[float]]  # contender: its measurement in each round


@dataclass(frozen=True, slots=True)
class Bound:
    """The limit of a figure."""

    value: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"

    def is_kept_by(self, figure: float) -> bool:
        """Return whether the figure is within the bound."""
        return figure >= self.value if self.at_least else figure <= self.value


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a figure, its spread over the rounds, its bound, and the raw numbers."""

    name: str
    figure: float
    bound: Bound | None
    raw: str
    spread: tuple[float, float] | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the bound is met; '' for a figure without a bound."""
        if self.bound is None:
            return ""
        return "ok" if self.bound.is_kept_by(self.figure) else "SHORT"


Finding = Line | str  # a line of the table, or a fact to print below it, such as a query plan


def at_least(value: float) -> Bound:
    """A figure that must not be smaller."""
    return Bound(value, at_least=True)


def at_most(value: float) -> Bound:
    """A figure that must not be greater."""
    return Bound(value, at_least=False)


def rounds(contenders: Mapping[str, Callable[[], float]], count: int) -> Measured:
    """Return each contender's measurement in each round; each measures itself, so that preparation does not count."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(count):
        for name, measure in contenders.items():
            gc.collect()
            measured[name].append(measure())
    return measured


def ratio(measured: Measured, ours: str, other: str, *, name: str, bound: Bound | None, raw: str = "{}") -> Line:
    """Divide ours by the other's: the median of the rounds' ratios. `raw` formats the medians of both."""
    ratios = [a / b for a, b in zip(measured[ours], measured[other], strict=True)]
    shown = " · ".join(f"{who}: {raw.format(_rounded(median(measured[who])))}" for who in (ours, other))
    return Line(name, median(ratios), bound, shown, (min(ratios), max(ratios)))


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
