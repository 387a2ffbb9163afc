"""The schema of events, and pages of an account's events."""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from dtmf_server.api.schemas import responses
from dtmf_server.core.money import topup_url
from dtmf_server.core.timestamps import iso
from dtmf_server.storage import events, messages
from dtmf_server.storage.db import Row, Tx

Kind = Literal[
    "message",
    "message.status",
    "deposit.seen",
    "deposit.credited",
    "deposit.reversed",
    "deposit.gone",
    "balance.low",
    "price.changing",
    "rental.ended",
    "rental.refunded",
    "action.disabled",
    "delivery.parked",
]

Method = Literal["bitcoin", "lightning"]


class Event(Struct):
    """An event in the account. Each kind has only its own fields."""

    id: int
    timestamp: responses.Time
    kind: Kind
    e164: Annotated[responses.E164 | None, Meta(description="the number concerned; null if none")]
    message: Annotated[
        responses.FullMessage | UnsetType, Meta(description="message, message.status: the message as it is now")
    ] = UNSET
    status: Annotated[str | UnsetType, Meta(description="message.status: the new status")] = UNSET
    reason: Annotated[str | UnsetType, Meta(description="the reason, as text or a code")] = UNSET
    method: Annotated[Method | UnsetType, Meta(description="deposit.…")] = UNSET
    txid: Annotated[str | UnsetType, Meta(description="deposit.… by bitcoin")] = UNSET
    vout: Annotated[int | UnsetType, Meta(description="deposit.… by bitcoin")] = UNSET
    address: Annotated[str | UnsetType, Meta(description="deposit.… by bitcoin")] = UNSET
    invoice_id: Annotated[
        int | UnsetType, Meta(description="deposit.credited by lightning: its id in GET /invoices")
    ] = UNSET
    payment_hash: Annotated[str | UnsetType, Meta(description="deposit.credited by lightning")] = UNSET
    amount: Annotated[responses.Sats | UnsetType, Meta(description="deposit.…, rental.refunded: satoshis")] = UNSET
    confirmations: Annotated[
        int | UnsetType, Meta(description="deposit.… by bitcoin: number at the time of the event")
    ] = UNSET
    hours: Annotated[int | UnsetType, Meta(description="balance.low: 24 or 1")] = UNSET
    balance: Annotated[
        responses.Sats | UnsetType, Meta(description="balance.low: satoshis at the time of the event")
    ] = UNSET
    runs_out_at: Annotated[responses.Time | UnsetType, Meta(description="balance.low: when the balance runs out")] = (
        UNSET
    )
    shortfall: Annotated[
        responses.Sats | UnsetType, Meta(description="balance.low: satoshis that pay for another 24 hours")
    ] = UNSET
    topup_url: Annotated[
        str | UnsetType, Meta(description="balance.low: the page that tops up the shortfall, a path of the service")
    ] = UNSET
    effective_at: Annotated[
        responses.Time | UnsetType, Meta(description="price.changing: when the new prices apply, at least 7 days later")
    ] = UNSET
    cost_per_minute: Annotated[
        responses.Sats | UnsetType, Meta(description="price.changing: the new price, in satoshis")
    ] = UNSET
    cost_per_inbound_message: Annotated[
        responses.Sats | UnsetType | None, Meta(description="price.changing: the new price; null without SMS")
    ] = UNSET
    destination: Annotated[str | UnsetType, Meta(description="action.disabled: the former destination")] = UNSET
    delivery_id: Annotated[int | UnsetType, Meta(description="delivery.parked: its id in GET /deliveries")] = UNSET


_OWN = frozenset(Event.__struct_fields__[5:])


def page(tx: Tx, account_id: int, *, after: int, limit: int, only_credited: bool = False) -> list[Event]:
    """Return the account's events with ids above `after`, oldest first; or only those of credited deposits."""
    listed = events.credited if only_credited else events.of_account
    rows = listed(tx, account_id, after=after, limit=limit)
    ids = [row["message_id"] for row in rows if row["message_id"] is not None]
    found = messages.by_ids(tx, ids) if ids else {}
    return [_event(row, found.get(row["message_id"])) for row in rows]


def _event(row: Row, message: Row | None) -> Event:
    data: dict[str, Any] = json.loads(row["data"])
    e164 = message["e164"] if message else data.get("e164")
    if "runs_out_at_us" in data:
        data["runs_out_at"] = iso(data["runs_out_at_us"])
    if "txid" in data:
        data["method"] = "bitcoin"
    if "shortfall" in data:
        data["topup_url"] = topup_url(data["shortfall"])
    event = Event(row["id"], iso(row["at_us"]), row["kind"], e164)
    if message is not None and row["kind"].startswith("message"):
        event.message = responses.full_message(message)
    for name in _OWN & data.keys():
        setattr(event, name, data[name])
    return event


def server_sent(event: Event) -> bytes:
    """Encode an event as a Server-Sent Event. Its id is the position to resume from."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, event.kind.encode(), msgspec.json.encode(event))
