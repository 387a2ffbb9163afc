"""The shapes of the service's JSON. Results are plain dicts; these say which keys they have.

Amounts and costs are whole satoshis; times are ISO 8601 in UTC with microseconds."""

from __future__ import annotations

from typing import Literal, TypedDict


class Account(TypedDict):
    """What account() returns."""

    balance: int


class Address(TypedDict):
    """A Bitcoin deposit address."""

    address: str


class Group(TypedDict):
    """A group of phone numbers; a cost is None where the group does not support what it is for."""

    id: str
    type: Literal["mobile", "local"]
    name: str
    country_code: str
    sms_support: bool
    voice_support: bool
    setup_cost: int
    rental_cost_per_minute: int
    cost_per_inbound_message: int | None
    cost_per_inbound_call_minute: int | None


# 'from' is a keyword, so the shapes that have it can't be written as classes.
Message = TypedDict(
    "Message",
    {"from": str, "to": str, "content": str, "timestamp": str, "success": bool | None, "cost": int},
)
Message.__doc__ = "A message inside a number; success is None while a sent one is on its way."

FullMessage = TypedDict(
    "FullMessage",
    {
        "from": str,
        "to": str,
        "content": str | None,
        "timestamp": str,
        "success": bool | None,
        "cost": int,
        "id": int,
        "e164": str,
        "inbound": bool,
        "status": str,
    },
)
FullMessage.__doc__ = (
    "A message with its id, the rented number it belongs to, its direction and its status; content is None once erased."
    " `status` is 'received'; or, of a sent one, 'queued', 'sent', 'delivered', 'failed', 'in_doubt' (the carrier may have"
    " taken it and has not said so: it is paid, and not sent again) or 'unknown' (the carrier never said)."
)

SentMessage = TypedDict("SentMessage", {"from": str, "to": str, "content": str | None})
SentMessage.__doc__ = "What the simulated carrier took for another phone; content is None once erased."


class Number(TypedDict):
    """A phone number this account rents now; messages are oldest first."""

    e164: str
    group_id: str
    sms: bool
    cost_per_minute: int
    cost_per_inbound_message: int | None
    assignment_start: str
    sms_forwarded_to: str | None
    messages: list[Message]


class Transaction(TypedDict):
    """Why satoshis moved; balance is what was left afterwards."""

    id: int
    timestamp: str
    kind: str
    amount: int
    balance: int
    reference: str


class _Event(TypedDict):
    id: int
    timestamp: str
    kind: str
    e164: str | None


class Event(_Event, total=False):
    """Something that happened to the account; e164 is None if it is about no number. Which keys follow the first
    four depends on the kind: 'message', 'message.status', 'deposit.seen', 'deposit.credited', 'deposit.reversed',
    'deposit.gone', 'balance.low', 'rental.ended', 'action.disabled', 'delivery.parked'."""

    message: FullMessage
    status: str
    reason: str
    txid: str
    vout: int
    address: str
    amount: int
    confirmations: int
    hours: int
    balance: int
    runs_out_at: str
    destination: str
    delivery_id: int


class Attempt(TypedDict):
    """One attempt at a delivery; status is the receiver's HTTP status, None without an answer."""

    at: str
    duration_ms: float
    status: int | None
    reason: str
    reply: str | None


class Delivery(TypedDict):
    """An SMS on its way to a webhook or a phone, or an event to the account's webhook (e164 None): state is 'waiting',
    'delivered', 'parked', 'in_doubt' (a carrier may have the SMS, and has not said so) or 'unknown' (it never said)."""

    id: int
    e164: str | None
    kind: str
    destination: str
    state: str
    message_id: int | None
    created_at: str
    next_attempt_at: str | None
    finished_at: str | None
    reason: str | None
    attempts: list[Attempt]


class Deposit(TypedDict):
    """A payment seen on the chain, credited or still waiting for confirmations."""

    txid: str
    vout: int
    address: str
    amount: int
    confirmations: int
    status: str


class Usage(TypedDict):
    """What runs now costs per minute, when the balance ends (None: never), and what is owed.

    `debt`: satoshis owed after a deposit that had been spent left the chain. Every credit pays it first."""

    balance: int
    cost_per_minute: int
    runs_out_at: str | None
    debt: int


class Clock(TypedDict):
    """The sandbox's time after sandbox.advance()."""

    now: str


class SandboxClock(TypedDict):
    """The sandbox's time. `offset_s`: how many seconds it is ahead of the real time."""

    now: str
    offset_s: float
