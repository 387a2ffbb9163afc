"""Rows of the app's lists as SMS and receipts. Pure."""

from dtmf_server.carriers.android import events
from dtmf_server.carriers.android.replies import InboxRow, MessageState
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.core.inbound import InboundMessage, Receipt

_TEXT_ID = "text:"  # begins the ID of an SMS in the app's inbox


def inbound(row: InboxRow, device_id: str, settings: AndroidSettings) -> InboundMessage | None:
    """Return a row of the inbox, the same SMS as in its webhook; None for other rows."""
    kind, _, signed = row.id.partition(":")
    try:
        incoming = events.Incoming(
            device_id=device_id,
            message_id=f"{int(signed) & 0xFFFFFFFF:x}",
            sender=row.sender,
            recipient=row.recipient,
            sim_number=row.sim_number,
            text=row.content_preview,
            received_at=row.created_at,
        )
        sms = events.inbound(incoming, settings)
    except (ValueError, OverflowError):
        return None
    # Without a time it may be for an earlier renter.
    return sms if kind + ":" == _TEXT_ID and sms.received_us is not None else None


def receipt(found: MessageState, carrier: str) -> Receipt | None:
    """Return the receipt for a row of the sent SMS; None for one of another program, and for a state that says nothing."""
    first = found.recipients[0] if found.recipients else None
    phone, reason = (first.phone_number, first.error or "") if first else ("", "")
    return events.receipt(found.id, found.state, carrier=carrier, phone=phone, reason=reason)
