"""What a deliver_sm or data_sm carries: its octets without header, and its place in a long message. Pure."""

from msgspec import Struct

from dtmf_server.carriers.smpp.pdu import Body, DataSm, Sm, Tag
from dtmf_server.carriers.smpp.text import UDH_INDICATOR
from dtmf_server.core.arrival import Place

_REF_8, _REF_16 = 0x00, 0x08  # information elements of 3GPP TS 23.040 §9.2.3.24


class Contents(Struct, frozen=True):
    """The user data header as it came, the octets after it, and the place of a part (None: a whole message)."""

    udh: bytes
    octets: bytes
    place: Place | None


def contents(body: Sm | DataSm) -> Contents:
    """What the PDU carries, in whichever of the forms that SMSCs use."""
    octets = body.short_message if isinstance(body, Sm) else b""
    if not octets:
        octets = body.tlv(Tag.MESSAGE_PAYLOAD) or b""  # §5.3.2.32: in place of short_message
    udh = b""
    if body.esm_class & UDH_INDICATOR and octets and octets[0] < len(octets):
        udh, octets = octets[: octets[0] + 1], octets[octets[0] + 1 :]
    return Contents(udh, octets, _from_udh(udh) or _from_sar(body))


def _from_udh(udh: bytes) -> Place | None:
    """The place that a header tells, whatever elements (ports, say) stand before or after; the last of several wins."""
    place, at = None, 1
    while at + 2 <= len(udh):
        element, size = udh[at], udh[at + 1]
        value = udh[at + 2 : at + 2 + size]
        if element == _REF_8 and size == len(value) == 3:
            place = _place(value[0], 8, value[1], value[2]) or place
        elif element == _REF_16 and size == len(value) == 4:
            place = _place(int.from_bytes(value[:2], "big"), 16, value[2], value[3]) or place
        at += 2 + size
    return place


def _from_sar(body: Body) -> Place | None:
    """The place that the SAR TLVs tell (§5.3.2.22 to 24)."""
    ref = body.tlv(Tag.SAR_MSG_REF_NUM)
    total, number = body.tlv(Tag.SAR_TOTAL_SEGMENTS), body.tlv(Tag.SAR_SEGMENT_SEQNUM)
    if not (ref and total and number):
        return None
    # Its references are a space of their own: 17 tells them from those of a header.
    return _place(int.from_bytes(ref[-2:], "big"), 17, total[-1], number[-1])


def _place(ref: int, ref_bits: int, total: int, number: int) -> Place | None:
    """None for one of one, and for a place that can't be, which TS 23.040 says to ignore."""
    return Place(ref, ref_bits, total, number) if total > 1 and 1 <= number <= total else None
