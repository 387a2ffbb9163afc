"""Reads the permissions from a macaroon of LND.

LND's macaroons are in the binary format, version 2 (gopkg.in/macaroon.v2): fields of type, length and data. The
identifier is a byte with the version, 3, and a protobuf message whose field 3 repeats operations: an entity and its
actions (gopkg.in/macaroon-bakery.v2, id.proto). Caveats can only take permissions away, so they are not read.
"""

from collections.abc import Iterator

FORMAT_VERSION, ID_VERSION = 2, 3
IDENTIFIER = 2
OPERATIONS, ENTITY, ACTIONS = 3, 1, 2
VARINT, DELIMITED = 0, 2
VARINT_BYTES_MAX = 10


def permissions(macaroon: bytes) -> list[str]:
    """Return the permissions, like "invoices:read", sorted. Raises ValueError if it is not a macaroon of LND."""
    found = []
    for kind, operation in _fields(_identifier(macaroon)):
        if kind == OPERATIONS:
            texts = [(each, text.decode()) for each, text in _fields(operation)]
            (entity,) = [text for each, text in texts if each == ENTITY]
            found += [f"{entity}:{text}" for each, text in texts if each == ACTIONS]
    return sorted(found)


def _identifier(macaroon: bytes) -> bytes:
    if macaroon[:1] != bytes([FORMAT_VERSION]):
        raise ValueError("not a macaroon in the binary format, version 2")
    at = 1
    while at < len(macaroon) and macaroon[at]:
        kind, (length, at) = macaroon[at], _varint(macaroon, at + 1)
        data, at = macaroon[at : at + length], at + length
        if kind == IDENTIFIER:
            if len(data) != length or data[:1] != bytes([ID_VERSION]):
                raise ValueError("not a macaroon with permissions, version 3")
            return data[1:]
    raise ValueError("a macaroon without an identifier")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        if tag & 7 == VARINT:
            continue
        if tag & 7 != DELIMITED or at + length > len(message):
            raise ValueError("a malformed identifier")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number without an end")
