"""Routes of the operator's console."""

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response, get

from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.operations.operator_sign_in import SESSION_MAX_US
from dtmf_server.web.kit import session_cookie, static, templating
from dtmf_server.web.kit.session_cookie import CookiePolicy
from dtmf_server.web.operator import (
    account_actions,
    accounts,
    audit,
    carriers,
    deposits,
    health,
    money,
    numbers,
    prices,
    sign_in,
)

WRONG_LINKS = 10  # in a burst, per address; then one every 30 seconds
WRONG_LINKS_PER_SECOND = 1 / 30
COOKIE = CookiePolicy("dtmf-operator", "strict", SESSION_MAX_US, path="/operator")
Diagnose = Callable[[], tuple[list[str], list[str]]]  # returns problems and warnings; blocks
PaymentHash = Callable[[str], str]  # returns the payment hash of an invoice, and anything else as it is


@get("/")
async def get_start() -> Response[Any]:
    """Lead to the console."""
    return templating.redirect("/operator")


_PAGES = [sign_in, health, money, accounts, account_actions, numbers, prices, carriers, deposits, audit, static]
HANDLERS = [get_start, *(route for page in _PAGES for route in page.ROUTES)]


def new_state(diagnose: Diagnose, payment_hash: PaymentHash) -> Mapping[str, Any]:
    """Create the state that the routes need in each application."""
    return {
        "sign_in_limit": RateLimit(per_second=WRONG_LINKS_PER_SECOND, burst=WRONG_LINKS),
        session_cookie.POLICY: COOKIE,
        "diagnose": diagnose,
        "payment_hash": payment_hash,
    }
