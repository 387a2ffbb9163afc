"""The account's own webhook. Its `balance.low`, `deposit.credited` and `price.changing` events are delivered through the same
outbox as SMS."""

import json

from dtmf_server.core.body_templates import masked
from dtmf_server.core.money import topup_url
from dtmf_server.core.timestamps import iso
from dtmf_server.operations.token_limits import require_working
from dtmf_server.storage import accounts, delivery_queue, event_deliveries, events
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_queue import NewDelivery
from dtmf_server.storage.events import Event
from dtmf_server.storage.suspended_deliveries import SUSPENDED

POSTED = frozenset({"balance.low", "deposit.credited", "price.changing"})
WEBHOOK_REMOVED = "the account's webhook was removed"


def url(tx: Tx, account_id: int) -> str | None:
    """Return the URL that the account's own events are posted to, or None."""
    return accounts.webhook_urls(tx, [account_id]).get(account_id)


def set_url(tx: Tx, account_id: int, url: str | None, *, now_us: int, set_by: int | None = None) -> None:
    """Set the URL. Waiting events follow a changed URL; if it is removed they are parked, and can be replayed. `set_by`:
    the restricted token that does; the webhook is removed when it ends."""
    accounts.lock(tx, account_id)
    require_working(tx, account_id, set_by)
    accounts.set_webhook_url(tx, account_id, url, token_id=None if url is None else set_by)
    if url is not None:
        event_deliveries.redirect_events(tx, account_id, destination=url, now_us=now_us)
    else:
        park_waiting(tx, account_id, now_us=now_us, reason=WEBHOOK_REMOVED)


def disable(tx: Tx, account_id: int, url: str, *, now_us: int, reason: str) -> None:
    """Remove the webhook, if it still has that URL, because the receiver wants no more requests; append an event."""
    if accounts.webhook_urls(tx, [account_id]).get(account_id) != url:
        return
    accounts.set_webhook_url(tx, account_id, None)
    data = {"destination": masked(url), "reason": reason}
    events.append(tx, [Event(account_id, now_us, "action.disabled", data=data)])
    park_waiting(tx, account_id, now_us=now_us, reason=reason)


def park_waiting(tx: Tx, account_id: int, *, now_us: int, reason: str) -> None:
    """Park waiting events, each with an event."""
    parked = event_deliveries.park_events(tx, account_id, now_us=now_us, reason=reason)
    events.append(tx, [events.parked(delivery, now_us=now_us, reason=reason) for delivery in parked])


def queue(tx: Tx, new: list[tuple[int, Event]], *, now_us: int) -> None:
    """Queue those of the new events (with their IDs) that their accounts want posted. The accounts must be locked."""
    wanted = [(id_, event.account_id) for id_, event in new if event.kind in POSTED]
    if not wanted:
        return
    urls = accounts.webhook_urls(tx, sorted({account_id for _, account_id in wanted}))
    suspended = accounts.suspended_among(tx, urls) if urls else set()
    deliveries = [
        NewDelivery(
            *(account_id, None, None, "event", urls[account_id]),
            event_id=id_,
            parked=SUSPENDED if account_id in suspended else None,
        )
        for id_, account_id in wanted
        if account_id in urls
    ]
    delivery_queue.add(tx, deliveries, now_us=now_us)


def body(event: Row) -> str:
    """Return the body posted for an event: type, timestamp and data (Standard Webhooks, "Payload structure")."""
    data = json.loads(event["data"])
    if "runs_out_at_us" in data:
        data["runs_out_at"] = iso(data.pop("runs_out_at_us"))
    if "shortfall" in data:
        data["topup_url"] = topup_url(data["shortfall"])
    if "txid" in data:
        data["method"] = "bitcoin"
    body = {"type": event["kind"], "timestamp": iso(event["at_us"]), "data": data}
    return json.dumps(body, separators=(",", ":"))
