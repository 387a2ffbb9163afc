"""Charts as SVG paths: they need no script and use the page's colors."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from dtmf_server.core.units import HOUR_US
from dtmf_server.storage.db import Row
from dtmf_server.web.kit.filters import THIN

WIDTH, HEIGHT = 320, 96
POINTS_MAX = 240


@dataclass(frozen=True, slots=True)
class Chart:
    """SVG paths of the line and of the area below it, with the values at the edges."""

    line: str
    area: str
    top: int
    bottom: int
    from_us: int
    now_us: int
    short_top: str


def balance_chart(rows: Sequence[Row], account_id: int, *, balance: int, now_us: int, span_us: int) -> Chart | None:
    """Return the chart of the last `span_us`, from transfers newest first; None if there are too few."""
    points = [(now_us, balance)]
    for row in rows:
        points.append((row["at_us"], row["balance"]))
        if row["credit"] == account_id:
            points.append((row["at_us"], row["balance"] - row["amount"]))
    points = [(at_us, sats) for at_us, sats in reversed(points) if at_us > now_us - span_us]
    if len(points) < 3:
        return None
    points = _thinned(_without_steps_down(points))
    start_us = min(points[0][0], now_us - HOUR_US)
    top = max([1, *(sats for _, sats in points)])

    def place(at_us: int, sats: int) -> str:
        x = WIDTH * (at_us - start_us) / (now_us - start_us)
        return f"{x:.1f},{HEIGHT - 4 - (HEIGHT - 8) * sats / top:.1f}"

    line = "M" + "L".join(place(at_us, sats) for at_us, sats in points)
    first_x = WIDTH * (points[0][0] - start_us) / (now_us - start_us)
    area = f"{line}L{WIDTH},{HEIGHT}L{first_x:.1f},{HEIGHT}Z"
    return Chart(line, area, top, min(sats for _, sats in points), start_us, now_us, short(top))


def short(sats: int) -> str:
    """Format an amount with three significant digits: 131 k."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if sats >= size:
            figures = f"{sats / size:.3g}" if sats < 1000 * size else f"{sats // size}"
            return f"{figures}{THIN}{unit}"
    return str(sats)


def _without_steps_down(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep only the last of several charges at one instant: minutes are booked in bulk but were spent gradually."""
    pairs = zip(points, [*points[1:], (0, 0)], strict=True)
    return [point for point, following in pairs if point[0] != following[0] or point[1] < following[1]]


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Reduce to about `POINTS_MAX` points; always keep the first and the last."""
    step = -(-len(points) // POINTS_MAX)
    return [*points[:-1:step], points[-1]]


def line_path(values: Sequence[float], top: float) -> str:
    """Return the line through values at equal distances; `top` is the value at the upper edge, and 0 at the lower."""
    step = WIDTH / max(1, len(values) - 1)
    return "M" + "L".join(f"{step * nth:.1f},{_height(value, top):.1f}" for nth, value in enumerate(values))


def area_path(values: Sequence[float], top: float) -> str:
    """Return the area below such a line."""
    return f"{line_path(values, top)}L{WIDTH},{HEIGHT}L0,{HEIGHT}Z"


def bar_path(values: Sequence[float], top: float, *, nth: int, of: int) -> str:
    """Return bars at equal distances: the `nth` of a group of `of` bars at each place."""
    place = WIDTH / max(1, len(values))
    width = place * 0.8 / of
    bars = []
    for index, value in enumerate(values):
        x = place * (index + 0.1) + width * nth
        bars.append(f"M{x:.1f},{HEIGHT}V{_height(value, top):.1f}H{x + width:.1f}V{HEIGHT}Z")
    return "".join(bars)


def log_scale(value: float, *, low: float, high: float) -> float:
    """Return where a value is between two others on a logarithmic scale, from 0 to 1."""
    return min(1.0, max(0.0, log10(max(value, low) / low) / log10(high / low)))


def _height(value: float, top: float) -> float:
    return HEIGHT - (HEIGHT - 4) * min(max(value, 0), top) / top if top else float(HEIGHT)
