"""The contents of a deliver_sm or data_sm: its octets without the header, its position in a long message, and its
national language tables. Pure."""

from collections.abc import Iterator

from msgspec import Struct

from dtmf_server.carriers.smpp.data_coding import UDH_INDICATOR
from dtmf_server.carriers.smpp.pdu import Body, DataSm, Sm, Tag
from dtmf_server.core.inbound import Concatenation

# Information elements of 3GPP TS 23.040 §9.2.3.24.
_REF_8, _REF_16, _SINGLE_SHIFT, _LOCKING_SHIFT = 0x00, 0x08, 0x24, 0x25


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
    place, tables = None, {_LOCKING_SHIFT: 0, _SINGLE_SHIFT: 0}
    for element, size, value in _elements(udh):
        if element in tables and size == len(value) == 1:
            tables[element] = value[0]
        else:
            place = _place_in(element, size, value) or place
    return Contents(udh, octets, place or _from_sar(body), tables[_LOCKING_SHIFT], tables[_SINGLE_SHIFT])


def _elements(udh: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield a header's elements: number, size and value. The value is shorter than the size if the header ends first. If
    an element is repeated, the last one applies."""
    at = 1
    while at + 2 <= len(udh):
        yield udh[at], udh[at + 1], udh[at + 2 : at + 2 + udh[at + 1]]
        at += 2 + udh[at + 1]


def _place_in(element: int, size: int, value: bytes) -> Concatenation | None:
    """Return the part's position from an element that contains one."""
    if element == _REF_8 and size == len(value) == 3:
        return _place(value[0], 8, value[1], value[2])
    if element == _REF_16 and size == len(value) == 4:
        return _place(int.from_bytes(value[:2], "big"), 16, value[2], value[3])
    return None


def _from_sar(body: Body) -> Concatenation | None:
    """Return the position given by the SAR TLVs (§5.3.2.22 to 24)."""
    ref = body.tlv(Tag.SAR_MSG_REF_NUM)
    total, number = body.tlv(Tag.SAR_TOTAL_SEGMENTS), body.tlv(Tag.SAR_SEGMENT_SEQNUM)
    if not (ref and total and number):
        return None
    # SAR references are a separate number space; the width of 17 bits keeps them apart from those in a header.
    return _place(int.from_bytes(ref[-2:], "big"), 17, total[-1], number[-1])


def _place(ref: int, ref_bits: int, total: int, number: int) -> Concatenation | None:
    """Return None for part 1 of 1, and for an impossible position, which TS 23.040 says to ignore."""
    return Concatenation(ref, ref_bits, total, number) if total > 1 and 1 <= number <= total else None
