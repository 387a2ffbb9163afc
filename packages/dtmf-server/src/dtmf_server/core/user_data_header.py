"""The user data header of an SMS, in which the parts of a long one are numbered (3GPP TS 23.040 §9.2.3.24). Pure."""

from collections.abc import Iterator

from dtmf_server.core.inbound import Concatenation

_REF_8, _REF_16 = 0x00, 0x08


def elements(udh: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield a header's elements: number, size and value. The value is shorter than the size if the header ends first. If
    an element is repeated, the last one applies."""
    at = 1
    while at + 2 <= len(udh):
        yield udh[at], udh[at + 1], udh[at + 2 : at + 2 + udh[at + 1]]
        at += 2 + udh[at + 1]


def place_in(element: int, size: int, value: bytes) -> Concatenation | None:
    """Return the part's position from an element that contains one."""
    if element == _REF_8 and size == len(value) == 3:
        return place(value[0], 8, value[1], value[2])
    if element == _REF_16 and size == len(value) == 4:
        return place(int.from_bytes(value[:2], "big"), 16, value[2], value[3])
    return None


def place(ref: int, ref_bits: int, total: int, number: int) -> Concatenation | None:
    """Return None for part 1 of 1, and for an impossible position, which TS 23.040 says to ignore."""
    return Concatenation(ref, ref_bits, total, number) if total > 1 and 1 <= number <= total else None


def place_of(udh: bytes) -> Concatenation | None:
    """Return the position of the part that has this header; None for a whole SMS."""
    found = None
    for element, size, value in elements(udh):
        found = place_in(element, size, value) or found
    return found
