"""The shape of an event on the wire, and the page of an account's events after a position."""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from dtmf_server.api.schemas import responses
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
    "rental.ended",
    "action.disabled",
    "delivery.parked",
]


class Event(Struct):
    """Something that happened to the account; a kind has only the fields that are its own."""

    id: int
    timestamp: responses.Time
    kind: Kind
    e164: Annotated[responses.E164 | None, Meta(description="the number it is about, null if about none")]
    message: Annotated[
        responses.FullMessage | UnsetType, Meta(description="message, message.status: the message as it is now")
    ] = UNSET
    status: Annotated[str | UnsetType, Meta(description="message.status: what it became then")] = UNSET
    reason: Annotated[str | UnsetType, Meta(description="why, in words or as a code")] = UNSET
    txid: Annotated[str | UnsetType, Meta(description="deposit.…")] = UNSET
    vout: Annotated[int | UnsetType, Meta(description="deposit.…")] = UNSET
    address: Annotated[str | UnsetType, Meta(description="deposit.…")] = UNSET
    amount: Annotated[responses.Sats | UnsetType, Meta(description="deposit.…: satoshis")] = UNSET
    confirmations: Annotated[int | UnsetType, Meta(description="deposit.…: at that time")] = UNSET
    hours: Annotated[int | UnsetType, Meta(description="balance.low: 24 or 1")] = UNSET
    balance: Annotated[responses.Sats | UnsetType, Meta(description="balance.low: satoshis at that time")] = UNSET
    runs_out_at: Annotated[responses.Time | UnsetType, Meta(description="balance.low: when the money runs out")] = UNSET
    destination: Annotated[str | UnsetType, Meta(description="action.disabled: where it went")] = UNSET
    delivery_id: Annotated[int | UnsetType, Meta(description="delivery.parked: its id in GET /deliveries")] = UNSET


_OWN = frozenset(Event.__struct_fields__[5:])


def page(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Event]:
    """An account's events with ids above `after`, oldest first."""
    rows = events.of_account(tx, account_id, after=after, limit=limit)
    ids = [row["message_id"] for row in rows if row["message_id"] is not None]
    found = messages.by_ids(tx, ids) if ids else {}
    return [_event(row, found.get(row["message_id"])) for row in rows]


def _event(row: Row, message: Row | None) -> Event:
    data: dict[str, Any] = json.loads(row["data"])
    e164 = message["e164"] if message else data.get("e164")
    if "runs_out_at_us" in data:
        data["runs_out_at"] = iso(data["runs_out_at_us"])
    event = Event(row["id"], iso(row["at_us"]), row["kind"], e164)
    if message is not None and row["kind"].startswith("message"):
        event.message = responses.full_message(message)
    for name in _OWN & data.keys():
        setattr(event, name, data[name])
    return event


def server_sent(event: Event) -> bytes:
    """The event as Server-Sent Events write it: its id is the position to go on from."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, event.kind.encode(), msgspec.json.encode(event))
