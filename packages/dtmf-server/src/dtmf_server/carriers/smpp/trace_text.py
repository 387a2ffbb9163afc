"""PDUs as `dtmf-server carriers trace` shows them: decoded, then in hexadecimal; texts, passwords and the middle of phone
numbers are masked in both."""

from dtmf_server.carriers.smpp.codec import decode, layout
from dtmf_server.carriers.smpp.delivery_receipt import is_receipt, receipt_of
from dtmf_server.carriers.smpp.pdu import HEADER_SIZE, RESPONSE, Command, DataSm, Malformed, Pdu, Sm, Tag
from dtmf_server.carriers.smpp.status import Status
from dtmf_server.core.trace import mask_number

_TEXTS = ("short_message", "password", "rest", int(Tag.MESSAGE_PAYLOAD))
_ADDRESSES = ("source_addr", "destination_addr", "esme_addr")
_FIRST, _LAST = 4, 2  # characters of an address that are shown
_HEX_PER_LINE = 32  # octets
_TLV_MAX = 40  # octets shown of a TLV's value


def pdu_text(frame: bytes) -> str:
    """Return a PDU for the operator: one line with its fields, then its octets."""
    try:
        line = " ".join([*_decoded(decode(frame), frame)])
        hidden = _hidden(frame)
    except Malformed as error:
        line, hidden = f"a PDU that can't be decoded ({error.reason})", set(range(HEADER_SIZE, len(frame)))
    octets = ["··" if at in hidden else f"{octet:02x}" for at, octet in enumerate(frame)]
    rows = [" ".join(octets[at : at + _HEX_PER_LINE]) for at in range(0, len(octets), _HEX_PER_LINE)]
    return "\n".join([line, *rows])


def _decoded(pdu: Pdu, frame: bytes) -> list[str]:
    found = [_command(pdu.command), f"sequence={pdu.sequence}"]
    if pdu.command & RESPONSE or pdu.status:
        found.append(_status(pdu.status))
    found += [_field(name, start, end, frame) for name, start, end in layout(frame)]
    if isinstance(pdu.body, Sm | DataSm) and is_receipt(pdu.body, default="gsm7"):
        receipt = receipt_of(pdu.body, default="gsm7")
        outcome = {True: "delivered", False: "failed", None: "pending"}[receipt.delivered] if receipt else "unknown"
        found.append(f"receipt={receipt.ref if receipt else ''}:{outcome}")
    return [each for each in found if each]


def _field(name: str | int, start: int, end: int, frame: bytes) -> str:
    """Return a field or TLV; nothing for an empty field and for 0."""
    value = frame[start:end]
    if isinstance(name, int):
        shown = f"<{len(value)} octets>" if name in _TEXTS else value[:_TLV_MAX].hex()
        return f"{_tag(name)}={shown}"
    if not value or (len(value) == 1 and not value[0]):
        return ""
    if name in _TEXTS:
        return f"{name}=<{len(value)} octets>"
    if len(value) == 1 and (value[0] < 0x20 or name.endswith(("_class", "_coding", "_ton", "_npi", "_version"))):
        return f"{name}={value[0]}"
    text = value.decode("latin-1")
    return f"{name}={mask_number(text) if name in _ADDRESSES else text}"


def _hidden(frame: bytes) -> set[int]:
    """Return the offsets of the octets to mask."""
    found: set[int] = set()
    for name, start, end in layout(frame):
        if name in _TEXTS:
            found.update(range(start, end))
        elif name in _ADDRESSES and mask_number(text := frame[start:end].decode("latin-1")) != text:
            found.update(range(start + _FIRST, end - _LAST))
    return found


def _command(command: int) -> str:
    return Command(command).name.lower() if command in Command._value2member_map_ else f"command 0x{command:08x}"


def _status(status: int) -> str:
    return Status(status).name if status in Status._value2member_map_ else f"status=0x{status:08x}"


def _tag(tag: int) -> str:
    return Tag(tag).name.lower() if tag in Tag._value2member_map_ else f"TLV 0x{tag:04x}"
