"""Delivery receipts: from TLVs (SMPP 3.4 §5.3.2.12, §5.3.2.35) or from the text of appendix B. Pure.

Rules:
1. A message whose esm_class says so is a receipt. One whose esm_class does not is a receipt only if it has TLVs that no
   SMS has: receipted_message_id with message_state, or one of them with a text that is empty or has the fields of a
   receipt. Text alone never makes one, or anyone could have an SMS swallowed; an SME acknowledgement with the fields of
   a receipt is the exception, since its esm_class says that it is no message.
2. TLVs beat the text. A message_state that §5.2.28 does not have is ignored.
3. The text is read by its data_coding, in any order, spacing and letter case of its fields. `text:` holds what the
   renter wrote, so nothing from there on is a field, unless the fields stand behind it.
4. A status word that is not known changes nothing, and is reported.
"""

import re

from msgspec import Struct

from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.data_coding import Alphabet, coding_of
from dtmf_server.carriers.smpp.pdu import DataSm, Sm, Tag
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.sms_encoding import decode

_TYPE, _RECEIPT, _INTERMEDIATE, _ACKNOWLEDGEMENTS = 0x3C, 0x04, 0x20, (0x08, 0x10)  # of esm_class (§5.2.12)
# message_state (§5.2.28, and SMPP 5.0 §4.7.15) as words of appendix B.
_STATES = (
    "SCHEDULED",
    "ENROUTE",
    "DELIVRD",
    "EXPIRED",
    "DELETED",
    "UNDELIV",
    "ACCEPTD",
    "UNKNOWN",
    "REJECTD",
    "SKIPPED",
)
_UNREACHED, _EXPIRED, _DELETED = (
    "the phone can't be reached",
    "the phone was not reached in time",
    "the carrier deleted it",
)
_REJECTED, _FAILED, _CANCELLED = (
    "the carrier rejected it",
    "the carrier could not deliver it",
    "the carrier cancelled it",
)
# Status words, those of appendix B and others that carriers write, without spaces and signs: why the SMS failed.
_REASONS = {
    **dict.fromkeys(("UNDELIV", "UNDELIVERABLE", "UNDELIVERED", "UNDELIVRD", "UNDELIVERD", "UNDELIVE"), _UNREACHED),
    **dict.fromkeys(("UNDELIVERAB", "UNDLVRD", "UNDELVRD", "NOTDELIVERED", "NOTDELIV", "NONDELIVERED"), _UNREACHED),
    **dict.fromkeys(("EXPIRED", "EXPIRD", "TIMEDOUT"), _EXPIRED),
    **dict.fromkeys(("DELETED", "DELETD", "DELETE"), _DELETED),
    **dict.fromkeys(("REJECTD", "REJECTED", "REJECT", "REJCTD", "REJCTED"), _REJECTED),
    **dict.fromkeys(("FAILED", "FAIL", "FAILURE", "DELIVERYFAILED", "DELIVERYFAILURE"), _FAILED),
    **dict.fromkeys(("CANCELLED", "CANCELED", "CANCELD"), _CANCELLED),
}
_DELIVERED = {"DELIVRD", "DELIVERED", "DELIVERD", "DELIVRED", "DLVRD", "DELIVRDED", "DELIVEREDTOHANDSET"}
_ON_THE_WAY = {
    *("ENROUTE", "ACCEPTD", "ACCEPTED", "ACCEPT", "ACKED", "ACK", "BUFFRED", "BUFFERD", "BUFFERED", "SCHEDULED"),
    *("QUEUED", "PENDING", "SENT", "SUBMITTED", "SUBMITD", "INTRANSIT", "PROCESSING", "UNKNOWN", "UNKNOWND", "SKIPPED"),
}
_NAMES = r"(?:id|sub|dlvrd|submit\s*date|done\s*date|stat(?:us|e)?|err(?:or)?|text)"
_VALUE = rf"\s*[:=]\s*(?!{_NAMES}\s*[:=])"
_ids = re.compile(rf"(?<![^\W_])(?:message_?|msg_?)?id{_VALUE}[\"'<]?([^\s\"'<>,;|]+)", re.IGNORECASE)
_stats = re.compile(rf"\bstat(?:us|e)?{_VALUE}[\"'<]?([A-Za-z][A-Za-z_-]{{0,30}}|[0-9](?![0-9]))", re.IGNORECASE)
_errs = re.compile(rf"\berr(?:or)?{_VALUE}[\"'<]?([0-9A-Za-z]{{1,10}})", re.IGNORECASE)
_text = re.compile(r"\btext\s*[:=]", re.IGNORECASE)


class _Fields(Struct, frozen=True):
    """The fields of a receipt's text that matter; empty where it has none."""

    id: str
    stat: str
    err: str


def is_receipt(body: Sm | DataSm, *, default: Alphabet = "gsm7") -> bool:
    """Whether this is the carrier's report about a message, not a message."""
    kind = body.esm_class & _TYPE
    if kind in (_RECEIPT, _INTERMEDIATE):
        return True
    has_id, has_state = bool(_receipted_id(body)), bool(body.tlv(Tag.MESSAGE_STATE))
    if has_id and has_state:
        return True
    if not (has_id or has_state or kind in _ACKNOWLEDGEMENTS):
        return False
    fields = _fields(body, default)
    if fields.stat and (fields.id or has_id):
        return True
    return (has_id or has_state) and not contents(body).octets


def receipt_of(body: Sm | DataSm, *, default: Alphabet = "gsm7") -> Receipt | None:
    """What the receipt says; None while the message is on its way, or where it does not say which message."""
    fields = _fields(body, default)
    ref, state = _receipted_id(body) or fields.id, _state(body, fields)
    if not ref or (state not in _DELIVERED and state not in _REASONS):
        return None
    reason = "" if state in _DELIVERED else _REASONS[state] + _error(body, fields)
    return Receipt(ref, state in _DELIVERED, reason, body.source_addr)


def unknown_word(body: Sm | DataSm, *, default: Alphabet = "gsm7") -> str:
    """The receipt's status word if it is none that is known, else ''."""
    state = _state(body, _fields(body, default))
    return "" if state in _DELIVERED or state in _REASONS or state in _ON_THE_WAY else state


def _receipted_id(body: Sm | DataSm) -> str:
    return (body.tlv(Tag.RECEIPTED_MESSAGE_ID) or b"").partition(b"\0")[0].decode("latin-1").strip()


def _state(body: Sm | DataSm, fields: _Fields) -> str:
    """The status word in capitals; '' where there is none."""
    tlv = body.tlv(Tag.MESSAGE_STATE)
    if tlv and 1 <= tlv[-1] < len(_STATES):
        return _STATES[tlv[-1]]
    if fields.stat.isdigit():
        return _STATES[int(fields.stat)]
    return re.sub("[_-]", "", fields.stat).upper()


def _error(body: Sm | DataSm, fields: _Fields) -> str:
    """The network's or the SMSC's own code, for the operator to ask about."""
    tlv = body.tlv(Tag.NETWORK_ERROR_CODE)
    if tlv and len(tlv) == 3:
        return f" (network error {int.from_bytes(tlv[1:], 'big')})"
    return f" (error {fields.err})" if fields.err.strip("0") else ""


def _fields(body: Sm | DataSm, default: Alphabet) -> _Fields:
    octets = contents(body).octets
    found = _Fields("", "", "")
    for text in _readings(octets, body.data_coding, default):
        found = _in_text(text)
        if found.id or found.stat:
            break
    return found


def _readings(octets: bytes, data_coding: int, default: Alphabet) -> tuple[str, str, str]:
    """The text as its data_coding says, and as it may be where that is wrong. Identifiers and words are ASCII, which
    GSM 7-bit shares but for `_`, which comes as a control character."""
    coding = coding_of(data_coding, default=default)
    plain = octets.decode("latin-1")
    if coding == "gsm7":
        plain = plain.replace("\x11", "_")
    return (decode(octets, coding) if coding == "ucs2" else plain, plain, octets.replace(b"\0", b"").decode("latin-1"))


def _in_text(text: str) -> _Fields:
    before = text
    if renter_s := _text.search(text):
        before = text[: renter_s.start()]
    if _ids.search(before) or _stats.search(before):
        return _Fields(*(_value(found.search(before)) for found in (_ids, _stats, _errs)))
    # The fields stand behind `text:`, if anywhere: the last of each is the carrier's.
    return _Fields(*(_value(next(reversed([*found.finditer(text)]), None)) for found in (_ids, _stats, _errs)))


def _value(match: re.Match[str] | None) -> str:
    return match[1] if match else ""
