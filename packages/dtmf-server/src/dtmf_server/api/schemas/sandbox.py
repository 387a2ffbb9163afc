"""The schemas of responses that only a sandbox returns."""

from msgspec import Struct, field

from dtmf_server.api.schemas.responses import Invoice, Time


class PaidInvoice(Invoice):
    """An invoice of the sandbox that was paid, and the preimage that proves it, as a wallet gets it."""

    preimage: str


class SentMessage(Struct):
    """A message sent to another phone."""

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
