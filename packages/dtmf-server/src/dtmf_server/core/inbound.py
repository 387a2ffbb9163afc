"""Items received from a carrier: SMS, parts of long SMS, and receipts for SMS that it accepted."""

from msgspec import Struct

from dtmf_server.core.sms_encoding import Coding


class Concatenation(Struct, frozen=True):
    """The position of a part in its long message: `number` of `total`, with a reference of `ref_bits` bits."""

    ref: int
    ref_bits: int
    total: int
    number: int  # from 1


class Part(Struct, frozen=True):
    """A part of a long SMS, undecoded, because a character may be split between two parts."""

    place: Concatenation
    octets: bytes
    coding: Coding
    dcs: int = 0  # as received, like the user data header
    udh: bytes = b""


class InboundMessage(Struct, frozen=True):
    """An SMS for one of our numbers, or a part of a long one. `sender` may be a name or a short code, and is stored as received.

    `carrier_ref` is the carrier's own ID of this SMS: the same on every repetition, and never used for another SMS.
    A carrier without one sets `digest`, of the octets received on the link `link`. Without either, nothing is treated as a
    repetition.
    `received_us` is when the carrier received the SMS, in wall microseconds; None if it does not say. The SMS belongs to
    the rental that was live then. `redacted`: the carrier removed the code from the text, so the SMS is never charged.
    """

    to: str
    sender: str
    content: str | Part
    digest: str = ""
    link: int = 0
    carrier_ref: str = ""
    received_us: int | None = None
    redacted: bool = False

    @property
    def text(self) -> str:
        """The text of a whole SMS. Parts are reassembled before anything reads it."""
        assert isinstance(self.content, str), "a part has no text of its own"
        return self.content


class Receipt(Struct, frozen=True):
    """The state of an SMS that the carrier accepted under the reference `ref`.

    `delivered` is None for an intermediate state: the carrier has the SMS and is still delivering it. `sender` is the phone
    it went to, `to` the number it was sent from, `message_id` our own ID of it; each where the carrier repeats it.
    """

    ref: str
    delivered: bool | None
    reason: str = ""
    sender: str = ""
    to: str = ""
    message_id: int = 0
