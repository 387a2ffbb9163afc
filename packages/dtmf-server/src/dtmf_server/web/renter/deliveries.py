"""`/deliveries`: the delivery log, retries, webhook tests, the signing secret, and the URL for low balance warnings."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from dtmf.e164 import is_e164
from dtmf_server.core import body_templates, webhook_url
from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account_webhook, rent, replay, webhook_secrets
from dtmf_server.storage import delivery_log
from dtmf_server.storage.db import Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.forms import EMPTY, Form
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.pagination import PAGE, page_of, position
from dtmf_server.web.kit.views import Caller

STATES = ("waiting", "delivered", "parked", "in_doubt", "unknown")


@get("/deliveries")
async def get_deliveries(request: Request) -> Response[Any]:
    """Show the log, newest first, optionally of one state."""
    return await _page(request)


@post("/deliveries/{delivery_id:int}/retry")
async def post_retry(request: Request, delivery_id: FromPath[int]) -> Response[Any]:
    """Retry a delivery."""

    def again(tx: Tx, visit: Caller, _form: Form) -> str:
        replay.one(tx, visit.account_id, delivery_id, now_us=visit.now_us)
        return "/deliveries?done=retried"

    return await views.handle_form(request, again, again=lambda form, refusal: _page(request, form, refusal))


@post("/deliveries/retry")
async def post_retry_all(request: Request) -> Response[Any]:
    """Retry all parked webhooks."""

    def again(tx: Tx, visit: Caller, _form: Form) -> str:
        count = replay.parked_since(tx, visit.account_id, since_us=0, now_us=visit.now_us)
        return "/deliveries?done=retried_all" if count else "/deliveries?done=retried_none"

    return await views.handle_form(request, again)


@post("/deliveries/warnings")
async def post_warnings(request: Request) -> Response[Any]:
    """Set the URL that receives the account's own events; empty turns them off."""
    sandbox = runtime_of(request).settings.sandbox

    def set_url(tx: Tx, visit: Caller, form: Form) -> str:
        url = form.line("warnings_url") or None
        stored = account_webhook.url(tx, visit.account_id)
        if url and stored and url == body_templates.masked(stored):
            url = stored
        try:
            if url is not None:
                webhook_url.parse(url, sandbox=sandbox)
        except ValueError as error:
            raise InvalidRequest("warnings_url", str(error)) from error
        account_webhook.set_url(tx, visit.account_id, url, now_us=visit.now_us)
        return "/deliveries?done=warnings" if url else "/deliveries?done=no_warnings"

    return await views.handle_form(request, set_url, again=lambda form, refusal: _page(request, form, refusal))


@post("/deliveries/test")
async def post_test(request: Request) -> Response[Any]:
    """Post a sample message to a number's webhook."""

    def test(tx: Tx, visit: Caller, form: Form) -> str:
        if not is_e164(form["e164"]):
            raise InvalidRequest("e164", _("Choose one of your numbers that has a webhook."))
        replay.test(tx, visit.account_id, form["e164"], now_us=visit.now_us)
        return "/deliveries?done=tested"

    return await views.handle_form(request, test, again=lambda form, refusal: _page(request, form, refusal))


@post("/deliveries/secret")
async def post_secret(request: Request) -> Response[Any]:
    """Rotate the signing secret; the old one also signs for 24 hours."""
    wall_us = runtime_of(request).clock.wall_us()

    def rotate(tx: Tx, visit: Caller, _form: Form) -> str:
        webhook_secrets.rotate_secret(tx, visit.account_id, wall_us=wall_us)
        return "/deliveries?done=rotated"

    return await views.handle_form(request, rotate)


async def _page(request: Request, form: Form = EMPTY, refusal: Refusal | None = None) -> Response[Any]:
    before, asked = position(request), request.query_params.get("state", "")
    state = asked if asked in STATES else None

    def gather(tx: Tx, visit: Caller) -> dict[str, Any]:
        rows = delivery_log.newest_of_state(tx, visit.account_id, state=state, before=before, limit=PAGE + 1)
        page = page_of(rows)
        hooked = rent.newest_rentals(tx, visit.account_id, now_us=visit.now_us, hooked=True)
        return {
            "page": page,
            "attempts": delivery_log.attempts_of(tx, [row["id"] for row in page.rows]),
            "hooked": [rental["e164"] for rental in reversed(hooked.rows)],
            "more_hooked": hooked.more,
            "secret": webhook_secrets.secret(tx, visit.account_id),
            "warnings_url": body_templates.masked(account_webhook.url(tx, visit.account_id) or "") or None,
        }

    more = views.refused(form, refusal)
    status = views.status_of(refusal)
    return await views.render_page(
        request, "deliveries.html", gather, status=status, nav="account", state=state, **more
    )


ROUTES = [get_deliveries, post_retry, post_retry_all, post_warnings, post_test, post_secret]
