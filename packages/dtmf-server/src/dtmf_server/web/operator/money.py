"""`/operator/money`: what is owed and held, revenue and cost by day, and each group's figures of one day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get

from dtmf_server.core.days import day_name, parse_day
from dtmf_server.core.units import DAY_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import money
from dtmf_server.operations.money import Day
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import chart
from dtmf_server.web.operator import views
from dtmf_server.web.operator.views import Visit

CHART_DAYS = 30
BACK_MAX = 31  # days that the table of groups goes back: what ended since then is read


@dataclass(frozen=True, slots=True)
class Charts:
    """Revenue and cost as bars, and what is owed and held as lines, with the values at the upper edges."""

    revenue: str
    cost: str
    money_top: int
    owed: str
    held: str
    held_area: str
    books_top: int


def charts(days: Sequence[Day]) -> Charts:
    """Return the charts of these days."""
    revenue, cost = [day.revenue_sats for day in days], [day.cost_sats or 0 for day in days]
    owed, held = [day.owed_sats for day in days], [day.held_sats for day in days]
    money_top, books_top = max([1, *revenue, *cost]), max([1, *owed, *held])
    return Charts(
        chart.bar_path(revenue, money_top, nth=0, of=2),
        chart.bar_path(cost, money_top, nth=1, of=2),
        money_top,
        chart.line_path(owed, books_top),
        chart.line_path(held, books_top),
        chart.area_path(held, books_top),
        books_top,
    )


@get("/operator/money")
async def get_money(request: Request) -> Response[Any]:
    """Show the money of the service."""
    rules = runtime_of(request).settings.supply

    def gather(tx: Tx, visit: Visit) -> Mapping[str, Any]:
        today = visit.now_us // DAY_US
        shown = _day(request, today)
        position = money.position(tx)
        groups = list(money.group_days(tx, from_day=shown, before_day=shown + 1, now_us=visit.now_us, rules=rules))
        days = money.days(tx, from_day=today - CHART_DAYS + 1, before_day=today + 1, rules=rules)
        return {
            "position": position,
            "groups": groups,
            "days": days,
            "charts": charts(days),
            "shown": day_name(shown),
            "earlier": day_name(shown - 1) if shown > today - BACK_MAX else None,
            "later": day_name(shown + 1) if shown < today else None,
        }

    return await views.render_page(request, "money.html", gather, nav="money", day_name=day_name, short=chart.short)


def _day(request: Request, today: int) -> int:
    """Return the URL's day; an invalid one, or one that is too long ago, means today."""
    try:
        day = parse_day(request.query_params.get("day", ""))
    except ValueError:
        return today
    return day if today - BACK_MAX <= day <= today else today


ROUTES = [get_money]
