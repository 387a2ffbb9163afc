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

LOW_US, HIGH_US = SECOND_US // 100, 10_000 * SECOND_US
GRID = ["0.1 s", "1 s", "10 s", "100 s", "1000 s"]  # the powers of ten between them


@dataclass(frozen=True, slots=True)
class LatencyChart:
    """Two lines on a logarithmic scale."""

    median: str
    p95: str
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

    return await views.render_page(
        request, "health.html", gather, nav="health", problems=problems, warnings=warnings, grid=GRID
    )


def _chart(found: Sequence[Latency]) -> LatencyChart | None:
    if len(found) < 2:
        return None

    def line(values_us: Sequence[int]) -> str:
        return chart.line_path([chart.log_scale(value, low=LOW_US, high=HIGH_US) for value in values_us], 1)

    return LatencyChart(line([each.median_us for each in found]), line([each.p95_us for each in found]), found[-1])


ROUTES = [get_health]
