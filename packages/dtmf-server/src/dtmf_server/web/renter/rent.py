"""`/rent`: the catalog, and a confirmation page that shows the cost before renting."""

import re
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf_server.core.errors import GroupNotFound, InsufficientFunds, InvalidRequest, PriceChanged, Refusal
from dtmf_server.core.units import MINUTE_US
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account, catalog, rent, rent_offers, supply_demand
from dtmf_server.operations.rent_offers import Prices
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter import rent_offer
from dtmf_server.web.renter.limits import label_of, limit_of

PLENTY = 20  # free numbers are counted up to this
CHOICES = 12  # free numbers to choose from
OTHERS = 5  # groups to choose from if this one is sold out
DIGITS_MAX = 15
WORDS_MAX = 60
SEARCHED_FROM = 6  # groups; a shorter catalog has no search
# For how many minutes to pay if the balance is too low; the first one is chosen unless another is.
PERIODS = {"60": _("1 hour"), "1440": _("1 day"), "43200": _("30 days"), "1": _("The first minute only")}


@get("/rent")
async def get_rent(request: Request) -> Response[Any]:
    """Show the catalog of one type, or the groups in it that a search finds."""
    asked, settings = request.query_params, runtime_of(request).settings
    of_type = "local" if asked.get("type") == "local" else "mobile"
    words, is_by_price = asked.get("q", "").strip()[:WORDS_MAX], asked.get("sort") == "price"

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        free = numbers.free_by_group(tx, now_us=visit.now_us, cooldown_us=settings.cooldown_us, at_most=PLENTY + 1)
        on_demand = supply_demand.can_buy_for(tx, rules=settings.supply)
        every = numbers.offers_of_type(tx, of_type)
        groups = [
            dict(group) | {"free": free[group["id"]], "month": rent_offers.prices_of(group).month}
            for group in every
            if _is_found(group, words.casefold())
        ]
        if is_by_price:
            groups.sort(key=lambda group: (group["month"], group["setup_cost"]))  # stable: then in the catalog's order
        return {"groups": groups, "on_demand": on_demand, "is_long": len(every) >= SEARCHED_FROM}

    more: dict[str, Any] = {"type": of_type, "plenty": PLENTY, "words": words, "is_by_price": is_by_price}
    return await views.render_page(request, "rent.html", gather, nav="rent", **more)


def _is_found(group: Row, words: str) -> bool:
    """Return whether a group's name contains these words, or its country's code is one of them."""
    return words in group["name"].casefold() or group["country_code"].casefold() in words.split()


@get("/rent/{group_id:str}")
async def get_rent_group(request: Request, group_id: FromPath[str]) -> Response[Any]:
    """Show what the rental costs and ask for confirmation; with `?invoice=`, wait for the payment of an offer."""
    return await rent_offer.page(request, group_id) or await _confirm(request, group_id)


@post("/rent/{group_id:str}")
async def post_rent_group(request: Request, group_id: FromPath[str]) -> Response[Any]:
    """Rent a number at the price shown. If the balance is too low, offer it for an invoice."""
    runtime = runtime_of(request)

    def start(tx: Tx, visit: Caller, form: Form) -> str:
        prices = _prices(form)
        rental = rent.start(
            tx,
            visit.account_id,
            group_id,
            now_us=visit.now_us,
            cooldown_us=runtime.settings.cooldown_us,
            e164=_e164(form),
            rules=runtime.settings.supply,
            max_minutes=limit_of(form, "max_minutes"),
            max_sats=limit_of(form, "max_sats"),
            label=label_of(form),
            network=rent_offer.network(request),
            price_terms=runtime.price_terms(),
        )
        if prices is not None:
            prices.check(rental)
        return f"/numbers/{rental['e164']}?done=rented"

    async def again(form: Form, refusal: Refusal) -> Response[Any]:
        prices = _prices(form) if isinstance(refusal, InsufficientFunds | PriceChanged) else None
        if isinstance(refusal, InsufficientFunds) and prices is not None and runtime.invoices is not None:
            minutes = int(form["minutes"]) if form["minutes"] in PERIODS else 1
            limits = (limit_of(form, "max_minutes"), limit_of(form, "max_sats"), label_of(form))
            offer = rent_offers.Offer(group_id, _e164(form), prices, *limits)
            return await rent_offer.make(request, offer, minutes=minutes, again=confirm)
        return await confirm(form, refusal)

    async def confirm(form: Form, refusal: Refusal) -> Response[Any]:
        return await _confirm(request, group_id, form=form, refusal=refusal)

    return await views.handle_form(request, start, again=again)


def _e164(form: Form) -> str | None:
    """Return the chosen number; None for any."""
    return validation.e164("e164", chosen) if (chosen := form.line("e164")) else None


def _prices(form: Form) -> Prices | None:
    """Return the prices that the page showed, if it was a page with prices."""
    if not form["prices"]:
        return None
    if not re.fullmatch(r"[0-9]{1,16}( [0-9]{1,16}){3}", form["prices"]):
        raise InvalidRequest("prices", _("Load the page again."))
    return Prices(*map(int, form["prices"].split(" ")))


async def _confirm(
    request: Request, group_id: str, *, form: Form = EMPTY, refusal: Refusal | None = None
) -> Response[Any]:
    runtime = runtime_of(request)
    digits = "".join(re.findall("[0-9]", request.query_params.get("contains", "")))[:DIGITS_MAX]
    closed = await rent_offer.closed(request, group_id)

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        group = numbers.group(tx, group_id) if "\0" not in group_id else None
        if group is None:
            raise GroupNotFound(_("This group of numbers doesn't exist."))
        stock = _stock(tx, visit, group, digits=digits, cooldown_us=runtime.settings.cooldown_us)
        usage, prices = account.usage(tx, visit.account_id, now_us=visit.now_us), rent_offers.prices_of(group)
        rest = usage.balance - prices.due
        per_minute = usage.cost_per_minute + prices.minute
        return {
            "group": group,
            "prices": prices,
            "rest": rest,
            "lasts_us": rest // per_minute * MINUTE_US if per_minute and rest >= 0 else None,
            "digits": digits,
            "outcomes": catalog.outcomes(tx, group_id, now_us=visit.now_us),
            **stock,
            "can_ask": stock["has_free"] or group_id in supply_demand.can_buy_for(tx, rules=runtime.settings.supply),
        }

    return await views.render_page(
        request,
        "rent_group.html",
        gather,
        status=views.status_of(refusal),
        nav="rent",
        closed=closed,
        periods=PERIODS if runtime.invoices is not None else {},
        **views.refused(form, refusal),
    )


def _stock(tx: Tx, visit: Caller, group: Row, *, digits: str, cooldown_us: int) -> dict[str, Any]:
    """Return free numbers of the group; if it has none, other groups that have some."""
    when = {"now_us": visit.now_us, "cooldown_us": cooldown_us}
    free = catalog.available(tx, group["id"], contains=digits, limit=CHOICES, **when)
    has_free = bool(free) or bool(numbers.count_free(tx, group["id"], at_most=1, **when))
    others: list[Row] = []
    if not has_free:
        counts = numbers.free_by_group(tx, at_most=1, **when)
        others = [other for other in numbers.groups_of_type(tx, group["type"]) if counts[other["id"]]][:OTHERS]
    return {"free": free, "has_free": has_free, "others": others}


ROUTES = [get_rent, get_rent_group, post_rent_group, rent_offer.post_accept]
