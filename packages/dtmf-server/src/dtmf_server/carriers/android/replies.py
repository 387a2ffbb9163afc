"""Objects in replies of the app's API."""

from msgspec import Struct, field


class SimCard(Struct, rename="camel"):
    """A SIM in the phone. `phone_number` is what Android knows, often nothing."""

    sim_number: int
    phone_number: str | None = None
    carrier_name: str | None = None


class Device(Struct, rename="camel"):
    """A phone. `last_seen` is when a server last heard of it; in local mode it is the present."""

    id: str
    name: str = ""
    last_seen: str | None = None
    sim_cards: list[SimCard] | None = None


class Recipient(Struct, rename="camel"):
    """How far an SMS got for one recipient."""

    phone_number: str = ""
    state: str = ""
    error: str | None = None


class MessageState(Struct, rename="camel"):
    """An SMS that was sent with the phone."""

    id: str
    state: str
    recipients: list[Recipient] = field(default_factory=list)


class InboxRow(Struct, rename="camel"):
    """An SMS that the phone received. `content_preview` is its whole text; `id` is `text:` and a signed hash."""

    id: str
    sender: str
    created_at: str
    content_preview: str = ""
    recipient: str | None = None
    sim_number: int | None = None
