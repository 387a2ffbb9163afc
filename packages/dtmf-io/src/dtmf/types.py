"""The types of the service's JSON objects. Results are plain dicts with these keys.

Amounts and costs are whole satoshis. Times are ISO 8601 in UTC with microseconds."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict, final


class Account(TypedDict):
    """The result of account()."""

    balance: int


class Address(TypedDict):
    """A Bitcoin deposit address."""

    address: str


class Group(TypedDict):
    """A group of phone numbers. A cost is None if the group does not support the feature."""

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


class GroupDetails(Group):
    """One group in detail. `available` counts free numbers up to 1,000. `line_type` is 'mobile', 'landline', 'voip' or None
    if unknown. `monthly_cap` is the most that one rental's minutes cost per 30 days, None without a cap. For
    `reclaim_days` after your balance ran out, only you can rent the number again. If a rental ends within
    `refund_within_minutes` and nothing came, `refund_share` of its minutes is returned, and with `refunds_setup` of its
    setup fee; None without refunds. `short_codes` and `one_time_codes` say
    whether SMS from short codes and one-time codes arrived in the last test: 'yes', 'no' or 'untested'; the times of the
    tests are None if untested. `rentals`, `received_share` (rentals with an SMS from outside within a day) and
    `median_seconds` (from the start to that SMS) are of the last 30 days, None under 20 rentals."""

    available: int
    line_type: Literal["mobile", "landline", "voip"] | None
    monthly_cap: int | None
    reclaim_days: int
    refund_within_minutes: int | None
    refund_share: float | None
    refunds_setup: bool
    short_codes: Literal["yes", "no", "untested"]
    short_codes_tested_at: str | None
    one_time_codes: Literal["yes", "no", "untested"]
    one_time_codes_tested_at: str | None
    rentals: int | None
    received_share: float | None
    median_seconds: int | None


class AvailableNumber(TypedDict):
    """A number that can be rented now."""

    e164: str


# 'from' is a keyword, so types with that key can't be written as classes.
Message = TypedDict(
    "Message",
    {"from": str, "to": str, "content": str, "timestamp": str, "success": bool | None, "cost": int},
)
Message.__doc__ = "A message inside a Number. `success` is None while a sent message is in transit."

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
        "reason": str | None,
    },
)
FullMessage.__doc__ = (
    "A message with its id, rented number, direction and status. `content` is None after erasure. `status` of a received"
    " message is 'received'; of a sent one 'queued', 'sent', 'delivered', 'failed', 'in_doubt' (the carrier may have"
    " accepted it without confirming: it is charged and not sent again) or 'unknown' (the carrier never confirmed)."
    " `reason` says why it failed or why its outcome is unknown, or that the carrier removed the code from a received"
    " message; None otherwise. It may quote the carrier: treat it as untrusted text, at most 200 characters."
)

SentMessage = TypedDict("SentMessage", {"from": str, "to": str, "content": str | None})
SentMessage.__doc__ = (
    "A message that the simulated carrier accepted for another phone. `content` is None after erasure."
)


class Number(TypedDict):
    """A phone number that the account rents now. Its messages are sorted oldest first. `label`, `max_minutes` and `max_sats`
    are there if set; with `max_sats` also `spent` and `remaining`, in satoshis. `ends_at`: when a limit ends the rental if
    no more messages come."""

    e164: str
    group_id: str
    sms: bool
    cost_per_minute: int
    cost_per_inbound_message: int | None
    assignment_start: str
    sms_forwarded_to: str | None
    label: NotRequired[str]
    max_minutes: NotRequired[int]
    max_sats: NotRequired[int]
    spent: NotRequired[int]
    remaining: NotRequired[int]
    ends_at: NotRequired[str]
    messages: list[Message]


class Transaction(TypedDict):
    """A change of the balance, with its reason. `balance` is the balance after it."""

    id: int
    timestamp: str
    kind: str
    amount: int
    balance: int
    reference: str


class _Event(TypedDict):
    id: int
    timestamp: str


@final
class MessageEvent(_Event):
    """An SMS arrived, or was sent ('message'); or the status of a sent one changed ('message.status')."""

    kind: Literal["message", "message.status"]
    e164: str
    message: FullMessage
    status: NotRequired[str]
    reason: NotRequired[str]


@final
class DepositEvent(_Event):
    """A deposit was seen, credited, reversed, or is gone from the chain."""

    kind: Literal["deposit.seen", "deposit.credited", "deposit.reversed", "deposit.gone"]
    e164: None
    amount: int
    method: NotRequired[Literal["bitcoin", "lightning"]]
    txid: NotRequired[str]
    vout: NotRequired[int]
    address: NotRequired[str]
    confirmations: NotRequired[int]
    invoice_id: NotRequired[int]
    payment_hash: NotRequired[str]


@final
class BalanceLowEvent(_Event):
    """The balance lasts less than `hours`, 24 or 1."""

    kind: Literal["balance.low"]
    e164: None
    hours: int
    balance: int
    runs_out_at: str
    shortfall: int
    topup_url: str


@final
class PriceChangingEvent(_Event):
    """The price of a rental changes, at least 7 days later."""

    kind: Literal["price.changing"]
    e164: str
    effective_at: str
    cost_per_minute: int
    cost_per_inbound_message: int | None


@final
class RentalEndedEvent(_Event):
    """A rental ended."""

    kind: Literal["rental.ended"]
    e164: str
    reason: str


@final
class RentalRefundedEvent(_Event):
    """A rental that received nothing was refunded, in part or in full."""

    kind: Literal["rental.refunded"]
    e164: str
    amount: int


@final
class ActionDisabledEvent(_Event):
    """A webhook was switched off: a number's, or the account's (`e164` is None)."""

    kind: Literal["action.disabled"]
    e164: str | None
    destination: str
    reason: str


@final
class DeliveryParkedEvent(_Event):
    """A delivery was parked."""

    kind: Literal["delivery.parked"]
    e164: str | None
    delivery_id: int
    reason: str


Event: TypeAlias = (
    MessageEvent
    | DepositEvent
    | BalanceLowEvent
    | PriceChangingEvent
    | RentalEndedEvent
    | RentalRefundedEvent
    | ActionDisabledEvent
    | DeliveryParkedEvent
)
"""An event of the account, of the type that its `kind` names. Ignore kinds that you don't know."""


class Attempt(TypedDict):
    """One attempt of a delivery. `status` is the receiver's HTTP status, None if there was no response."""

    at: str
    duration_ms: float
    status: int | None
    reason: str
    reply: str | None


class Delivery(TypedDict):
    """The delivery of an SMS to a webhook or a phone, or of an event to the account's webhook (`e164` is None).
    `state` is 'waiting', 'delivered', 'parked', 'in_doubt' (a carrier may have accepted the SMS without confirming) or
    'unknown' (the carrier never confirmed)."""

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


class NewToken(TypedDict):
    """A new token. `token` is shown only once."""

    id: int
    label: str
    token: str


class _Token(TypedDict):
    id: int
    label: str
    created_at: str


class Token(_Token, total=False):
    """A token, without the token itself. Only a restricted one has the other keys. `reserved`: what its live rentals may
    cost in all; `spent`: what those that ended cost; `today`: what counts against `sats_per_day`."""

    ended_at: str
    created_by: int | None
    scopes: list[str]
    groups: list[str] | None
    expires_at: str | None
    sats_max: int | None
    sats_per_day: int | None
    rentals_max: int | None
    reserved: int
    spent: int
    today: int
    rentals_started: int


class Deposit(TypedDict):
    """A payment on the blockchain, credited or waiting for confirmations."""

    txid: str
    vout: int
    address: str
    amount: int
    confirmations: int
    status: str


class SignUp(TypedDict):
    """The invoice that opens an account. `claim` is the secret that claims it, `expires_at` the invoice's expiry in UTC."""

    invoice: str
    payment_hash: str
    amount: int
    expires_at: str
    claim: str


class Invoice(TypedDict):
    """A Lightning invoice. `amount` is None if the payer chooses it. `status` is 'open', 'settled' or 'expired'."""

    id: int
    payment_hash: str
    invoice: str
    amount: int | None
    status: str
    created_at: str
    expires_at: str


class Usage(TypedDict):
    """The cost of all current rentals per minute, when the balance runs out (None: never), and the debt.

    `debt`: satoshis owed: a spent deposit was reversed, or the operator debited more. Every credit pays it first.
    `suspended`: whether the operator has suspended the account, which can then only be read and topped up."""

    balance: int
    cost_per_minute: int
    runs_out_at: str | None
    debt: int
    suspended: bool


class Clock(TypedDict):
    """The result of sandbox.advance(): the sandbox's time."""

    now: str


class SandboxClock(TypedDict):
    """The sandbox's time. `offset_s`: how many seconds it is ahead of the real time."""

    now: str
    offset_s: float
