"""Answer times as counts of rounded milliseconds: bounded, and exact enough to say that 0.2 s became 6 s. Pure."""

from collections.abc import Mapping

Times = Mapping[int, int]  # answers by milliseconds, rounded


def rounded_ms(duration_us: int) -> int:
    """Return a duration in milliseconds rounded to one digit, at least 1: at most 9 values per power of ten."""
    ms = max(1, duration_us // 1000)
    unit: int = 10 ** (len(str(ms)) - 1)
    return (ms + unit // 2) // unit * unit


def median_ms(times: Times) -> int:
    """Return the time within which half of the answers came. `times` must not be empty."""
    left = (sum(times.values()) + 1) // 2
    for ms, count in sorted(times.items()):
        left -= count
        if left <= 0:
            return ms
    raise AssertionError("a median requires an answer")
