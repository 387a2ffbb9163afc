"""Schemas of responses. Field order is the documented order; times are ISO 8601 UTC without offset."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from dtmf_server.core.body_templates import masked
from dtmf_server.core.lightning import MSAT
from dtmf_server.core.timestamps import iso
from dtmf_server.operations.catalog import Details
from dtmf_server.storage import rentals

Sats = Annotated[int, Meta(ge=0, description="satoshis", examples=[12345])]
Time = Annotated[str, Meta(description="ISO 8601 UTC without offset", examples=["2018-01-01T01:01:01.000000"])]
E164 = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{1,14}$", description="E.164", examples=["+1234567890"])]

DepositStatus = Literal["pending", "credited", "reversed", "gone"]
InvoiceStatus = Literal["open", "settled", "expired"]

encode = msgspec.json.Encoder().encode


# --- schemas ----------------------------------------------------------------------------------------------------


class Account(Struct):
    """The balance that the account can spend."""

    balance: Sats


class Address(Struct):
    """A Bitcoin deposit address."""

    address: str


class Group(Struct):
    """A group of numbers of one type and country, with prices; null if unsupported."""

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


Tested = Literal["yes", "no", "untested"]


class GroupDetails(Group):
    """A group with its terms, its free numbers, and how its rentals of the last 30 days went; null for fewer than 20."""

    available: Annotated[int, Meta(ge=0, le=1000, description="free numbers, counted up to 1000")]
    line_type: Literal["mobile", "landline", "voip"] | None
    monthly_cap: Annotated[int, Meta(description="the most that one rental's minutes cost per 30 days")] | None
    reclaim_days: Annotated[
        int, Meta(description="days after a run-out in which only the last renter can rent the number")
    ]
    refund_within_minutes: Annotated[int, Meta(description="rentals that end this soon and unused are refunded")] | None
    refund_share: Annotated[float, Meta(description="the share of an unused rental's minutes that is returned")] | None
    refunds_setup: Annotated[bool, Meta(description="whether the same share of the setup fee is returned")]
    short_codes: Annotated[Tested, Meta(description="whether an SMS from a short code arrived in the last test")]
    short_codes_tested_at: Time | None
    one_time_codes: Annotated[Tested, Meta(description="whether a one-time code arrived in the last test")]
    one_time_codes_tested_at: Time | None
    rentals: int | None
    received_share: Annotated[float, Meta(description="rentals that got an SMS from outside within a day")] | None
    median_seconds: Annotated[int, Meta(description="from the start to the first SMS from outside")] | None


class AvailableNumber(Struct):
    """A number that can be rented now."""

    e164: E164


class Message(Struct):
    """A message of a rented number, sent or received."""

    from_: str = field(name="from")
    to: str
    content: str | None
    timestamp: Time
    success: bool | None
    cost: Sats


class FullMessage(Message):
    """A message with its id, number, direction and status. `reason` says why it failed, why its outcome is unknown, or what
    the carrier did to its text; null otherwise. It may quote the carrier, in at most 200 characters."""

    id: int
    e164: E164
    inbound: bool
    status: Literal["received", "queued", "sent", "delivered", "failed", "in_doubt", "unknown"]
    reason: str | None


class Number(Struct, kw_only=True):
    """A number rented now, with its messages, oldest first. A label and limits are there if they are set."""

    e164: E164
    group_id: str
    sms: bool
    cost_per_minute: Sats
    cost_per_inbound_message: Sats | None
    assignment_start: Time
    sms_forwarded_to: str | None
    label: Annotated[str | UnsetType, Meta(description="your name for the rental")] = UNSET
    max_minutes: Annotated[int | UnsetType, Meta(description="the rental ends after so many minutes")] = UNSET
    max_sats: Annotated[int | UnsetType, Meta(description="the most that it may cost, messages included")] = UNSET
    spent: Annotated[int | UnsetType, Meta(description="with max_sats: satoshis that it has cost")] = UNSET
    remaining: Annotated[int | UnsetType, Meta(description="with max_sats: satoshis that are left")] = UNSET
    ends_at: Annotated[Time | UnsetType, Meta(description="when a limit ends it, if no more messages come")] = UNSET
    messages: list[Message]


class Transaction(Struct):
    """A booked transaction, with the balance after it."""

    id: int
    timestamp: Time
    kind: str
    amount: Annotated[int, Meta(description="satoshis; negative for a charge")]
    balance: Sats
    reference: str


class Deposit(Struct):
    """A Bitcoin output that pays one of the account's addresses."""

    txid: str
    vout: int
    address: str
    amount: Sats
    confirmations: int
    status: DepositStatus


class Invoice(Struct):
    """A Lightning invoice that tops up the account."""

    id: int
    payment_hash: str
    invoice: Annotated[str, Meta(description="BOLT 11")]
    amount: Annotated[int | None, Meta(description="satoshis; null: the payer chooses")]
    status: InvoiceStatus
    created_at: Time
    expires_at: Time


class WantedInvoice(Struct):
    """The id of an invoice that the node is to create."""

    id: int


class Usage(Struct):
    """Balance, cost per minute, when the balance runs out (null: never), debt, and whether the account is suspended."""

    balance: Sats
    cost_per_minute: Sats
    runs_out_at: Time | None
    debt: Sats
    suspended: bool


class NewTokenAnswer(Struct):
    """A new token, shown only once."""

    id: int
    label: str
    token: str


class SignInLinkAnswer(Struct):
    """A link to the website that signs in once, within a day, shown only once."""

    path: Annotated[str, Meta(description="relative to the address of the service")]


class Attempt(Struct):
    """One attempt at a delivery. `status` is the receiver's HTTP status; null if it didn't respond."""

    at: Time
    duration_ms: float
    status: int | None
    reason: str
    reply: Annotated[str | None, Meta(description="the first 1,024 bytes of the response; null once erased")]


class Delivery(Struct):
    """The delivery of an SMS to a webhook or phone, or of an event to the account's own webhook (`e164` is null)."""

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
    """The URL that receives the account's own events; null if none is set."""

    url: str | None


class WebhookSecret(Struct):
    """The secret that signs the account's webhooks (Standard Webhooks)."""

    secret: Annotated[str, Meta(examples=["whsec_…"])]


class Replayed(Struct):
    """The number of deliveries queued again."""

    replayed: int


class Problem(Struct):
    """An error (RFC 9457). Some errors have further members, such as `field`, `balance` or `required`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


# --- conversion from rows --------------------------------------------------------------------------------------------------


def success(status: str) -> bool | None:
    """Convert a status to success: None while the message is being sent or its fate is unknown."""
    return {"queued": None, "in_doubt": None, "unknown": None, "failed": False}.get(status, True)


def message(row: Any) -> Message:
    """Convert a row to a message of a number."""
    return Message(
        row["sender"],
        row["recipient"],
        row["content"],
        iso(row["at_us"]),
        success(row["status"]),
        row["cost"],
    )


def full_message(row: Any) -> FullMessage:
    """Convert a row to a full message."""
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
        row["reason"],
    )


def number(row: Any, messages: list[Message], *, now_us: int) -> Number:
    """Convert a row to a rented number, with what its limits have left."""
    found = Number(
        e164=row["e164"],
        group_id=row["group_id"],
        sms=bool(row["sms"]),
        cost_per_minute=row["cost_per_minute"],
        cost_per_inbound_message=row["cost_per_inbound_message"],
        assignment_start=iso(row["started_at_us"]),
        sms_forwarded_to=None if row["destination"] is None else masked(row["destination"]),
        messages=messages,
    )
    if row["label"] is not None:
        found.label = row["label"]
    if row["max_minutes"] is not None or row["max_sats"] is not None:
        _add_limits(found, row, now_us=now_us)
    return found


def _add_limits(number: Number, row: Any, *, now_us: int) -> None:
    limited = rentals.with_limits(row)
    minutes = limited.minutes_at(now_us)
    if limited.max_minutes is not None:
        number.max_minutes = limited.max_minutes
    if (left := limited.left(minutes)) is not None:
        number.max_sats, number.spent, number.remaining = row["max_sats"], limited.spent(minutes), left
    if row["limit_at_us"] is not None:
        number.ends_at = iso(row["limit_at_us"])


def transaction(row: Any, account_id: int) -> Transaction:
    """Convert a row to a transaction of this account."""
    sats = row["amount"] if row["credit"] == account_id else -row["amount"]
    return Transaction(row["id"], iso(row["at_us"]), row["kind"], sats, row["balance"], row["reference"])


def invoice(row: Any, *, now_us: int) -> Invoice:
    """Convert a row to an invoice."""
    is_open = row["state"] == "open" and now_us < row["expires_at_us"]
    return Invoice(
        row["id"],
        row["payment_hash"],
        row["bolt11"],
        None if row["amount_msat"] is None else row["amount_msat"] // MSAT,
        "settled" if row["state"] == "settled" else "open" if is_open else "expired",
        iso(row["created_at_us"]),
        iso(row["expires_at_us"]),
    )


def deposit(row: Any, confirmations: int) -> Deposit:
    """Convert a row to a deposit."""
    return Deposit(row["txid"], row["vout"], row["address"], row["amount"], confirmations, row["status"])


def group(row: Any) -> Group:
    """Convert a row to a group."""
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


def group_details(found: Details) -> GroupDetails:
    """Convert a group in detail."""
    row, outcomes = found.group, found.outcomes
    return GroupDetails(
        **msgspec.structs.asdict(group(row)),
        available=found.available,
        line_type=row["line_type"],
        monthly_cap=row["monthly_cap"],
        reclaim_days=row["reclaim_days"],
        refund_within_minutes=row["refund_within_minutes"],
        refund_share=None if row["refund_percent"] is None else row["refund_percent"] / 100,
        refunds_setup=found.refunds_setup,
        short_codes=found.short_codes.result,  # type: ignore[arg-type]  # one of the three, by a CHECK of its table
        short_codes_tested_at=None if found.short_codes.at_us is None else iso(found.short_codes.at_us),
        one_time_codes=found.one_time_codes.result,  # type: ignore[arg-type]  # the same
        one_time_codes_tested_at=None if found.one_time_codes.at_us is None else iso(found.one_time_codes.at_us),
        rentals=None if outcomes is None else outcomes.rentals,
        received_share=None if outcomes is None else outcomes.received_share,
        median_seconds=None if outcomes is None else outcomes.median_seconds,
    )
