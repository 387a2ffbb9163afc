"""`/deliveries` and `/webhook_secret`: the delivery log, retries, tests, and the signing secret."""

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import get, post
from litestar.params import FromPath, QueryParameter

from dtmf_server.api import transactions
from dtmf_server.api.pagination import After, Limit
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.body_templates import masked
from dtmf_server.core.timestamps import iso
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import replay, webhook_secrets
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage.db import Row, Tx


@get("/deliveries", tags=["deliveries"], summary="List deliveries")
async def get_deliveries(
    request: Request,
    of_state: Annotated[
        Literal["waiting", "delivered", "parked", "in_doubt", "unknown"] | None,
        QueryParameter(name="state", description="only deliveries in this state"),
    ] = None,
    e164: Annotated[str | None, QueryParameter(name="e164", description="only deliveries of this number")] = None,
    since: Annotated[
        datetime | None,
        QueryParameter(name="since", description="only deliveries created at or after this time, ISO 8601 UTC"),
    ] = None,
    after: After = 0,
    limit: Limit = 100,
) -> list[responses.Delivery]:
    """Return deliveries with ids above `after`, oldest first, each with its attempts."""
    if e164 is not None:
        validation.e164("e164", e164)
    since_us = 0 if since is None else validation.since_us("since", since)

    def page(tx: Tx, caller: Caller) -> list[responses.Delivery]:
        found = replay.deliveries(
            tx, caller.account_id, state=of_state, e164=e164, since_us=since_us, after=after, limit=limit
        )
        return [_delivery(row, attempts) for row, attempts in found]

    return await transactions.read(request, page)


@operation(
    post,
    "/deliveries/{delivery_id:int}/retry",
    tags=["deliveries"],
    summary="Retry a delivery",
    status=200,
    responses=transactions.answers(200, responses.Delivery),
)
def post_delivery_retry(tx: Tx, caller: Caller, *, delivery_id: FromPath[int]) -> StoredResponse:
    """Queue a delivery again, even if it was delivered; the receiver may get it twice or out of order. An SMS that a carrier
    may have taken can't be retried."""
    row, attempts = replay.one(
        tx, caller.account_id, delivery_id, now_us=caller.now_us, retried_by=caller.token_id, require=caller.require
    )
    return transactions.answer(200, _delivery(row, attempts), rental_id=row["rental_id"])


@operation(post, "/deliveries/retry", tags=["deliveries"], summary="Retry parked webhooks", status=200)
def post_deliveries_retry(tx: Tx, caller: Caller, asked: requests.ReplaySince) -> responses.Replayed:
    """Queue all parked webhooks created at or after `since`."""
    since_us = validation.since_us("since", asked.since)
    return responses.Replayed(replay.parked_since(tx, caller.account_id, since_us=since_us, now_us=caller.now_us))


@operation(post, "/deliveries/test", tags=["deliveries"], summary="Test a webhook", status=201)
def post_deliveries_test(tx: Tx, caller: Caller, asked: requests.TestDelivery) -> responses.Delivery:
    """Post a sample SMS (id 0) to the number's webhook, once. The delivery log shows the result."""
    return _delivery(replay.test(tx, caller.account_id, asked.e164, now_us=caller.now_us), [])


@get("/webhook_secret", tags=["deliveries"], summary="Get the webhook secret")
async def get_webhook_secret(request: Request) -> responses.WebhookSecret:
    """Return the secret that signs this account's webhooks."""
    return responses.WebhookSecret(
        await transactions.read(request, lambda tx, caller: webhook_secrets.secret(tx, caller.account_id))
    )


@operation(post, "/webhook_secret", tags=["deliveries"], summary="Rotate the webhook secret", status=201, secret=True)
def post_webhook_secret(tx: Tx, caller: Caller, *, request: Request) -> responses.WebhookSecret:
    """Create a new secret. For 24 hours webhooks are also signed with the old one."""
    wall_us = runtime_of(request).clock.wall_us()
    return responses.WebhookSecret(webhook_secrets.rotate_secret(tx, caller.account_id, wall_us=wall_us))


def _delivery(row: Row, attempts: list[Any]) -> responses.Delivery:
    return responses.Delivery(
        row["id"],
        row["e164"],
        row["kind"],
        masked(row["destination"]),
        row["state"],
        row["message_id"],
        iso(row["created_at_us"]),
        iso(row["due_at_us"]) if row["state"] == "waiting" else None,
        None if row["finished_at_us"] is None else iso(row["finished_at_us"]),
        row["reason"],
        [
            responses.Attempt(iso(a["at_us"]), a["duration_us"] / 1000, a["status"], a["reason"], a["reply"])
            for a in attempts
        ],
    )


ROUTES = [
    get_deliveries,
    post_delivery_retry,
    post_deliveries_retry,
    post_deliveries_test,
    get_webhook_secret,
    post_webhook_secret,
]
