"""Read a callback: an SMS that was received, or the status of one that was sent. Pure.

An SMS has `Body`; a status does not. Fields of the query of the URL are signed with it, so `message`, which the service
itself put there, is the ID of its own message.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import msgspec

from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackReply, CallbackRequest, CallbackResult
from dtmf_server.carriers.twilio.error_codes import REDACTED, words_of
from dtmf_server.carriers.twilio.signature import verify
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact

FIELDS_MAX = 300
# An empty reply: Twilio would send a text back as an SMS.
REPLY = CallbackReply(204, b"", "text/xml")
# Twilio's SIDs, and the UUIDs of SignalWire. Nothing else may pass: a signature does not say where a name ends and a value
# begins, so a captured request could be repeated with an ID that has the next field appended.
_is_sid = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_is_code = re.compile(r"[0-9]{1,9}").fullmatch
_is_message_id = re.compile(r"[0-9]{1,18}").fullmatch

DELIVERED = {"delivered", "read"}
NOT_DELIVERED = {"undelivered", "failed", "canceled"}
INTERMEDIATE = {"accepted", "scheduled", "queued", "sending", "sent"}


def parse(request: CallbackRequest, *, account_sid: str, token: str, header: str) -> CallbackResult:
    """Verify and read a callback. Raises BadSignature, CallbackRefused."""
    if "application/json" in request.headers.get("content-type", "").lower():
        verify(request, None, token=token, header=header)
        fields = _from_json(request.body)
    else:
        pairs = _pairs(request.body)
        verify(request, pairs, token=token, header=header)
        fields = _from_form(pairs)
    if fields.get("AccountSid") != account_sid:
        raise BadSignature("another account")
    item = _inbound(fields) if "Body" in fields else _receipt(fields, request.url)
    return CallbackResult([item] if item else [], REPLY)


def receipt(sid: str, status: str, code: int | None, *, message_id: int = 0) -> Receipt | None:
    """Return the receipt of a status; None for a status that says nothing about delivery."""
    if status in NOT_DELIVERED:
        reason = words_of(code) or ("the SMS was canceled" if status == "canceled" else "Twilio gave no reason")
        return Receipt(exact(sid), False, reason, message_id=message_id)
    if status in DELIVERED or status in INTERMEDIATE:
        return Receipt(exact(sid), True if status in DELIVERED else None, message_id=message_id)
    return None


def inbound(
    sid: str, *, to: str, sender: str, body: str, media: int, code: int | None, received_us: int | None = None
) -> InboundMessage:
    """Return an SMS. Attachments of an MMS are not fetched; a line of the text says how many there were."""
    lines = [body] if body or not media else []
    if media:
        lines.append(f"[MMS with {media} attachment{'' if media == 1 else 's'}, not shown]")
    return InboundMessage(
        to, sender, "\n".join(lines), carrier_ref=sid, received_us=received_us, redacted=code == REDACTED
    )


def code_of(value: object) -> int | None:
    """Return an error code; None for what is not one, and for 0."""
    text = str(value)
    return int(text) or None if _is_code(text) else None


def _inbound(fields: Mapping[str, str]) -> InboundMessage:
    if not fields.get("To") or "From" not in fields:
        raise CallbackRefused("an SMS without To or From")
    media = fields.get("NumMedia", "")
    return inbound(
        _sid(fields),
        to=fields["To"],
        sender=fields["From"],
        body=fields["Body"],
        media=int(media) if _is_code(media) else 0,
        code=code_of(fields.get("ErrorCode")),
    )


def _receipt(fields: Mapping[str, str], url: str) -> Receipt | None:
    ids = parse_qs(urlsplit(url).query).get("message", [""])
    if len(ids) > 1:
        raise CallbackRefused("two message IDs")
    message_id = int(ids[0]) if _is_message_id(ids[0]) else 0
    status = fields.get("MessageStatus") or fields.get("SmsStatus", "")
    return receipt(_sid(fields), status.lower(), code_of(fields.get("ErrorCode")), message_id=message_id)


def _sid(fields: Mapping[str, str]) -> str:
    sid = fields.get("MessageSid") or fields.get("SmsSid", "")
    if not _is_sid(sid):
        raise CallbackRefused("no message SID")
    return sid


def _pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a form as they are signed: octets, so that a wrong encoding does not change them."""
    parts = [part for part in body.replace(b"+", b" ").split(b"&") if part]
    if len(parts) > FIELDS_MAX:
        raise CallbackRefused("too many fields")
    pairs = []
    for part in parts:
        name, _, value = part.partition(b"=")
        pairs.append((unquote_to_bytes(name), unquote_to_bytes(value)) if b"%" in part else (name, value))
    return pairs


def _from_form(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    different = set(pairs)
    fields = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in different}
    if len(fields) < len(different):
        raise CallbackRefused("a field with two values")
    return fields


def _from_json(body: bytes) -> dict[str, str]:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallbackRefused("not JSON") from error
    if not isinstance(found, dict):
        raise CallbackRefused("not a JSON object")
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int)}
