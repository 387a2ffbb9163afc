"""Apply delivery receipts to the SMS that carriers accepted, matched by the carrier's own reference."""

from collections.abc import Sequence

from msgspec import structs

from dtmf_server.core import canary
from dtmf_server.core.carrier_words import bounded
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.receipt_refs import canonical, spellings
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.operations import send
from dtmf_server.storage import accounts, canaries, in_flight, messages, submissions
from dtmf_server.storage.db import Row, Tx

KEPT_US = 8 * DAY_US  # receipts arrive within the SMSC's validity period, rarely more than 72 h
EARLY_KEPT_US = HOUR_US
REPORTED = "accepted by the carrier, according to its receipt"


def taken(tx: Tx, carrier: str, refs: Sequence[str], *, message_id: int, now_us: int, wall_us: int) -> None:
    """Record that the carrier accepted a message: `refs` are its references for the segments, in order. Receipts that arrived
    before are applied now."""
    for segment, ref in enumerate(refs, 1):
        submissions.put(tx, carrier, message_id, segment, total=len(refs), ref=ref, wall_us=wall_us)
    apply_early(tx, carrier, refs, now_us=now_us, wall_us=wall_us)
    settle_early(tx, message_id, now_us=now_us, wall_us=wall_us)


def apply(tx: Tx, carrier: str, receipt: Receipt, *, now_us: int, wall_us: int) -> None:
    """Update the message: it is delivered once every segment is, and fails and is refunded with the first segment that fails.

    A receipt with an unknown reference settles the SMS in doubt that it identifies by our own ID, or else the oldest one
    in doubt between the same two numbers, unless a test of the operator's was sent between them. One that matches nothing
    yet is stored for a while: it may have arrived before the response to the submit.
    """
    if receipt.message_id >= canary.FIRST_ID:  # of a test of the operator's
        return
    receipt = structs.replace(receipt, reason=bounded(receipt.reason))
    submission = _meant(tx, carrier, receipt)
    message_id = submission["message_id"] if submission else _in_doubt(tx, receipt)
    if message_id is None:
        submissions.add_early(tx, carrier, structs.replace(receipt, ref=canonical(receipt.ref)), wall_us=wall_us)
        return
    if receipt.delivered is False:
        _end_doubt(tx, message_id, state="parked", reason=receipt.reason, now_us=now_us)
        send.failed(tx, message_id, reason=receipt.reason, now_us=now_us)
        return
    if submission is None and (receipt.message_id or receipt.delivered is None):
        _accepted(tx, carrier, message_id, receipt.ref, now_us=now_us, wall_us=wall_us)
        submission = _meant(tx, carrier, receipt)
    if receipt.delivered is None:
        return
    if submission:
        submissions.set_delivered(tx, submission["id"])
    else:
        submissions.put_delivered(tx, carrier, message_id, ref=canonical(receipt.ref), wall_us=wall_us)
    if submissions.has_doubts(tx, message_id) or submissions.taken(tx, message_id) < submissions.expected(
        tx, message_id
    ):
        return
    _end_doubt(tx, message_id, state="delivered", reason=None, now_us=now_us)
    if submissions.all_delivered(tx, message_id):
        send.delivered(tx, message_id, now_us=now_us)
    else:
        send.accepted(tx, message_id, now_us=now_us)


def _accepted(tx: Tx, carrier: str, message_id: int, ref: str, *, now_us: int, wall_us: int) -> None:
    """Record that the carrier has a whole SMS that was in doubt, under one reference."""
    submissions.put(tx, carrier, message_id, 1, total=1, ref=ref, wall_us=wall_us)
    _end_doubt(tx, message_id, state="delivered", reason=None, now_us=now_us)
    send.accepted(tx, message_id, now_us=now_us)


def apply_early(tx: Tx, carrier: str, refs: Sequence[str], *, now_us: int, wall_us: int) -> None:
    """Apply the receipts that arrived before these references were known."""
    every = sorted({spelling for ref in refs if ref for spelling in spellings(ref)})
    for receipt in submissions.take_early(tx, carrier, every) if every else ():
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)


def settle_early(tx: Tx, message_id: int, *, now_us: int, wall_us: int) -> None:
    """Settle SMS in doubt between this message's two numbers by receipts that arrived earlier. Skip this while another such
    SMS is being submitted, because the receipts may belong to it."""
    for carrier, receipt in submissions.take_early_about(tx, message_id):
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)
    message = messages.by_id(tx, message_id)
    assert message is not None, "a submitted message is stored"
    phone = _last_digits(message["recipient"])
    doubts, is_busy = in_flight.between(tx, sender=message["sender"], phone=phone) if phone else ([], False)
    if not doubts or is_busy:
        return
    for carrier, receipt in submissions.take_early_between(tx, sender=message["sender"], phone=phone):
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)


def _in_doubt(tx: Tx, receipt: Receipt) -> int | None:
    """Return the message in doubt to which a receipt with an unknown reference belongs: the one that it identifies, or the
    oldest between its two numbers."""
    if receipt.message_id:
        delivery = in_flight.of_message(tx, receipt.message_id)
        return receipt.message_id if delivery and delivery["state"] in ("in_doubt", "unknown") else None
    phone = _last_digits(receipt.sender)
    if not phone or not receipt.to:
        return None
    doubts, is_busy = in_flight.between(tx, sender=receipt.to, phone=phone)
    if not doubts or is_busy or _is_tested(tx, receipt.to, phone):
        return None
    return doubts[0]


def _is_tested(tx: Tx, sender: str, phone: str) -> bool:
    """Return whether a receipt between these two numbers may be about a test of `carriers check --receive`."""
    return any(_last_digits(sender) == _last_digits(tested) for tested in canaries.senders_to(tx, phone))


def _end_doubt(tx: Tx, message_id: int, *, state: str, reason: str | None, now_us: int) -> None:
    message = messages.by_id(tx, message_id)
    assert message is not None, "the message of a receipt is stored"
    accounts.lock(tx, message["account_id"])
    delivery = in_flight.of_message(tx, message_id)
    if delivery is None or delivery["state"] not in ("in_doubt", "unknown"):
        return
    in_flight.revise(tx, delivery, reason or REPORTED)
    in_flight.finish(tx, delivery["id"], state=state, reason=reason, now_us=now_us)


def _last_digits(phone: str) -> str:
    return phone.lstrip("+0")[-9:]


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete rows that no receipt can refer to any more. Return how many."""
    return submissions.forget(tx, taken_before_us=wall_us - KEPT_US, early_before_us=wall_us - EARLY_KEPT_US)


def _meant(tx: Tx, carrier: str, receipt: Receipt) -> Row | None:
    """Return the newest message with the reference as written; else with the same reference in the other base (decimal or
    hexadecimal), if the phone number matches."""
    written, *others = spellings(receipt.ref)
    if not written:
        return None
    rows = submissions.find(tx, carrier, [written, *others])
    for row in rows:
        if row["ref"] == written:
            return row
    phone = receipt.sender.lstrip("+0")
    return next((row for row in rows if not phone or row["recipient"].endswith(phone[-9:])), None)
