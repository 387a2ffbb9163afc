"""`/numbers`: all live rentals, newest first, with a search and filters, and a form that ends several at once."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post

from dtmf.e164 import is_e164
from dtmf_server.core.units import DAY_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import rent
from dtmf_server.storage import rental_lists
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.rental_lists import NEVER, RentalFilter
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import NEWEST, PAGE, page_of, position
from dtmf_server.web.kit.views import Caller
from dtmf_server.web.renter.messages import rental_cost

WORDS_MAX = 100
FILTERS = ("q", "country", "action", "ending")  # parameters of the page
FILTERED_FROM = 6  # live rentals; a shorter list has no filters
ACTIONS = {"store": _("Store only"), "webhook": _("Webhook"), "forward": _("Forward")}


@get("/numbers")
async def get_numbers(request: Request) -> Response[Any]:
    """List the numbers rented now, or those that match the search and the filters."""
    before, asked = position(request), request.query_params
    given = {name: asked.get(name, "")[:WORDS_MAX].replace("\0", "") for name in FILTERS}

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        wanted = _filter(given, now_us=visit.now_us)
        found = rent.matching_rentals(tx, visit.account_id, wanted, before=before, limit=PAGE + 1, now_us=visit.now_us)
        return {
            "page": page_of(found),
            "countries": rental_lists.countries(tx, visit.account_id),
            "has_filters": wanted.is_set or before != NEWEST or len(found) >= FILTERED_FROM,
            "is_filtered": wanted.is_set,
        }

    kept = urlencode({name: value for name, value in given.items() if value})
    return await views.render_page(
        request,
        "numbers.html",
        gather,
        nav="numbers",
        is_newest=before == NEWEST,
        asked=given,
        actions=ACTIONS,
        address=f"/numbers?{kept}&" if kept else "/numbers?",
    )


def _filter(given: dict[str, str], *, now_us: int) -> RentalFilter:
    ends_before_us = now_us + DAY_US if given["ending"] else NEVER
    return RentalFilter(given["q"].strip(), given["country"], given["action"], ends_before_us)


@get("/rentals/end")
async def get_end(request: Request) -> Response[Any]:
    """Ask for confirmation before ending the chosen rentals."""
    chosen = _chosen(request.query_params.getall("e164", []))
    settings = runtime_of(request).settings
    kept = {"rest_us": settings.cooldown_us, "retention_us": settings.retention_us}

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        return {"rentals": _live(tx, visit, chosen)}

    return await views.render_page(request, "numbers_end.html", gather, nav="numbers", **kept)


@post("/rentals/end")
async def post_end(request: Request) -> Response[Any]:
    """End the chosen rentals."""

    def end(tx: Tx, visit: Caller, form: Form) -> str:
        chosen, caps = _chosen(form["numbers"].split()), runtime_of(request).settings.refund_caps
        count = rent.end_several(tx, visit.account_id, chosen, now_us=visit.now_us, refund_caps=caps)
        return "/numbers?done=several-ended" if count else "/rentals/end"

    return await views.handle_form(request, end)


def _chosen(e164s: list[str]) -> list[str]:
    """Return the valid numbers of these, each once, at most a page of them."""
    return [e164 for e164 in dict.fromkeys(e164s) if is_e164(e164)][:PAGE]


def _live(tx: Tx, visit: Caller, e164s: list[str]) -> list[Row]:
    """Return the account's live rentals of these numbers, each with what it has cost."""
    live = rent.rentals_of_numbers(tx, visit.account_id, e164s, now_us=visit.now_us)
    return [dict(rental) | {"cost": rental_cost(tx, rental, now_us=visit.now_us)} for rental in live]


ROUTES = [get_numbers, get_end, post_end]
