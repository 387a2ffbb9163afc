"""Schemas of request bodies. Unknown fields are rejected, because they may be misspelled."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from dtmf_server.core.deposit_amounts import TEXT_MAX as AMOUNT_MAX
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.core.money import SATS_MAX
from dtmf_server.http import validation
from dtmf_server.http.validation import LABEL_MAX, TEXT_MAX

E164 = Annotated[str, validation.e164]
RENTALS_MAX = 1_000_000_000
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX), validation.text]


class Body(Struct, forbid_unknown_fields=True):
    """Base class of request bodies."""

    def validate(self, *, sandbox: bool, e164: str = "") -> None:
        """Run the checks attached to field types. `e164`: the number in the URL. Raises InvalidRequest."""
        for name, wire_name, check in _checks(type(self)):
            check(wire_name, getattr(self, name))


@cache
def _checks(type_: type[Body]) -> list[tuple[str, str, Callable[[str, Any], object]]]:
    """Return Python name, published name and check of each field that has one."""
    types = get_type_hints(type_, include_extras=True)
    return [
        (field.name, field.encode_name, check)
        for field in msgspec.structs.fields(type_)
        for check in getattr(types[field.name], "__metadata__", ())
        if callable(check)
    ]


Minutes = Annotated[int, Meta(ge=1, le=SATS_MAX, description="the rental ends after so many minutes")]
Most = Annotated[int, Meta(ge=1, le=SATS_MAX, description="the most that the rental may cost, messages included")]
Label = Annotated[str, Meta(min_length=1, max_length=LABEL_MAX, description="your name for the rental")]


class NewRental(Body):
    """The group to rent a number from; optionally the number, limits that end the rental, and a name for it."""

    group_id: Annotated[str, Meta(min_length=1, max_length=64, examples=["us-mobile"]), validation.text]
    e164: Annotated[str, Meta(description="rent exactly this number")] | None = None
    max_minutes: Minutes | None = None
    max_sats: Most | None = None
    label: Label | None = None

    def validate(self, *, sandbox: bool, e164: str = "") -> None:
        validation.text("group_id", self.group_id)
        if self.e164 is not None:
            validation.e164("e164", self.e164)
        if self.label is not None:
            validation.line("label", self.label)


class NumberChanges(Body):
    """Changes of a rental, at least one. `sms_forwarded_to` is where SMS go besides being stored: null for nowhere, a phone
    number to forward, a URL for a webhook. Null removes a limit or the label."""

    sms_forwarded_to: Annotated[str, Meta(max_length=2048)] | UnsetType | None = UNSET
    max_minutes: Minutes | UnsetType | None = UNSET
    max_sats: Most | UnsetType | None = UNSET
    label: Label | UnsetType | None = UNSET

    def validate(self, *, sandbox: bool, e164: str = "") -> None:
        if all(value is UNSET for value in (self.sms_forwarded_to, self.max_minutes, self.max_sats, self.label)):
            raise InvalidRequest("sms_forwarded_to", "is missing, and so is every other change")
        if self.sms_forwarded_to is not UNSET:
            validation.action(e164, self.sms_forwarded_to, sandbox=sandbox)
        if isinstance(self.label, str):
            validation.line("label", self.label)


class NewMessage(Body):
    """An SMS to send from a rented number."""

    from_: E164 = field(name="from")
    to: E164
    content: Text


Scope = Literal["read", "rent", "send", "topup", "tokens", "webhooks"]


class NewToken(Body):
    """A name for the new token, and what restricts it. With none of the other fields it is unrestricted; a restricted token
    that creates one passes on what is left out."""

    label: Annotated[str, Meta(min_length=1, max_length=LABEL_MAX), validation.line] = "unnamed"
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=6, description="default: all")] | None = None
    groups: (
        Annotated[
            list[Annotated[str, Meta(min_length=1, max_length=64)]],
            Meta(min_length=1, max_length=100, description="IDs of the groups that it may rent from; default: all"),
        ]
        | None
    ) = None
    expires_at: Annotated[datetime, Meta(description="ISO 8601; UTC if it has no offset")] | None = None
    sats_max: Annotated[int, Meta(gt=0, le=SATS_MAX, description="the most that it may cost in all")] | None = None
    sats_per_day: Annotated[int, Meta(gt=0, le=SATS_MAX, description="the most per day, UTC")] | None = None
    rentals_max: Annotated[int, Meta(gt=0, le=RENTALS_MAX, description="the most rentals that it may start")] | None = (
        None
    )

    def validate(self, *, sandbox: bool, **_: object) -> None:
        validation.line("label", self.label)
        for name, given in (("scopes", self.scopes), ("groups", self.groups)):
            for nth, each in enumerate(given or ()):
                validation.line(name, each)
                if each in (given or ())[:nth]:
                    raise InvalidRequest(name, f"{each!r} is listed twice")
        if self.expires_at is not None:
            validation.since_us("expires_at", self.expires_at)


class Adoption(Body):
    """The number whose rental to adopt."""

    e164: E164


class NewAccountWebhook(Body):
    """The https URL that receives the account's own events; null turns them off."""

    url: str | None

    def validate(self, *, sandbox: bool, **_: object) -> None:
        if self.url is not None:
            validation.webhook("url", self.url, sandbox=sandbox)


class ReplaySince(Body):
    """The earliest creation time of webhooks to retry, ISO 8601 UTC."""

    since: Annotated[datetime, validation.since_us]


class TestDelivery(Body):
    """The number whose webhook to test."""

    e164: E164


class SandboxMessage(Body):
    """An incoming SMS; `from` may be a name or short code."""

    to: E164
    from_: Annotated[str, Meta(min_length=1, max_length=64), validation.line] = field(name="from")
    content: Annotated[str, Meta(max_length=TEXT_MAX), validation.text]


class SandboxDeposit(Body):
    """A simulated deposit. Without `confirmations`, it is confirmed until it is credited."""

    address: Annotated[str, Meta(max_length=128), validation.line]
    amount: Annotated[int, Meta(gt=0, le=SATS_MAX)]
    confirmations: Annotated[int, Meta(ge=0, le=144)] | None = None


class NewInvoice(Body):
    """The amount of a Lightning invoice, in satoshis or a text like `5eur` or `0.001btc`; without it, the payer chooses."""

    amount: (
        Annotated[int, Meta(gt=0, le=SATS_MAX)]
        | Annotated[str, Meta(min_length=1, max_length=AMOUNT_MAX, examples=["5eur"])]
        | None
    ) = None


class NewAccount(Body):
    """Empty to open an account at once, where the operator allows it. `amount`: pay this many satoshis by Lightning, which
    become the balance. `claim`: the secret of a sign-up that is paid."""

    amount: Annotated[int, Meta(gt=0, le=SATS_MAX)] | None = None
    claim: Annotated[str, Meta(min_length=1, max_length=128)] | None = None

    def validate(self, *, sandbox: bool, e164: str = "", wait: float = 0) -> None:
        if self.amount is not None and self.claim is not None:
            raise InvalidRequest("claim", "can't be combined with an amount: send one of them")


class SandboxPayment(Body):
    """An invoice to pay. `amount` defaults to the invoice's; `fault` makes the node behave badly.

    `late`: the payment arrives although the invoice has expired. `twice`: the node reports it twice. `unreported`: the node
    does not report it, and the service finds it when it looks up the invoice.
    """

    invoice: Annotated[str, Meta(min_length=1, max_length=4096), validation.line]
    amount: Annotated[int, Meta(gt=0, le=SATS_MAX)] | None = None
    fault: Literal["late", "twice", "unreported"] | None = None


class SandboxAdvance(Body):
    """How far to move the sandbox's clock forward."""

    advance_s: Annotated[float, Meta(ge=0, le=366 * 86400)]
