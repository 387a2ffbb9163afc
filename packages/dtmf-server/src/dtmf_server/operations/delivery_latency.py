"""How long deliveries take: percentiles of the newest ones, in the order in which they were created."""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.storage import operator_lists
from dtmf_server.storage.db import Tx

WITHIN = 4_800  # the newest deliveries, whatever their state
POINTS = 24
POINT_MIN = 5  # deliveries; a percentile of fewer would say nothing


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the microseconds from storing a delivery to its arrival, of deliveries created in a row."""

    from_us: int
    deliveries: int
    median_us: int
    p95_us: int


def latencies(tx: Tx) -> list[Latency]:
    """Return up to `POINTS` groups of the newest deliveries, oldest first; empty if there are too few."""
    rows = operator_lists.newest_delivered(tx, within=WITHIN)
    size = max(POINT_MIN, -(-len(rows) // POINTS))
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [
        _latency(rows[0]["created_at_us"], sorted(row["finished_at_us"] - row["created_at_us"] for row in rows))
        for rows in groups
        if len(rows) >= POINT_MIN
    ]


def _latency(from_us: int, sorted_us: Sequence[int]) -> Latency:
    def percentile(percent: int) -> int:
        return max(0, sorted_us[min(len(sorted_us) - 1, len(sorted_us) * percent // 100)])

    return Latency(from_us, len(sorted_us), percentile(50), percentile(95))
