"""The console's charts: their paths stay within the drawing, whatever the values are."""

import re

import pytest

from dtmf_server.web.kit import chart


def points(path: str) -> list[tuple[float, float]]:
    """Return the corners of a line or an area."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([0-9.]+),([0-9.]+)", path)]


@pytest.mark.parametrize("values", [[0], [5], [0, 0], [1, 2, 3], [-7, 10**15], [3] * 366])
def test_lines_and_bars_stay_within_the_drawing(values: list[int]) -> None:
    top = max(1, *values, 1)
    for path in (chart.line_path(values, top), chart.area_path(values, top)):
        assert all(0 <= x <= chart.WIDTH and 0 <= y <= chart.HEIGHT for x, y in points(path)), path
    for nth in range(2):
        path = chart.bar_path(values, top, nth=nth, of=2)
        assert path.count("M") == len(values)
        assert all(0 <= float(y) <= chart.HEIGHT for y in re.findall(r"V([0-9.]+)", path)), path


def test_a_larger_value_is_higher() -> None:
    low, high, top = (y for _, y in points(chart.line_path([0, 5, 10], 10)))
    assert low == chart.HEIGHT and low > high > top > 0


@pytest.mark.parametrize(("value", "at"), [(1, 0.0), (10, 0.5), (100, 1.0), (0, 0.0), (10**9, 1.0)])
def test_powers_of_ten_are_equally_far_apart(value: int, at: float) -> None:
    assert chart.log_scale(value, low=1, high=100) == pytest.approx(at)
