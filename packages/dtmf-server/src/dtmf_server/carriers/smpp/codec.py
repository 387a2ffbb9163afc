"""Encode and decode PDUs (SMPP 3.4 §3.2). Pure; `pdu.py` has the rules."""

import struct
from typing import Any

from dtmf_server.carriers.smpp.hints import no_smpp
from dtmf_server.carriers.smpp.pdu import (
    HEADER_SIZE,
    INTEGER,
    OCTETS,
    PDU_SIZE_MAX,
    RESPONSE,
    SHAPES,
    Body,
    LostFrames,
    Malformed,
    Pdu,
    Raw,
    Tlv,
)

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")


class Frames:
    """Split a byte stream into PDUs, regardless of how the network fragmented it. `lost` is set on an impossible length:
    the frame boundaries after it are unknown, and the link must be closed."""

    def __init__(self) -> None:
        self.lost: LostFrames | None = None
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add received octets; return every PDU that is now complete."""
        self._buffer += data
        whole, at = [], 0
        while self.lost is None and len(self._buffer) - at >= 4:
            size = int.from_bytes(self._buffer[at : at + 4], "big")
            if not HEADER_SIZE <= size <= PDU_SIZE_MAX:
                self.lost = LostFrames(no_smpp(size))
            elif len(self._buffer) - at < size:
                break
            else:
                whole.append(bytes(self._buffer[at : at + size]))
                at += size
        del self._buffer[: len(self._buffer) if self.lost else at]
        return whole


def decode(frame: bytes) -> Pdu:
    """Decode one PDU, from its command_length to its end. Raises Malformed."""
    if len(frame) < HEADER_SIZE:
        raise LostFrames(f"a PDU of {len(frame)} octets has no header")
    size, command, status, sequence = _HEADER.unpack_from(frame)
    if size != len(frame):
        raise LostFrames(f"{len(frame)} octets have the command_length {size}")
    try:
        body = _read(SHAPES.get(command, Raw), frame, is_response=bool(command & RESPONSE))
    except Malformed as error:
        raise Malformed(error.reason, command=command, sequence=sequence) from None
    return Pdu(command, sequence, body, status)


def layout(frame: bytes) -> list[tuple[str | int, int, int]]:
    """Return where each field of a PDU is: its name, or the tag of a TLV, and the offsets of its value. Raises Malformed."""
    pdu = decode(frame)
    found: list[tuple[str | int, int, int]] = []
    at = HEADER_SIZE
    for name, room in pdu.body.FIELDS if len(frame) > HEADER_SIZE else ():
        start = at
        _, at = _field(frame, at, name, room)
        found.append((name, start + (room == OCTETS), at - (room > 0)))
    at = len(frame) - len(pdu.body.rest) - sum(_TLV.size + len(value) for _, value in pdu.body.tlvs)
    for tag, value in pdu.body.tlvs:
        found.append((tag, at + _TLV.size, at + _TLV.size + len(value)))
        at += _TLV.size + len(value)
    return [*found, ("rest", at, len(frame))]


def encode(pdu: Pdu) -> bytes:
    """Encode a PDU. Raises ValueError for a value that does not fit its field."""
    parts = [_written(name, room, getattr(pdu.body, name)) for name, room in pdu.body.FIELDS]
    for tag, value in pdu.body.tlvs:
        if len(value) > 0xFFFF:
            raise ValueError(f"a TLV 0x{tag:04x} of {len(value)} octets is too long")
        parts += (_TLV.pack(tag, len(value)), value)
    body = b"".join([*parts, pdu.body.rest])
    if HEADER_SIZE + len(body) > PDU_SIZE_MAX:
        raise ValueError(f"a PDU of {len(body)} octets is too long")
    return _HEADER.pack(HEADER_SIZE + len(body), pdu.command, pdu.status, pdu.sequence) + body


def _read(shape: type[Body], frame: bytes, *, is_response: bool) -> Body:
    if shape is Raw:
        return Raw(rest=frame[HEADER_SIZE:])
    if is_response and len(frame) == HEADER_SIZE:
        return shape()
    values: dict[str, Any] = {}
    at = HEADER_SIZE
    for name, room in shape.FIELDS:
        values[name], at = _field(frame, at, name, room)
    tlvs, at = _tlvs(frame, at)
    return shape(**values, tlvs=tlvs, rest=frame[at:])


def _field(frame: bytes, at: int, name: str, room: int) -> tuple[int | str | bytes, int]:
    """Return a field's value and the offset of the next field."""
    if room > 0:
        end = frame.find(0, at)
        if end < 0:
            raise Malformed(f"{name} has no end")
        return frame[at:end].decode("latin-1"), end + 1
    if at >= len(frame):
        raise Malformed(f"{name} is missing")
    if room == INTEGER:
        return frame[at], at + 1
    end = at + 1 + frame[at]
    if end > len(frame):
        raise Malformed(f"{name} is cut short")
    return frame[at + 1 : end], end


def _tlvs(frame: bytes, at: int) -> tuple[tuple[Tlv, ...], int]:
    """Return the complete TLVs and the offset where they end. Some SMSCs write a NUL after short_message: skip it if the
    octets after it parse as TLVs to the end, and those starting at it do not."""
    found, end = _whole_tlvs(frame, at)
    if end < len(frame) and not frame[at]:
        after, after_end = _whole_tlvs(frame, at + 1)
        if after and after_end == len(frame):
            return after, after_end
    return found, end


def _whole_tlvs(frame: bytes, at: int) -> tuple[tuple[Tlv, ...], int]:
    found = []
    while at + 4 <= len(frame):
        tag, size = _TLV.unpack_from(frame, at)
        if at + 4 + size > len(frame):
            break
        found.append((tag, frame[at + 4 : at + 4 + size]))
        at += 4 + size
    return tuple(found), at


def _written(name: str, room: int, value: Any) -> bytes:
    if room == INTEGER:
        if not 0 <= value <= 0xFF:
            raise ValueError(f"{name} is {value}: an octet holds 0 to 255")
        return bytes((value,))
    if room == OCTETS:
        if len(value) > 254:
            raise ValueError(f"{name} has {len(value)} octets: at most 254 fit")
        return bytes((len(value),)) + bytes(value)
    if "\0" in value or len(value) >= room:
        raise ValueError(f"{name} must have fewer than {room} characters, and no NUL")
    return str(value).encode("latin-1") + b"\0"  # UnicodeEncodeError is a ValueError
