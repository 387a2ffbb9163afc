"""Routes of the website."""

from collections.abc import Mapping
from typing import Any

from litestar import Router

from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.web.kit import error_pages, static
from dtmf_server.web.renter import (
    account,
    deliveries,
    export,
    limits,
    live,
    messages,
    number,
    numbers,
    rent,
    rentals,
    sandbox,
    sign_in,
    tokens,
    top_up,
    transactions,
)

WRONG_TOKENS = 10  # in a burst, per address; then one every 30 seconds
WRONG_TOKENS_PER_SECOND = 1 / 30

_PAGES = [
    live,
    sign_in,
    messages,
    rent,
    number,
    limits,
    numbers,
    rentals,
    top_up,
    transactions,
    deliveries,
    tokens,
    account,
    export,
    sandbox,
    static,
]
HANDLERS = [route for page in _PAGES for route in page.ROUTES]
ROUTER = Router(
    "/",
    route_handlers=HANDLERS,
    exception_handlers=error_pages.HANDLERS,  # type: ignore[arg-type]  # each handler takes its own exception
    include_in_schema=False,
)


def new_state() -> Mapping[str, Any]:
    """Create the state that the routes need in each application."""
    return {"sign_in_limit": RateLimit(per_second=WRONG_TOKENS_PER_SECOND, burst=WRONG_TOKENS)}
