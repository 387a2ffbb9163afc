"""Map data_coding values to codings, and encode text for submit_sm. Pure."""

from dataclasses import dataclass
from typing import Literal

from dtmf_server.carriers.smpp.pdu import Tag, Tlv
from dtmf_server.core import sms_segments
from dtmf_server.core.sms_encoding import Coding, encode_gsm7

Alphabet = Literal["gsm7", "latin1", "ascii", "utf8"]
Segmentation = Literal["udh8", "udh16", "sar", "payload"]

UDH_INDICATOR = 0x40  # in esm_class (§5.2.12)
# data_coding (§5.2.19). 0 is the SMSC's default alphabet, which the operator configures.
_TABLE: dict[int, Coding] = {
    0x01: "ascii",
    0x02: "binary",
    0x03: "latin1",
    0x04: "binary",
    0x05: "japanese",
    0x06: "cyrillic",
    0x07: "hebrew",
    0x08: "ucs2",
    0x09: "binary",
    0x0A: "japanese",
    0x0D: "japanese",
    0x0E: "korean",
}
_GENERAL: tuple[Coding, ...] = ("gsm7", "binary", "ucs2", "gsm7")
_ENCODERS = {"latin1": "latin-1", "ascii": "ascii", "utf8": "utf-8"}


def coding_of(dcs: int, *, default: Alphabet) -> Coding:
    """Return the coding for a data_coding value.

    Values outside SMPP's own table follow the bit groups of 3GPP TS 23.038 §4: 0xF0 and 0xF1 are GSM 7-bit,
    regardless of the default alphabet. Reserved values are read as GSM 7-bit, as that section requires.
    """
    if dcs == 0:
        return default
    if dcs < 0x10:
        return _TABLE.get(dcs, default)
    if dcs < 0x80:  # general data coding; 0x40 to 0x7F is the same, for messages to be deleted after reading
        return "binary" if dcs & 0x20 else _GENERAL[dcs >> 2 & 3]  # compressed text is treated as binary
    if dcs >= 0xF0:  # message class, with one bit for the alphabet
        return "binary" if dcs & 0x04 else "gsm7"
    return "ucs2" if dcs >> 4 == 0xE else "gsm7"  # "message waiting"


@dataclass(frozen=True, slots=True)
class Segment:
    """The contents of one submit_sm: data_coding, the esm_class bits to set, short_message, TLVs."""

    dcs: int
    esm_class: int
    octets: bytes
    tlvs: tuple[Tlv, ...] = ()


def segments(text: str, *, ref: int, alphabet: Alphabet, segmentation: Segmentation) -> list[Segment]:
    """Split a text into the contents of its submit_sm PDUs. `core/sms_segments.py` counts the same number for billing,
    except that a 16-bit reference, or an SMSC whose default alphabet is not GSM 7-bit, may need one more in rare cases."""
    if segmentation == "payload":
        return [_payload(text, alphabet)]
    header_octets = 7 if segmentation == "udh16" else sms_segments.HEADER_OCTETS
    pieces = sms_segments.cut(text, header_octets=header_octets)
    encoded = _in_default(pieces, alphabet)
    dcs = 0
    if encoded is None:
        pieces = sms_segments.cut(text, header_octets=header_octets, encoding="ucs2")
        dcs, encoded = 0x08, [_ucs2(piece) for piece in pieces]
    if len(encoded) == 1:
        return [Segment(dcs, 0, encoded[0])]
    total = len(encoded)
    if total > 255:
        raise ValueError(f"a text of {total} segments is too long: at most 255")
    return [
        _segment(dcs, octets, ref=ref, total=total, number=number, segmentation=segmentation)
        for number, octets in enumerate(encoded, 1)
    ]


def _segment(dcs: int, octets: bytes, *, ref: int, total: int, number: int, segmentation: Segmentation) -> Segment:
    if segmentation == "sar":  # §5.3.2.22 to 24
        tlvs = (
            (int(Tag.SAR_MSG_REF_NUM), (ref & 0xFFFF).to_bytes(2, "big")),
            (int(Tag.SAR_TOTAL_SEGMENTS), bytes((total,))),
            (int(Tag.SAR_SEGMENT_SEQNUM), bytes((number,))),
        )
        return Segment(dcs, 0, octets, tlvs)
    if segmentation == "udh16":  # 3GPP TS 23.040 §9.2.3.24.8
        udh = b"\x06\x08\x04" + (ref & 0xFFFF).to_bytes(2, "big") + bytes((total, number))
    else:  # §9.2.3.24.1
        udh = bytes((5, 0, 3, ref & 0xFF, total, number))
    return Segment(dcs, UDH_INDICATOR, udh + octets)


def _payload(text: str, alphabet: Alphabet) -> Segment:
    """Return the whole text in one PDU, for an SMSC that splits it itself (§5.3.2.32)."""
    encoded = _in_default([text], alphabet)
    dcs, octets = (0x08, _ucs2(text)) if encoded is None else (0, encoded[0])
    if len(octets) <= sms_segments.GSM7_SINGLE if dcs == 0 else len(octets) <= sms_segments.OCTETS:
        return Segment(dcs, 0, octets)
    return Segment(dcs, 0, b"", ((int(Tag.MESSAGE_PAYLOAD), octets),))


def _in_default(pieces: list[str], alphabet: Alphabet) -> list[bytes] | None:
    """Encode the pieces in the SMSC's default alphabet. None if they don't fit that alphabet, or GSM 7-bit, which is
    used over the air."""
    if sms_segments.segments("".join(pieces)).encoding != "gsm7":
        return None
    try:
        if alphabet == "gsm7":
            return [encode_gsm7(piece) for piece in pieces]
        return [piece.encode(_ENCODERS[alphabet]) for piece in pieces]
    except UnicodeEncodeError:
        return None


def _ucs2(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")
