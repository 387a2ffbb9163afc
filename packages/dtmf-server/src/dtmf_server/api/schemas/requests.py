"""The shapes of requests' bodies. A field nobody knows is refused: it may be a misspelt one."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from dtmf_server.core.money import SATS_MAX
from dtmf_server.http.validation import LABEL_MAX, TEXT_MAX

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]


class NewRental(Struct, forbid_unknown_fields=True):
    """Which group to rent a number from."""

    group_id: Annotated[str, Meta(min_length=1, max_length=64, examples=["us-mobile"])]


class NewAction(Struct, forbid_unknown_fields=True):
    """Where the number's SMS go: null stores only, a number forwards, a URL is posted to."""

    sms_forwarded_to: Annotated[str, Meta(max_length=2048)] | None


class NewMessage(Struct, forbid_unknown_fields=True):
    """An SMS to send from a rented number."""

    from_: str = field(name="from")
    to: str
    content: Text


class NewToken(Struct, forbid_unknown_fields=True):
    """What the token is for."""

    label: Annotated[str, Meta(min_length=1, max_length=LABEL_MAX)] = "unnamed"


class NewAccountWebhook(Struct, forbid_unknown_fields=True):
    """Where the account's own events are posted: an https URL, or null for nowhere."""

    url: str | None


class ReplaySince(Struct, forbid_unknown_fields=True):
    """From when on parked webhooks are delivered again: ISO 8601 UTC."""

    since: datetime


class TestDelivery(Struct, forbid_unknown_fields=True):
    """Which number's webhook to try."""

    e164: str


class SandboxMessage(Struct, forbid_unknown_fields=True):
    """An SMS as it arrives from another phone; `from` may be a name or short code."""

    to: str
    from_: Annotated[str, Meta(min_length=1, max_length=64)] = field(name="from")
    content: Annotated[str, Meta(max_length=TEXT_MAX)]


class SandboxDeposit(Struct, forbid_unknown_fields=True):
    """Coins from nowhere. Without `confirmations` the answer comes once they are credited."""

    address: Annotated[str, Meta(max_length=128)]
    amount: Annotated[int, Meta(gt=0, le=SATS_MAX)]
    confirmations: Annotated[int, Meta(ge=0, le=144)] | None = None


class SandboxAdvance(Struct, forbid_unknown_fields=True):
    """How far to put the sandbox's clock forward."""

    advance_s: Annotated[float, Meta(ge=0, le=366 * 86400)]
