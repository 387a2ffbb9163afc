"""What a carrier brings: an SMS, a part of a long one, or word of what became of an SMS that it took."""

from msgspec import Struct

from dtmf_server.core.sms_encoding import Coding


class Concatenation(Struct, frozen=True):
    """Where a part stands in its long message: `number` of `total`, under a reference of so many bits."""

    ref: int
    ref_bits: int
    total: int
    number: int  # from 1


class Part(Struct, frozen=True):
    """A part of a long SMS, undecoded: a character may be split between two of them."""

    place: Concatenation
    octets: bytes
    coding: Coding
    dcs: int = 0  # as it came, like the user data header
    udh: bytes = b""


class InboundMessage(Struct, frozen=True):
    """An SMS for one of our numbers, whole or a part of a long one. `sender` may be a name or short code, kept verbatim.

    `carrier_ref` is the carrier's own id of this SMS, the same each time that the carrier brings it and of no other SMS.
    A carrier that has none gives a `digest` of what came over the wire on the link `link`. Without either, nothing is
    taken for a repetition.
    """

    to: str
    sender: str
    content: str | Part
    digest: str = ""
    link: int = 0
    carrier_ref: str = ""

    @property
    def text(self) -> str:
        """The text of a whole SMS. Parts are reassembled before anyone asks for it."""
        assert isinstance(self.content, str), "a part has no text of its own"
        return self.content


class Receipt(Struct, frozen=True):
    """What became of an SMS that the carrier took under the reference `ref`; `sender` is the phone it went to, `to` the
    number it was sent from, where the carrier says so."""

    ref: str
    delivered: bool
    reason: str = ""
    sender: str = ""
    to: str = ""
