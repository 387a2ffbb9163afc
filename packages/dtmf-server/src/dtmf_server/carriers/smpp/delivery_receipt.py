"""Parse delivery receipts from TLVs (SMPP 3.4 §5.3.2.12, §5.3.2.35) or from the text format of appendix B. Pure.

Rules:
1. A message is a receipt if its esm_class says so. Otherwise it is a receipt only if it has TLVs that no SMS has:

      receipted_message_id with message_state, or one of them with a text that is empty or has a receipt's fields.

      Text alone never makes a receipt, or an attacker could make an SMS disappear. The exception is an SME

      acknowledgement with a receipt's fields, since its esm_class rules out a normal message.
2. TLVs take precedence over the text. A message_state missing from §5.2.28 is ignored.
3. The text is decoded by its data_coding; field order, spacing and letter case don't matter. `text:` holds the

      renter's own text, so everything after it is ignored, unless the fields follow it.
4. An unknown status word changes nothing, and is reported.
5. The carrier's own status words and pattern (`ReceiptRules`) come first; without a match, the rules above apply.
"""

import re

from msgspec import Struct

from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.data_coding import Alphabet, coding_of
from dtmf_server.carriers.smpp.pdu import DataSm, Sm, Tag
from dtmf_server.carriers.smpp.vendor import Outcome, ReceiptRules, normalized
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.sms_encoding import decode

PLAIN = ReceiptRules()
PATTERN_TEXT_MAX = 1000  # characters searched with the operator's pattern, whose cost is not bounded
_TYPE, _RECEIPT, _INTERMEDIATE, _ACKNOWLEDGEMENTS = 0x3C, 0x04, 0x20, (0x08, 0x10)  # of esm_class (§5.2.12)
# message_state (§5.2.28, and SMPP 5.0 §4.7.15) mapped to the words of appendix B.
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
# Status words from appendix B and others that carriers use, without spaces and punctuation: why the SMS failed.
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
    """The relevant fields of a receipt's text; empty if missing."""

    id: str
    stat: str
    err: str


def is_receipt(body: Sm | DataSm, *, default: Alphabet = "gsm7", rules: ReceiptRules = PLAIN) -> bool:
    """Return whether this is a delivery receipt rather than a message."""
    kind = body.esm_class & _TYPE
    if kind in (_RECEIPT, _INTERMEDIATE):
        return True
    has_id, has_state = bool(_receipted_id(body)), bool(body.tlv(Tag.MESSAGE_STATE))
    if has_id and has_state:
        return True
    if not (has_id or has_state or kind in _ACKNOWLEDGEMENTS):
        return False
    fields = _fields(body, default, rules)
    if fields.stat and (fields.id or has_id):
        return True
    return (has_id or has_state) and not contents(body).octets


def receipt_of(body: Sm | DataSm, *, default: Alphabet = "gsm7", rules: ReceiptRules = PLAIN) -> Receipt | None:
    """Return the receipt; None if the message is still in transit, or the receipt does not identify a message."""
    fields = _fields(body, default, rules)
    ref, state = _receipted_id(body) or fields.id, _state(body, fields, rules)
    outcome = _outcome(state, rules)
    if not ref or outcome not in ("delivered", "failed"):
        return None
    is_delivered = outcome == "delivered"
    reason = "" if is_delivered else _REASONS.get(state, _FAILED) + _error(body, fields)
    return Receipt(ref, is_delivered, reason, body.source_addr)


def unknown_word(body: Sm | DataSm, *, default: Alphabet = "gsm7", rules: ReceiptRules = PLAIN) -> str:
    """Return the receipt's status word if it is unknown, else ''."""
    state = _state(body, _fields(body, default, rules), rules)
    return state if _outcome(state, rules) is None else ""


def _outcome(state: str, rules: ReceiptRules) -> Outcome | None:
    """Return what a status word means: to this carrier, else in general; None for an unknown word."""
    if state in rules.words:
        return rules.words[state]
    if state in _DELIVERED:
        return "delivered"
    return "failed" if state in _REASONS else "pending" if state in _ON_THE_WAY or not state else None


def _receipted_id(body: Sm | DataSm) -> str:
    return (body.tlv(Tag.RECEIPTED_MESSAGE_ID) or b"").partition(b"\0")[0].decode("latin-1").strip()


def _state(body: Sm | DataSm, fields: _Fields, rules: ReceiptRules) -> str:
    """Return the status word in capitals; '' if there is none."""
    tlv = body.tlv(Tag.MESSAGE_STATE)
    if tlv and 1 <= tlv[-1] < len(_STATES):
        return _STATES[tlv[-1]]
    word = normalized(fields.stat)
    is_number = len(word) == 1 and word in "0123456789" and word not in rules.words
    return _STATES[int(word)] if is_number else word


def _error(body: Sm | DataSm, fields: _Fields) -> str:
    """Return the network's or the SMSC's own error code, which the operator can ask the carrier about."""
    tlv = body.tlv(Tag.NETWORK_ERROR_CODE)
    if tlv and len(tlv) == 3:
        return f" (network error {int.from_bytes(tlv[1:], 'big')})"
    return f" (error {fields.err})" if fields.err.strip("0") else ""


def _fields(body: Sm | DataSm, default: Alphabet, rules: ReceiptRules) -> _Fields:
    octets = contents(body).octets
    found = _Fields("", "", "")
    for text in _readings(octets, body.data_coding, default):
        if rules.pattern and (match := rules.pattern.search(text[:PATTERN_TEXT_MAX])):
            groups = match.groupdict()
            return _Fields(*(groups.get(name) or "" for name in ("id", "stat", "err")))
        found = _in_text(text)
        if found.id or found.stat:
            break
    return found


def _readings(octets: bytes, data_coding: int, default: Alphabet) -> tuple[str, str, str]:
    """Decode the text as its data_coding says, and in the encodings to try if that is wrong. Identifiers and words are
    ASCII, which GSM 7-bit shares except for `_`, which decodes as a control character."""
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
    # If fields also follow `text:`, they are the carrier's: the last match of each wins.
    return _Fields(*(_value(next(reversed([*found.finditer(text)]), None)) for found in (_ids, _stats, _errs)))


def _value(match: re.Match[str] | None) -> str:
    return match[1] if match else ""
