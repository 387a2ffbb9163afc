"""Receipts: what became of the SMS that carriers took, found by the carrier's own reference."""

from collections.abc import Sequence

from dtmf_server.core.arrival import Receipt, canonical, spellings
from dtmf_server.operations import send
from dtmf_server.storage import submissions
from dtmf_server.storage.db import Row, Tx

KEPT_US = 8 * 24 * 3_600_000_000  # receipts come within the SMSC's validity period, rarely above 72 h
EARLY_KEPT_US = 3_600_000_000


def taken(
    tx: Tx, carrier: str, refs: Sequence[str], *, message_id: int, now_us: int, wall_us: int, rest_us: int
) -> None:
    """The carrier took a message; receipts that were faster than this are applied now."""
    known = [canonical(ref) for ref in refs if ref]
    submissions.add(tx, carrier, known, message_id=message_id, wall_us=wall_us)
    every = sorted({spelling for ref in known for spelling in spellings(ref)})
    for receipt in submissions.take_early(tx, carrier, every) if every else ():
        apply(tx, carrier, receipt, now_us=now_us, wall_us=wall_us, rest_us=rest_us)


def apply(tx: Tx, carrier: str, receipt: Receipt, *, now_us: int, wall_us: int, rest_us: int) -> None:
    """Moves the message on: delivered once every segment is, failed and refunded with the first that is not.

    A receipt for which nothing is known yet is kept for a while: it may have overtaken the answer to the submit.
    """
    submission = _meant(tx, carrier, receipt)
    if submission is None:
        early = Receipt(canonical(receipt.ref), receipt.delivered, receipt.reason, receipt.sender)
        submissions.add_early(tx, carrier, early, wall_us=wall_us)
        return
    message_id = submission["message_id"]
    if not receipt.delivered:
        send.failed(tx, message_id, reason=receipt.reason, now_us=now_us, rest_us=rest_us)
        return
    submissions.set_delivered(tx, submission["id"])
    if submissions.all_delivered(tx, message_id):
        send.delivered(tx, message_id, now_us=now_us, rest_us=rest_us)


def forget(tx: Tx, *, wall_us: int) -> int:
    """How many rows were forgotten that no receipt concerns any more."""
    return submissions.forget(tx, taken_before_us=wall_us - KEPT_US, early_before_us=wall_us - EARLY_KEPT_US)


def _meant(tx: Tx, carrier: str, receipt: Receipt) -> Row | None:
    """The newest under the reference as it is written; else under the same in the other base, if the phone fits."""
    written, *others = spellings(receipt.ref)
    rows = submissions.find(tx, carrier, [written, *others])
    for row in rows:
        if row["ref"] == written:
            return row
    phone = receipt.sender.lstrip("+0")
    return next((row for row in rows if not phone or row["recipient"].endswith(phone[-9:])), None)
