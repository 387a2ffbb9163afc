"""The contents of a deliver_sm or data_sm: its octets without the header, its position in a long message, and its
national language tables. Pure."""

from msgspec import Struct

from dtmf_server.carriers.smpp.data_coding import UDH_INDICATOR
from dtmf_server.carriers.smpp.pdu import Body, DataSm, Sm, Tag
from dtmf_server.core.inbound import Concatenation
from dtmf_server.core.user_data_header import elements, place, place_in

# Information elements of 3GPP TS 23.040 §9.2.3.24.
_SINGLE_SHIFT, _LOCKING_SHIFT = 0x24, 0x25


class Contents(Struct, frozen=True):
    """The user data header as received, the octets after it, the part's position (None for a complete message), and the
    numbers of the national language tables (0 for the default ones)."""

    udh: bytes
    octets: bytes
    place: Concatenation | None
    locking: int = 0
    single: int = 0


def contents(body: Sm | DataSm) -> Contents:
    """Return the contents of the PDU, in any of the forms that SMSCs use."""
    octets = body.short_message if isinstance(body, Sm) else b""
    if not octets:
        octets = body.tlv(Tag.MESSAGE_PAYLOAD) or b""  # §5.3.2.32: in place of short_message
    udh = b""
    if body.esm_class & UDH_INDICATOR and octets and octets[0] < len(octets):
        udh, octets = octets[: octets[0] + 1], octets[octets[0] + 1 :]
    found, tables = None, {_LOCKING_SHIFT: 0, _SINGLE_SHIFT: 0}
    for element, size, value in elements(udh):
        if element in tables and size == len(value) == 1:
            tables[element] = value[0]
        else:
            found = place_in(element, size, value) or found
    return Contents(udh, octets, found or _from_sar(body), tables[_LOCKING_SHIFT], tables[_SINGLE_SHIFT])


def _from_sar(body: Body) -> Concatenation | None:
    """Return the position given by the SAR TLVs (§5.3.2.22 to 24)."""
    ref = body.tlv(Tag.SAR_MSG_REF_NUM)
    total, number = body.tlv(Tag.SAR_TOTAL_SEGMENTS), body.tlv(Tag.SAR_SEGMENT_SEQNUM)
    if not (ref and total and number):
        return None
    # SAR references are a separate number space; the width of 17 bits keeps them apart from those in a header.
    return place(int.from_bytes(ref[-2:], "big"), 17, total[-1], number[-1])
