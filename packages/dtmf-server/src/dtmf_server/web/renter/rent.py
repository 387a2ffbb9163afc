"""`/rent`: the catalog, and a confirmation page that shows the cost before renting."""

import re
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf_server.core.errors import GroupNotFound, Refusal
from dtmf_server.core.monthly_cap import PERIOD_MINUTES
from dtmf_server.core.units import MINUTE_US
from dtmf_server.http import validation
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, catalog, rent
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter.limits import label_of, limit_of

PLENTY = 20  # free numbers are counted up to this
CHOICES = 12  # free numbers to choose from
DIGITS_MAX = 15


@get("/rent")
async def get_rent(request: Request) -> Response[Any]:
    """Show the catalog of one type."""
    of_type = "local" if request.query_params.get("type") == "local" else "mobile"

    cooldown_us = runtime_of(request).settings.cooldown_us

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        free = numbers.free_by_group(tx, now_us=visit.now_us, cooldown_us=cooldown_us, at_most=PLENTY + 1)
        groups = [dict(group) | {"free": free[group["id"]]} for group in numbers.groups_of_type(tx, of_type)]
        return {"groups": groups, "type": of_type, "plenty": PLENTY}

    return await views.render_page(request, "rent.html", gather, nav="rent")


@get("/rent/{group_id:str}")
async def get_rent_group(request: Request, group_id: FromPath[str]) -> Response[Any]:
    """Show what the rental costs and ask for confirmation."""
    return await _confirm(request, group_id)


@post("/rent/{group_id:str}")
async def post_rent_group(request: Request, group_id: FromPath[str]) -> Response[Any]:
    """Rent a number."""
    settings = runtime_of(request).settings

    def start(tx: Tx, visit: Caller, form: Form) -> str:
        e164 = validation.e164("e164", chosen) if (chosen := form.line("e164")) else None
        rental = rent.start(
            tx,
            visit.account_id,
            group_id,
            now_us=visit.now_us,
            cooldown_us=settings.cooldown_us,
            e164=e164,
            rules=settings.supply,
            max_minutes=limit_of(form, "max_minutes"),
            max_sats=limit_of(form, "max_sats"),
            label=label_of(form),
            network=None if settings.sandbox else network_of(request.scope, settings.trusted_proxies),
        )
        return f"/numbers/{rental['e164']}?done=rented"

    return await views.handle_form(
        request, start, again=lambda form, refusal: _confirm(request, group_id, form=form, refusal=refusal)
    )


async def _confirm(
    request: Request, group_id: str, *, form: Form = EMPTY, refusal: Refusal | None = None
) -> Response[Any]:
    cooldown_us = runtime_of(request).settings.cooldown_us
    digits = "".join(re.findall("[0-9]", request.query_params.get("contains", "")))[:DIGITS_MAX]

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        group = numbers.group(tx, group_id) if "\0" not in group_id else None
        if group is None:
            raise GroupNotFound(_("This group of numbers doesn't exist."))
        usage = account.usage(tx, visit.account_id, now_us=visit.now_us)
        free = catalog.available(
            tx, group_id, contains=digits, limit=CHOICES, now_us=visit.now_us, cooldown_us=cooldown_us
        )
        has_free = bool(free) or numbers.count_free(
            tx, group_id, now_us=visit.now_us, cooldown_us=cooldown_us, at_most=1
        )
        outcomes = catalog.outcomes(tx, group_id, now_us=visit.now_us)
        rest = usage.balance - group["setup_cost"] - group["rental_cost_per_minute"]
        per_minute = usage.cost_per_minute + group["rental_cost_per_minute"]
        lasts_us = rest // per_minute * MINUTE_US if per_minute and rest >= 0 else None
        month = (
            group["rental_cost_per_minute"] * PERIOD_MINUTES if group["monthly_cap"] is None else group["monthly_cap"]
        )
        return {
            "group": group,
            "rest": rest,
            "lasts_us": lasts_us,
            "free": free,
            "has_free": has_free,
            "digits": digits,
            "outcomes": outcomes,
            "per_month": month,
        }

    more = views.refused(form, refusal)
    return await views.render_page(
        request, "rent_group.html", gather, status=views.status_of(refusal), nav="rent", **more
    )


ROUTES = [get_rent, get_rent_group, post_rent_group]
