"""Events on the phone as SMS and receipts: shared by webhooks and by lists that are read to catch up."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dtmf_server.carriers.android.message_ids import message_id_of
from dtmf_server.carriers.android.settings import ANY_SIM, AndroidSettings
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact

_REASON_MAX = 200  # characters
_UNKNOWN_BEFORE_US = 946_684_800_000_000  # the year 2000: a phone without the SMSC's time says 1970
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DELIVERED = {"Sent": None, "Delivered": True, "Failed": False, "Cancelled": False}
_REASONS = {"Failed": "the phone can't send the SMS", "Cancelled": "the SMS was cancelled on the phone"}
# Android 6 and earlier write offsets like +5:30 and +-5:0.
_time = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+?([+-]?)(\d{1,2}):?(-?\d{1,2}))", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An SMS that the phone received. `recipient` and `sim_number` are None where Android does not say."""

    device_id: str
    message_id: str  # a hash of the SMS: neither unique alone, nor new for a repetition
    sender: str
    recipient: str | None
    sim_number: int | None
    text: str
    received_at: str  # the SMSC's time, to the second


def inbound(sms: Incoming, settings: AndroidSettings) -> InboundMessage:
    """Return the SMS for one of our numbers, or for a SIM that has none. Raises ValueError for an unreadable time.

    The app posts some SMS twice, with the same hash and time. A person who repeats a text does so at another time.
    """
    received_us = wall_us_of(sms.received_at)
    key = json.dumps([sms.device_id, sms.message_id, sms.sender, received_us])
    return InboundMessage(
        destination(sms, settings),
        sms.sender,
        sms.text,
        carrier_ref=hashlib.sha256(key.encode()).hexdigest(),
        received_us=received_us if received_us >= _UNKNOWN_BEFORE_US else None,
    )


def destination(sms: Incoming, settings: AndroidSettings) -> str:
    """Return the number of the SIM. The number that Android says the SIM has may be old, so it only counts if it is in
    `sims`. An SMS for another SIM is counted under a destination that is not a phone number."""
    sims = settings.sims
    if found := sims.get(ANY_SIM) or sims.get(str(sms.sim_number)):
        return found
    if sms.sim_number is None and sms.recipient in sims.values():
        return str(sms.recipient)
    sim = "unknown SIM" if sms.sim_number is None else f"SIM {sms.sim_number % 100}"
    return f"{settings.name}, {sim}"


def receipt(id_: str, state: str, *, carrier: str, phone: str, reason: str) -> Receipt | None:
    """Return the receipt for a state of an SMS that we sent; None for one that another program sent, and for a state that
    says nothing new."""
    message_id = message_id_of(id_, carrier=carrier)
    if message_id is None or state not in _DELIVERED:
        return None
    delivered = _DELIVERED[state]
    said = (reason or _REASONS[state])[:_REASON_MAX] if delivered is False else ""
    return Receipt(exact(id_), delivered, said, phone, message_id=message_id)


def wall_us_of(text: str) -> int:
    """Return an ISO 8601 time with an offset, in wall microseconds. Raises ValueError."""
    found = _time.fullmatch(text)
    if found is None:
        raise ValueError("not a time with an offset")
    at, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=abs(int(minutes or 0))) * (-1 if sign == "-" else 1)
    local = datetime.fromisoformat(at).replace(tzinfo=UTC)
    micros = int((fraction or "0").ljust(6, "0"))
    return (local - _EPOCH - offset) // timedelta(microseconds=1) + micros


def iso_of(wall_us: int) -> str:
    """Return a wall time as the app reads it, rounded down to milliseconds."""
    at = _EPOCH + timedelta(milliseconds=max(0, wall_us) // 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
