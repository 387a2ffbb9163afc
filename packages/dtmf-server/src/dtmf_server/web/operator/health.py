"""`/operator`: the findings of `dtmf-server doctor`, firing alerts, and how deliveries are doing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get

from dtmf_server.core.units import SECOND_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import delivery_latency
from dtmf_server.operations.delivery_latency import Latency
from dtmf_server.storage import alerts, delivery_log
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import chart
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit


@dataclass(frozen=True, slots=True)
class LatencyChart:
    """Two lines on a logarithmic scale, the powers of ten that it has, and lines across at these."""

    median: str
    p95: str
    labels: Sequence[str]
    across: str
    newest: Latency


@get("/operator")
async def get_health(request: Request) -> Response[Any]:
    """Show problems with their fixes, warnings, alerts and deliveries."""
    await views.read(request, lambda _tx, _visit: None)  # before the work of a diagnosis
    problems, warnings = await asyncio.to_thread(request.scope["state"]["diagnose"])
    troubles = sorted(runtime_of(request).troubles.items())
    problems += [
        _("The worker %(name)s is not running: %(why)s") % {"name": name, "why": why} for name, why in troubles
    ]

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        return {
            "alerts": [row for row in alerts.all_of(tx) if row["is_firing"]],
            "standing": delivery_log.standing(tx, now_us=visit.now_us),
            "latency": _chart(delivery_latency.latencies(tx)),
        }

    return await views.render_page(request, "health.html", gather, nav="health", problems=problems, warnings=warnings)


def _chart(found: Sequence[Latency]) -> LatencyChart | None:
    if len(found) < 2:
        return None

    low_us, high_us = _powers(found)
    powers_us = [low_us]
    while powers_us[-1] < high_us:
        powers_us.append(powers_us[-1] * 10)

    def line(values_us: Sequence[int]) -> str:
        return chart.line_path([chart.log_scale(value, low=low_us, high=high_us) for value in values_us], 1)

    return LatencyChart(
        line([each.median_us for each in found]),
        line([each.p95_us for each in found]),
        [f"{power_us / SECOND_US:g} s" for power_us in powers_us],
        "".join(line([power_us, power_us]) for power_us in powers_us),
        found[-1],
    )


def _powers(found: Sequence[Latency]) -> tuple[int, int]:
    """Return the powers of ten in microseconds between which all values are, from a millisecond on."""
    low_us = high_us = 1000
    while low_us * 10 <= min(each.median_us for each in found):
        low_us *= 10
    while high_us < max(each.p95_us for each in found) or high_us <= low_us:
        high_us *= 10
    return low_us, high_us


ROUTES = [get_health]
