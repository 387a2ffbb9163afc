"""The app's webhooks: verify the signature, then read the event. Pure.

The signature is the hexadecimal HMAC-SHA256 of the body followed by X-Timestamp, in seconds. The app signs each attempt
again, so an SMS that waited on the phone for a day has a new timestamp, and an old one is a replay. Replays within the
permitted age are recognized by their ID.
"""

import hashlib
import hmac
import json
import re

import msgspec
from msgspec import Struct

from dtmf_server.carriers.android.events import Incoming, inbound, receipt
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest, CallbackResult
from dtmf_server.core.units import SECOND_US

UNSUPPORTED = {"mms:received": "MMS", "mms:downloaded": "MMS", "sms:data-received": "data SMS"}
HEARTBEATS = ("system:ping", "app:started")
STATES = {"sms:sent": "Sent", "sms:delivered": "Delivered", "sms:failed": "Failed", "sms:cancelled": "Cancelled"}

_is_seconds = re.compile(r"[0-9]{1,12}").fullmatch


class _Payload(Struct, rename="camel"):
    message_id: str = ""
    sender: str | None = None
    recipient: str | None = None
    phone_number: str | None = None  # the sender or the recipient, in versions of the app without these
    sim_number: int | None = None
    message: str | None = None
    received_at: str | None = None
    reason: str | None = None


class _Event(Struct, rename="camel"):
    event: str
    device_id: str = ""
    payload: object = None


def parse(request: CallbackRequest, settings: AndroidSettings) -> CallbackResult:
    """Return the SMS or receipt of a webhook. Raises BadSignature, CallbackRefused."""
    verify(request, settings)
    try:
        event = msgspec.convert(json.loads(request.body.decode()), _Event)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise CallbackRefused(f"no event of the app ({type(error).__name__})") from error
    if settings.device_id and event.device_id != settings.device_id:
        raise CallbackRefused("an event of another device")
    if event.event in HEARTBEATS:
        return CallbackResult(is_heartbeat=True)
    if event.event == "sms:received":
        return _received(event, settings)
    if state := STATES.get(event.event):
        return _state(event, state, settings)
    return CallbackResult(outcome=f"ignored: {UNSUPPORTED.get(event.event, 'other event')}")


def verify(request: CallbackRequest, settings: AndroidSettings) -> None:
    """Raises BadSignature unless the phone signed this request a moment ago."""
    signature, timestamp = request.headers.get("x-signature", ""), request.headers.get("x-timestamp", "")
    if not signature or not timestamp:
        raise BadSignature("no signature")
    signed = request.body + timestamp.encode(errors="replace")
    expected = hmac.new(settings.signing_key.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode(errors="replace")):
        raise BadSignature("wrong signature")
    if not _is_seconds(timestamp):
        raise BadSignature("expired timestamp")
    if abs(request.wall_us - int(timestamp) * SECOND_US) > settings.signature_max_age_s * SECOND_US:
        raise BadSignature("expired timestamp")


def _received(event: _Event, settings: AndroidSettings) -> CallbackResult:
    payload = _payload(event)
    sender = payload.sender or payload.phone_number
    if not payload.message_id or payload.message is None or payload.received_at is None or sender is None:
        raise CallbackRefused("an SMS without ID, sender, text or time")
    incoming = Incoming(
        device_id=event.device_id,
        message_id=payload.message_id,
        sender=sender,
        recipient=payload.recipient,
        sim_number=payload.sim_number,
        text=payload.message,
        received_at=payload.received_at,
    )
    try:
        return CallbackResult([inbound(incoming, settings)])
    except ValueError as error:
        raise CallbackRefused("an SMS with an unreadable time") from error


def _state(event: _Event, state: str, settings: AndroidSettings) -> CallbackResult:
    payload = _payload(event)
    found = receipt(
        payload.message_id,
        state,
        carrier=settings.name,
        phone=payload.recipient or payload.phone_number or "",
        reason=payload.reason or "",
    )
    return CallbackResult([found]) if found else CallbackResult(outcome="ignored: SMS of another program")


def _payload(event: _Event) -> _Payload:
    try:
        return msgspec.convert(event.payload, _Payload)
    except msgspec.ValidationError as error:
        raise CallbackRefused("an event with another payload") from error
