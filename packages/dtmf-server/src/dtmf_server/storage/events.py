"""Events of an account, in commit order, each written in the transaction that causes it."""

import json
from typing import Any

from msgspec import Struct, field

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


class Event(Struct, frozen=True):
    """Something that happened to an account. Texts are never copied here: `message_id` refers to them."""

    account_id: int
    at_us: int
    kind: str
    message_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


def append(tx: Tx, events: list[Event]) -> list[int]:
    """Append events and return their IDs. Their accounts must be locked, so that IDs ascend in commit order per
    account."""
    ids = tx.insert_returning_ids(
        schema.events,
        ("account_id", "at_us", "kind", "message_id", "data"),
        [(e.account_id, e.at_us, e.kind, e.message_id, json.dumps(e.data) if e.data else "{}") for e in events],
    )
    for account_id in {event.account_id for event in events}:
        tx.notify(topic(account_id))
    return list(ids)


def parked(delivery: Row, *, now_us: int, reason: str) -> Event:
    """Return the event of a delivery that is no longer retried automatically."""
    data = {"delivery_id": delivery["id"], "reason": reason}
    return Event(delivery["account_id"], now_us, "delivery.parked", delivery["message_id"], data)


def topic(account_id: int) -> str:
    """Return the topic that wakes clients waiting for the account's events."""
    return f"events/{account_id}"


def by_ids(tx: Tx, ids: list[int]) -> dict[int, Row]:
    """Return these events."""
    if not ids:
        return {}
    return {row["id"]: row for row in tx.all("SELECT id, at_us, kind, data FROM events WHERE id = ANY(:ids)", ids=ids)}


def of_account(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """Return an account's events with IDs above `after`, oldest first."""
    return tx.all(
        "SELECT id, at_us, kind, message_id, data FROM events WHERE account_id = :account_id AND id > :after"
        " ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


def credited(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """Return the same, only of credited deposits."""
    return tx.all(
        "SELECT id, at_us, kind, message_id, data FROM events WHERE account_id = :account_id AND id > :after"
        " AND kind = 'deposit.credited' ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


def last_id(tx: Tx, account_id: int) -> int:
    """Return the ID of the account's newest event, or 0: the position of a page that was just read."""
    row = tx.one("SELECT id FROM events WHERE account_id = :account_id ORDER BY id DESC LIMIT 1", account_id=account_id)
    return int(row["id"]) if row else 0
