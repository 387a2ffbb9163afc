"""Delivery receipts: from TLVs (SMPP 3.4 §5.3.2.12, §5.3.2.35) or from the text of appendix B. Pure."""

import re

from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.pdu import DataSm, Sm, Tag
from dtmf_server.core.arrival import Receipt

_TYPE, _RECEIPT, _INTERMEDIATE = 0x3C, 0x04, 0x20  # of esm_class (§5.2.12)
# message_state (§5.2.28) and the word of appendix B; what is not here is not final: on its way, or unknown.
_STATES = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 8: "REJECTD"}
_FAILED = {
    "EXPIRED": "the phone was not reached in time",
    "DELETED": "the carrier deleted it",
    "UNDELIV": "the phone can't be reached",
    "REJECTD": "the carrier rejected it",
}
_id = re.compile(rb"\bid:\s*([^\s:]+)", re.IGNORECASE).search
_stat = re.compile(rb"\bstat:\s*([A-Za-z]{1,10})", re.IGNORECASE).search
_err = re.compile(rb"\berr:\s*([0-9A-Za-z]{1,10})", re.IGNORECASE).search


def is_receipt(body: Sm | DataSm) -> bool:
    """Whether this is the SMSC's word about a message, not a message."""
    return body.esm_class & _TYPE in (_RECEIPT, _INTERMEDIATE)


def receipt_of(body: Sm | DataSm) -> Receipt | None:
    """What the receipt says; None while the message is on its way, or where it does not say which message."""
    text = contents(body).octets
    ref, state = _ref(body, text), _state(body, text)
    if ref is None or (state != "DELIVRD" and state not in _FAILED):
        return None
    reason = "" if state == "DELIVRD" else _FAILED[state] + _error(body, text)
    return Receipt(ref, state == "DELIVRD", reason, body.source_addr)


def _ref(body: Sm | DataSm, text: bytes) -> str | None:
    tlv = (body.tlv(Tag.RECEIPTED_MESSAGE_ID) or b"").partition(b"\0")[0]
    found = tlv or ((match := _id(text)) and match[1])
    return found.decode("latin-1") if found else None


def _state(body: Sm | DataSm, text: bytes) -> str:
    tlv = body.tlv(Tag.MESSAGE_STATE)
    if tlv:
        return _STATES.get(tlv[-1], "")
    match = _stat(text)
    return match[1].decode("ascii").upper() if match else ""


def _error(body: Sm | DataSm, text: bytes) -> str:
    """The network's or the SMSC's own code, for the operator to ask about."""
    tlv = body.tlv(Tag.NETWORK_ERROR_CODE)
    if tlv and len(tlv) == 3:
        return f" (network error {int.from_bytes(tlv[1:], 'big')})"
    match = _err(text)
    return f" (error {match[1].decode('ascii')})" if match and match[1].strip(b"0") else ""
