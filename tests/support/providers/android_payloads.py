"""The SMS of a simulated phone, as the app's webhooks and lists have them."""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(at_us: int) -> str:
    """Format a time as the app does, in a time zone that is not ours."""
    at = EPOCH + timedelta(microseconds=at_us) + timedelta(hours=2)
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "+02:00"


def microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@dataclass
class Sms:
    """An SMS that the phone received. `at_us` is the SMSC's time."""

    sender: str
    text: str
    sim: int | None
    recipient: str | None
    at_us: int

    @property
    def hash(self) -> int:
        return zlib.crc32(f"{self.sender}|{self.at_us}|{self.sim}|{self.text}".encode(errors="surrogatepass"))


def received(sms: Sms) -> dict[str, Any]:
    """The payload of sms:received. Android's null values are absent."""
    payload = {
        "messageId": f"{sms.hash:x}",
        "message": sms.text,
        "sender": sms.sender,
        "phoneNumber": sms.sender,
        "recipient": sms.recipient,
        "simNumber": sms.sim,
        "receivedAt": iso(sms.at_us),
    }
    return {name: value for name, value in payload.items() if value is not None}


def inbox_row(sms: Sms) -> dict[str, Any]:
    signed = sms.hash - 2**32 if sms.hash >= 2**31 else sms.hash
    row = {
        "id": f"text:{signed}",
        "type": "SMS",
        "sender": sms.sender,
        "recipient": sms.recipient,
        "simNumber": sms.sim,
        "contentPreview": sms.text,
        "createdAt": iso(sms.at_us),
    }
    return {name: value for name, value in row.items() if value is not None}
