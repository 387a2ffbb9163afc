"""The landing page: product, prices, quickstart."""

from functools import partial
from typing import Any

from litestar import Response, get

from dtmf_server.http.request import Request, runtime_of
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import views


@get("/")
async def get_landing(request: Request) -> Response[Any]:
    """Show the landing page."""
    return await views.render_public_page(
        request, "landing.html", partial(prices, cooldown_us=runtime_of(request).settings.cooldown_us)
    )


def prices(tx: Tx, now_us: int, *, cooldown_us: int) -> dict[str, Any]:
    """Return the catalog, and the group that the example rents."""
    mobile, local = numbers.groups_of_type(tx, "mobile"), numbers.groups_of_type(tx, "local")
    free = numbers.free_by_group(tx, now_us=now_us, cooldown_us=cooldown_us, at_most=1)
    return {"mobile": mobile, "local": local, "cheapest": cheapest([*mobile, *local], free)}


def cheapest(groups: list[Row], free: dict[str, int]) -> str | None:
    """Return the id of the group that is cheapest to start, among those that receive SMS. Prefer one with free numbers."""
    suitable = [group for group in groups if group["sms_support"]]

    def order(group: Row) -> tuple[bool, int, int, str]:
        minute = group["rental_cost_per_minute"]
        return not free.get(group["id"]), group["setup_cost"] + minute, minute, group["id"]

    return str(min(suitable, key=order)["id"]) if suitable else None
