"""The shapes of the wire. Field order is the documented order; times are ISO 8601 UTC without offset."""

from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from dtmf_server.core.timestamps import iso

Sats = Annotated[int, Meta(ge=0, description="satoshis", examples=[12345])]
Time = Annotated[str, Meta(description="ISO 8601 UTC without offset", examples=["2018-01-01T01:01:01.000000"])]
E164 = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{1,14}$", description="E.164", examples=["+1234567890"])]

DepositStatus = Literal["pending", "credited", "reversed", "gone"]

encode = msgspec.json.Encoder().encode


# --- answers ----------------------------------------------------------------------------------------------------


class Account(Struct):
    """What the account can spend."""

    balance: Sats


class Address(Struct):
    """A Bitcoin deposit address."""

    address: str


class Group(Struct):
    """Numbers of one kind and country, and what they cost; null where unsupported."""

    id: str
    type: Literal["mobile", "local"]
    name: str
    country_code: str
    sms_support: bool
    voice_support: bool
    setup_cost: Sats
    rental_cost_per_minute: Sats
    cost_per_inbound_message: Sats | None
    cost_per_inbound_call_minute: Sats | None


class Message(Struct):
    """A message of a rented number, sent or received."""

    from_: str = field(name="from")
    to: str
    content: str | None
    timestamp: Time
    success: bool | None
    cost: Sats


class FullMessage(Message):
    """A message with its id, number, direction and status."""

    id: int
    e164: E164
    inbound: bool
    status: Literal["received", "queued", "sent", "delivered", "failed", "in_doubt", "unknown"]


class Number(Struct):
    """A number rented now, with its messages, oldest first."""

    e164: E164
    group_id: str
    sms: bool
    cost_per_minute: Sats
    cost_per_inbound_message: Sats | None
    assignment_start: Time
    sms_forwarded_to: str | None
    messages: list[Message]


class Transaction(Struct):
    """Why satoshis moved, and the balance after."""

    id: int
    timestamp: Time
    kind: str
    amount: Annotated[int, Meta(description="satoshis; negative: charged")]
    balance: Sats
    reference: str


class Deposit(Struct):
    """An output that pays one of the account's addresses."""

    txid: str
    vout: int
    address: str
    amount: Sats
    confirmations: int
    status: DepositStatus


class Usage(Struct):
    """Balance, running cost, when the money runs out (null: never), and what the account owes."""

    balance: Sats
    cost_per_minute: Sats
    runs_out_at: Time | None
    debt: Sats


class Token(Struct):
    """A token of the account, never the token itself."""

    id: int
    label: str
    created_at: Time


class NewTokenAnswer(Struct):
    """A new token, shown this once."""

    id: int
    label: str
    token: str


class NewAccountAnswer(Struct):
    """The token of a new account, shown this once."""

    token: str


class Attempt(Struct):
    """One attempt at a delivery. `status` is the receiver's HTTP status, null without an answer."""

    at: Time
    duration_ms: float
    status: int | None
    reason: str
    reply: Annotated[str | None, Meta(description="the first 1,024 bytes of the answer; null once erased")]


class Delivery(Struct):
    """An SMS on its way to a webhook, a phone it is forwarded to, or the phone it was sent to; or an event on its way
    to the account's own webhook, which is about no number."""

    id: int
    e164: E164 | None
    kind: Literal["webhook", "forward", "send", "test", "event"]
    destination: str
    state: Literal["waiting", "delivered", "parked", "in_doubt", "unknown"]
    message_id: int | None
    created_at: Time
    next_attempt_at: Time | None
    finished_at: Time | None
    reason: str | None
    attempts: list[Attempt]


class AccountWebhook(Struct):
    """Where the account's own events are posted, null for nowhere."""

    url: str | None


class WebhookSecret(Struct):
    """What signs the account's webhooks (Standard Webhooks)."""

    secret: Annotated[str, Meta(examples=["whsec_…"])]


class Replayed(Struct):
    """How many deliveries were queued again."""

    replayed: int


class SentMessage(Struct):
    """A message that left for another phone."""

    from_: str = field(name="from")
    to: str
    content: str | None


class SandboxAdvanced(Struct):
    """The sandbox's new time."""

    now: Time


class SandboxClock(Struct):
    """The sandbox's time, and how many seconds it is ahead of the real time."""

    now: Time
    offset_s: float


class Problem(Struct):
    """An error, as RFC 9457 has it; further members say more (`field`, `balance`, `required`)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


# --- from rows --------------------------------------------------------------------------------------------------


def success(status: str) -> bool | None:
    """Whether a message made it: null while on its way, and while nobody knows."""
    return {"queued": None, "in_doubt": None, "unknown": None, "failed": False}.get(status, True)


def message(row: Any) -> Message:
    """A message in a number."""
    return Message(
        row["sender"],
        row["recipient"],
        row["content"],
        iso(row["at_us"]),
        success(row["status"]),
        row["cost"],
    )


def full_message(row: Any) -> FullMessage:
    """A full message."""
    return FullMessage(
        row["sender"],
        row["recipient"],
        row["content"],
        iso(row["at_us"]),
        success(row["status"]),
        row["cost"],
        row["id"],
        row["e164"],
        bool(row["inbound"]),
        row["status"],
    )


def number(row: Any, messages: list[Message]) -> Number:
    """A rented number."""
    e164, group_id, sms, cost_per_minute, cost_per_message, started_at_us, destination = _number_columns(row)
    return Number(
        e164, group_id, bool(sms), cost_per_minute, cost_per_message, iso(started_at_us), destination, messages
    )


_number_columns = itemgetter(
    *("e164", "group_id", "sms", "cost_per_minute", "cost_per_inbound_message", "started_at_us", "destination")
)


def transaction(row: Any, account_id: int) -> Transaction:
    """A line of the account's statement."""
    sats = row["amount"] if row["credit"] == account_id else -row["amount"]
    return Transaction(row["id"], iso(row["at_us"]), row["kind"], sats, row["balance"], row["reference"])


def deposit(row: Any, confirmations: int) -> Deposit:
    """A deposit."""
    return Deposit(row["txid"], row["vout"], row["address"], row["amount"], confirmations, row["status"])


def group(row: Any) -> Group:
    """A group of the catalog."""
    return Group(
        row["id"],
        row["type"],
        row["name"],
        row["country_code"],
        bool(row["sms_support"]),
        bool(row["voice_support"]),
        row["setup_cost"],
        row["rental_cost_per_minute"],
        row["cost_per_inbound_message"],
        row["cost_per_inbound_call_minute"],
    )
