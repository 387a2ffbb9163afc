"""Rows of smsd's tables, and the SMS and receipts that they mean. Pure.

Rules:
1. smsd decodes GSM 7-bit text itself: `Text` holds UTF-16 in hexadecimal for both text codings, and octets for 8bit.
2. Each part of a long SMS has a row of its own and `UDH` says where it stands. `TextDecoded` is not used for parts: smsd
   may write the text of the whole SMS into the first row's.
3. An SMS is known by the modem, sender, receiving time, UDH and text, not by the row's ID: smsd inserts the same SMS again
   if it is killed before it deletes it from the SIM, and IDs begin again in a new database.
4. smsd writes ReceivingDateTime, the time of the SMS centre, in the time zone of its own process.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import NamedTuple

from dtmf_server.carriers.base import CarrierMessage
from dtmf_server.core.inbound import InboundMessage, Part, Receipt
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.sms_encoding import MARK, decode
from dtmf_server.core.sms_segments import cut, segments
from dtmf_server.core.user_data_header import place_of

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_CODINGS = {"Default_No_Compression": "ucs2", "Unicode_No_Compression": "ucs2", "8bit": "binary"}
_FAILED = {"DeliveryFailed", "Error"}
# 3GPP TS 23.040 §9.2.3.15, the permanent errors that say more than "failed".
_REASONS = {65: "incompatible destination", 66: "rejected by the recipient", 70: "the validity period expired"}
_parsed_creator = re.compile(r"dtmf\.[a-z0-9_-]+\.([0-9]{1,19})\.[0-9a-f]{16}\.([0-9]{1,3})\Z").match


class InboxRow(NamedTuple):
    """A row of `inbox` that nothing has processed yet."""

    id: int
    phone_id: str
    sender: str
    received: str
    coding: str
    udh: str
    text: str
    text_decoded: str


class SentRow(NamedTuple):
    """A row of `sentitems`: one segment that smsd sent or gave up."""

    id: int
    creator: str
    phone_id: str
    to: str
    number: int  # from 1
    status: str
    status_error: int  # of the delivery report (3GPP TS 23.040 §9.2.3.15)
    status_code: int = -1  # of the modem (CMS error, TS 27.005 §3.2.5), -1 for none


class OutboxPart(NamedTuple):
    """A segment as `outbox` and `outbox_multipart` have it. `udh` is empty for an SMS of one segment."""

    coding: str
    udh: str
    text: str
    text_decoded: str


def inbound(row: InboxRow, number: str, *, zone: tzinfo | None, now_us: int) -> InboundMessage:
    """Return the SMS of a row for our number, or the part of one. Total: every row has a result."""
    coding = _CODINGS.get(row.coding, "")
    udh, octets = _octets(row.udh) or b"", _octets(row.text)
    place = place_of(udh)
    content: str | Part
    if place and coding and octets is not None:
        content = Part(place, octets, coding, udh=udh)
    elif coding and octets:
        content = decode(octets, coding)
    else:
        unreadable = MARK if row.text or not coding else ""
        content = row.text_decoded.replace("\0", "\u2400") or unreadable
    return InboundMessage(
        number,
        row.sender.replace("\0", ""),
        content,
        carrier_ref=_digest(row.phone_id, row.sender, row.received, row.udh, row.coding, row.text, row.text_decoded),
        received_us=wall_us(row.received, zone, now_us=now_us),
    )


def wall_us(text: str, zone: tzinfo | None, *, now_us: int) -> int | None:
    """Return a time of smsd's as wall µs, never later than now. Of the two meanings that a time has when clocks are set
    back, return the later one that has passed. None for what is not a time."""
    try:
        local = datetime.strptime(text[:19], TIME_FORMAT).replace(tzinfo=zone)
        meanings = [int(local.replace(fold=fold).timestamp() * 1_000_000) for fold in (1, 0)]
    except (ValueError, OverflowError, OSError):
        return None
    return next((meaning for meaning in meanings if meaning <= now_us), now_us)


def creator_prefix(carrier: str) -> str:
    """Return how the CreatorID of every SMS of this carrier begins."""
    return f"dtmf.{carrier}."


def creator_id(carrier: str, message_id: int, message: CarrierMessage) -> str:
    """Return the CreatorID by which an SMS is found again in smsd's tables. It has a digest of the SMS, because another
    database of the service may number its messages alike, and the number of segments."""
    digest = _digest(message.sender, message.to, message.text)[:16]
    return f"{creator_prefix(carrier)}{message_id}.{digest}.{segments(message.text).count}"


def outbox_parts(message_id: int, text: str) -> list[OutboxPart]:
    """Return the segments of a text. smsd sends a row as one segment, so a long text is cut here."""
    coding = "Default_No_Compression" if segments(text).encoding == "gsm7" else "Unicode_No_Compression"
    pieces = cut(text)
    headers = [""]
    if len(pieces) > 1:
        headers = [f"050003{message_id % 256:02X}{len(pieces):02X}{at:02X}" for at in range(1, len(pieces) + 1)]
    hexadecimal = (piece.encode("utf-16-be", "replace").hex().upper() for piece in pieces)
    return [OutboxPart(coding, *part) for part in zip(headers, hexadecimal, pieces, strict=True)]


def receipt(rows: Sequence[SentRow], numbers: Mapping[str, str]) -> Receipt | None:
    """Return the state of an SMS from the rows of its segments; None if they are not an SMS of the service."""
    creator = _parsed_creator(rows[0].creator)
    if not creator:
        return None
    first, reason, delivered = rows[0], "", None
    if failed := [row for row in rows if _is_failed(row)]:
        delivered, reason = False, _reason(failed[0])
    elif len(rows) >= int(creator[2]) and all(row.status == "DeliveryOK" for row in rows):
        delivered = True
    to = numbers.get(first.phone_id, "")
    return Receipt(exact(first.creator), delivered, reason, first.to, to, int(creator[1]))


def _is_failed(row: SentRow) -> bool:
    """Return whether the network surely does not have this segment. A SendingError without a CMS error is a modem that did
    not answer in time: it may have sent the SMS, so the charge stands."""
    return row.status in _FAILED or (row.status == "SendingError" and row.status_code >= 0)


def _reason(row: SentRow) -> str:
    if row.status == "DeliveryFailed":
        said = _REASONS.get(row.status_error, "")
        return f"the network did not deliver the SMS: {said or f'status {row.status_error}'}"
    if row.status == "SendingError":
        return f"the modem could not send the SMS: CMS error {row.status_code}"
    return "smsd could not send the SMS"


def _octets(hexadecimal: str) -> bytes | None:
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        return None


def _digest(*values: str) -> str:
    return blake2b("\0".join(values).encode(errors="surrogatepass"), digest_size=16).hexdigest()
