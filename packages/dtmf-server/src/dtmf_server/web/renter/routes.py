"""The website as a whole: its routes, and what it keeps beside a runtime."""

from collections.abc import Mapping
from typing import Any

from litestar import Router

from dtmf_server.asgi.browser_requests import Website
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.web import numbers
from dtmf_server.web.kit import error_pages, static
from dtmf_server.web.renter import (
    account,
    deliveries,
    export,
    live,
    messages,
    number,
    rent,
    rentals,
    sandbox,
    sign_in,
    tokens,
    top_up,
    transactions,
)

WRONG_TOKENS = 10  # at once, from one address; then one in half a minute
WRONG_TOKENS_PER_SECOND = 1 / 30

_PAGES = [
    live,
    sign_in,
    messages,
    rent,
    number,
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


_ROUTER = Router(
    "/",
    route_handlers=HANDLERS,
    exception_handlers=error_pages.HANDLERS,  # type: ignore[arg-type]  # each handler takes its own exception
    include_in_schema=False,
)


def _new_state() -> Mapping[str, Any]:
    return {"sign_in_limit": RateLimit(per_second=WRONG_TOKENS_PER_SECOND, burst=WRONG_TOKENS)}


WEBSITE = Website([_ROUTER], _new_state, error_pages.error_page)
