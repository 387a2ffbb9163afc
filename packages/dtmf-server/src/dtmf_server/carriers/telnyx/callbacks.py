"""Read a callback: an SMS that was received, or the state of one that was sent. Pure.

Rules:
1. The signature covers `timestamp|body` and nothing else: not the URL, no other header. So everything comes from the body.
2. Telnyx signs each attempt with a new timestamp; one that is more than AGE_MAX_S off may be a replay.
3. A state names the service's own message by the `webhook_url` that Telnyx repeats in the body. The query of the request
   has the same ID and is not signed, so it is not read.
4. Events of another messaging profile are refused: another application of the same account may have the same URL.
5. Other kinds of events are acknowledged and ignored.
"""

import binascii
import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct, field
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest, CallbackResult
from dtmf_server.carriers.telnyx.error_codes import words_of
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.units import SECOND_US

AGE_MAX_S = 300
SIGNATURE_BYTES = 64
SIGNATURE_HEADER, TIMESTAMP_HEADER = "telnyx-signature-ed25519", "telnyx-timestamp"
MESSAGE_ID_KEY = "message"  # of the query of `webhook_url`

DELIVERED = {"delivered", "read"}
NOT_DELIVERED = {"sending_failed", "delivery_failed", "expired"}
EVENTS_OF_STATE = {"message.sent", "message.finalized"}

_is_timestamp = re.compile(r"[0-9]{1,12}").fullmatch
_is_id = re.compile(r"[!-~]{1,100}").fullmatch
_is_message_id = re.compile(r"[0-9]{1,18}").fullmatch

T = TypeVar("T")


class _Phone(Struct):
    phone_number: str | None = None
    status: str | None = None


class _Error(Struct):
    code: str | int = ""
    title: str | None = None


class _Message(Struct, rename={"sender": "from"}):
    id: str
    messaging_profile_id: str
    sender: _Phone
    to: list[_Phone]
    text: str | None = None
    received_at: datetime | None = None
    media: list[Raw] | None = None
    errors: list[_Error] | None = None
    webhook_url: str | None = None


class _Event(Struct):
    event_type: str
    payload: Raw = field(default_factory=lambda: Raw(b"null"))


class _Envelope(Struct):
    data: _Event


def parse(request: CallbackRequest, *, key: VerifyKey, profile_id: str, callback_url: str | None) -> CallbackResult:
    """Verify and read a callback. `callback_url` is what `webhook_url` of the service's own SMS begins with.
    Raises BadSignature, CallbackRefused."""
    verify(request, key)
    event = _decoded(request.body, _Envelope).data
    if event.event_type != "message.received" and event.event_type not in EVENTS_OF_STATE:
        return CallbackResult()
    message = _decoded(bytes(event.payload), _Message)
    if message.messaging_profile_id != profile_id:
        raise BadSignature("another messaging profile")
    if not _is_id(message.id) or not message.to or not all(each.phone_number for each in message.to):
        raise CallbackRefused("a message without its ID or destination")
    if event.event_type in EVENTS_OF_STATE:
        return CallbackResult([_receipt(message, callback_url)])
    return CallbackResult(_inbound(message))


def verify(request: CallbackRequest, key: VerifyKey) -> None:
    """Raise BadSignature unless Telnyx signed this body within the last AGE_MAX_S. Source: RFC 8032 §5.1.7"""
    timestamp, given = request.headers.get(TIMESTAMP_HEADER, ""), request.headers.get(SIGNATURE_HEADER, "")
    if not timestamp or not given:
        raise BadSignature("no signature")
    if not _is_timestamp(timestamp):
        raise BadSignature("malformed timestamp")
    if abs(request.wall_us - int(timestamp) * SECOND_US) > AGE_MAX_S * SECOND_US:
        raise BadSignature("expired timestamp")
    try:
        signature = b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("malformed signature") from error
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature("malformed signature")
    try:
        key.verify(timestamp.encode() + b"|" + request.body, signature)
    except BadSignatureError as error:
        raise BadSignature("wrong signature") from error


def webhook_url(callback_url: str, message_id: int) -> str:
    """Return the `webhook_url` of an SMS: the callback URL with the service's own ID of the SMS."""
    return f"{callback_url}?{MESSAGE_ID_KEY}={message_id}"


def _decoded(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallbackRefused("not a message event") from error


def _inbound(message: _Message) -> list[InboundMessage]:
    """Return the SMS, once for each number that it was sent to: a group MMS has several."""
    if message.received_at is None:
        raise CallbackRefused("an SMS without its time")
    numbers = list(dict.fromkeys(each.phone_number or "" for each in message.to))
    return [
        InboundMessage(
            number,
            message.sender.phone_number or "",
            _text(message),
            carrier_ref=message.id if len(numbers) == 1 else f"{message.id} {number}",
            received_us=_wall_us(message.received_at),
        )
        for number in numbers
    ]


def _text(message: _Message) -> str:
    """Return the text. Attachments of an MMS are not fetched; a line says how many there were."""
    count = len(message.media or ())
    lines = [message.text or ""] if message.text or not count else []
    if count:
        lines.append(f"[MMS with {count} attachment{'' if count == 1 else 's'}, not shown]")
    return "\n".join(lines)


def _wall_us(at: datetime) -> int:
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * SECOND_US)


def _receipt(message: _Message, callback_url: str | None) -> Receipt:
    """Return the state. The service sends each SMS to one phone. "delivery_unconfirmed" is final and says nothing: the
    mobile network took the SMS and reports no delivery."""
    status = (message.to[0].status or "").lower()
    is_delivered = True if status in DELIVERED else False if status in NOT_DELIVERED else None
    return Receipt(
        exact(message.id),
        is_delivered,
        _reason(message, status) if is_delivered is False else "",
        sender=message.to[0].phone_number or "",
        to=message.sender.phone_number or "",
        message_id=_message_id(message.webhook_url or "", callback_url),
    )


def _reason(message: _Message, status: str) -> str:
    error = next(iter(message.errors or ()), None)
    words = words_of(str(error.code), error.title or "") if error else ""
    return words or ("the SMS expired before it was delivered" if status == "expired" else "Telnyx gave no reason")


def _message_id(url: str, callback_url: str | None) -> int:
    """Return the service's own ID of an SMS, from the `webhook_url` that it was sent with; 0 for another URL."""
    base, _, query = url.partition("?")
    found = parse_qs(query).get(MESSAGE_ID_KEY, []) if base == callback_url else []
    return int(found[0]) if len(found) == 1 and _is_message_id(found[0]) else 0
