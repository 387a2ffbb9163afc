"""How fast carriers answer, as `dtmf-server carriers` prints it."""

from typing import Any

from dtmf_server.cli.answer_text import time
from dtmf_server.core.units import HOUR_US
from dtmf_server.operations.carrier_speed import CarrierSpeed


def speed_line(found: CarrierSpeed) -> str:
    """Return how fast a carrier answers submits, and since when it is slow."""
    last = time(found.last_hour * HOUR_US)
    if found.slow_since_hour is None:
        return f"carrier {found.carrier} answers submits within {seconds(found.now_ms)} (median of the hour {last})"
    before = "" if found.usual_ms is None else f"; before, {seconds(found.usual_ms)}"
    return (
        f"carrier {found.carrier} is slow since {time(found.slow_since_hour * HOUR_US)}: half of the answers to submits take"
        f" {seconds(found.now_ms)} or more (hour {last}){before}"
    )


def speed_json(found: CarrierSpeed) -> dict[str, Any]:
    """Return the same for `--json`, with the median of each hour."""
    since = found.slow_since_hour
    return {
        "carrier": found.carrier,
        "is_slow": since is not None,
        "slow_since": None if since is None else time(since * HOUR_US),
        "median_ms": found.now_ms,
        "median_ms_before": found.usual_ms,
        "hours": [
            {"hour": time(each.hour * HOUR_US), "answers": each.answers, "median_ms": each.median_ms}
            for each in found.hours
        ],
    }


def seconds(ms: int) -> str:
    """Format a time."""
    return f"{ms / 1000:g} s"
