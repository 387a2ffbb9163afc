"""Receipts: what became of the SMS that carriers took, found by the carrier's own reference."""

from collections.abc import Sequence

from msgspec import structs

from dtmf_server.core.carrier_words import bounded
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.receipt_refs import canonical, spellings
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.operations import send
from dtmf_server.storage import accounts, in_flight, messages, submissions
from dtmf_server.storage.db import Row, Tx

KEPT_US = 8 * DAY_US  # receipts come within the SMSC's validity period, rarely above 72 h
EARLY_KEPT_US = HOUR_US
REPORTED = "the carrier took it, as its receipt says"


def taken(tx: Tx, carrier: str, refs: Sequence[str], *, message_id: int, now_us: int, wall_us: int) -> None:
    """The carrier took a message, its segments in their order under these references; receipts that were faster than this
    are applied now."""
    for segment, ref in enumerate(refs, 1):
        submissions.put(tx, carrier, message_id, segment, total=len(refs), ref=ref, wall_us=wall_us)
    apply_early(tx, carrier, refs, now_us=now_us, wall_us=wall_us)
    settle_early(tx, message_id, now_us=now_us, wall_us=wall_us)


def apply(tx: Tx, carrier: str, receipt: Receipt, *, now_us: int, wall_us: int) -> None:
    """Update the message: delivered once every segment is, failed and refunded with the first that is not.

    A receipt with an unknown reference settles the SMS in doubt that it names by our own ID, or else the oldest one in
    doubt between the same two numbers. One that matches nothing yet is stored for a while: it may have arrived before the
    response to the submit.
    """
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
    """The carrier has the whole of an SMS that was in doubt, under one reference."""
    submissions.put(tx, carrier, message_id, 1, total=1, ref=ref, wall_us=wall_us)
    _end_doubt(tx, message_id, state="delivered", reason=None, now_us=now_us)
    send.accepted(tx, message_id, now_us=now_us)


def apply_early(tx: Tx, carrier: str, refs: Sequence[str], *, now_us: int, wall_us: int) -> None:
    """Applies the receipts that came before these references were known."""
    every = sorted({spelling for ref in refs if ref for spelling in spellings(ref)})
    for receipt in submissions.take_early(tx, carrier, every) if every else ():
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)


def settle_early(tx: Tx, message_id: int, *, now_us: int, wall_us: int) -> None:
    """Settles SMS in doubt from the number of this message to its phone by receipts that came before; not while another
    such SMS is being submitted, whose receipts they may be."""
    for carrier, receipt in submissions.take_early_about(tx, message_id):
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)
    message = messages.by_id(tx, message_id)
    assert message is not None, "what was submitted was stored"
    phone = _last_digits(message["recipient"])
    doubts, is_busy = in_flight.between(tx, sender=message["sender"], phone=phone) if phone else ([], False)
    if not doubts or is_busy:
        return
    for carrier, receipt in submissions.take_early_between(tx, sender=message["sender"], phone=phone):
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us)


def _in_doubt(tx: Tx, receipt: Receipt) -> int | None:
    """The message in doubt that a receipt with an unknown reference is about: the one that it names, or the oldest
    between its two numbers."""
    if receipt.message_id:
        delivery = in_flight.of_message(tx, receipt.message_id)
        return receipt.message_id if delivery and delivery["state"] in ("in_doubt", "unknown") else None
    phone = _last_digits(receipt.sender)
    if not phone or not receipt.to:
        return None
    doubts, is_busy = in_flight.between(tx, sender=receipt.to, phone=phone)
    return doubts[0] if doubts and not is_busy else None


def _end_doubt(tx: Tx, message_id: int, *, state: str, reason: str | None, now_us: int) -> None:
    message = messages.by_id(tx, message_id)
    assert message is not None, "what a receipt is about was stored"
    accounts.lock(tx, message["account_id"])
    delivery = in_flight.of_message(tx, message_id)
    if delivery is None or delivery["state"] not in ("in_doubt", "unknown"):
        return
    in_flight.revise(tx, delivery, reason or REPORTED)
    in_flight.finish(tx, delivery["id"], state=state, reason=reason, now_us=now_us)


def _last_digits(phone: str) -> str:
    return phone.lstrip("+0")[-9:]


def forget(tx: Tx, *, wall_us: int) -> int:
    """How many rows were forgotten that no receipt concerns any more."""
    return submissions.forget(tx, taken_before_us=wall_us - KEPT_US, early_before_us=wall_us - EARLY_KEPT_US)


def _meant(tx: Tx, carrier: str, receipt: Receipt) -> Row | None:
    """The newest under the reference as it is written; else under the same in the other base, if the phone fits."""
    written, *others = spellings(receipt.ref)
    if not written:
        return None
    rows = submissions.find(tx, carrier, [written, *others])
    for row in rows:
        if row["ref"] == written:
            return row
    phone = receipt.sender.lstrip("+0")
    return next((row for row in rows if not phone or row["recipient"].endswith(phone[-9:])), None)
