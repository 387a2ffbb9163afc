"""Segments that carriers accepted, with their references, and receipts that arrived before that was recorded."""

from dtmf_server.core.inbound import Receipt
from dtmf_server.core.receipt_refs import canonical
from dtmf_server.core.submission import Segments
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

_EARLY = "id, carrier, ref, delivered, reason, sender, recipient, message_id, is_intermediate"


def put(tx: Tx, carrier: str, message_id: int, segment: int, *, total: int, ref: str | None, wall_us: int) -> None:
    """Record that the carrier accepted a segment under this reference; None: it has not answered yet."""
    tx.run(
        "INSERT INTO submissions (carrier, ref, message_id, delivered, taken_wall_us, segment, total)"
        " VALUES (:carrier, :ref, :message_id, :no, :wall_us, :segment, :total) ON CONFLICT (message_id, segment)"
        " DO UPDATE SET carrier = :carrier, ref = coalesce(:ref, submissions.ref), taken_wall_us = :wall_us",
        carrier=carrier,
        ref=None if ref is None else canonical(ref),
        message_id=message_id,
        no=False,
        wall_us=wall_us,
        segment=segment,
        total=total,
    )


def put_all(tx: Tx, carrier: str, message_id: int, segments: Segments, *, wall_us: int) -> None:
    """Record the segments of an attempt: those accepted, and those that the carrier has not answered."""
    refs = {**dict.fromkeys(segments.unanswered), **segments.taken}
    for segment, ref in sorted(refs.items()):
        put(tx, carrier, message_id, segment, total=segments.total, ref=ref, wall_us=wall_us)


def put_delivered(tx: Tx, carrier: str, message_id: int, *, ref: str, wall_us: int) -> None:
    """Record that the phone received a segment in doubt; the receipt does not say which one."""
    in_doubt = tx.one(
        "SELECT min(segment) AS segment FROM submissions WHERE message_id = :message_id AND ref IS NULL",
        message_id=message_id,
    )
    last = tx.one("SELECT max(segment) AS segment FROM submissions WHERE message_id = :id", id=message_id)
    assert in_doubt is not None and last is not None, "an aggregate has one row"
    segment = in_doubt["segment"] or (last["segment"] or 0) + 1
    put(tx, carrier, message_id, segment, total=expected(tx, message_id), ref=ref, wall_us=wall_us)
    tx.run(
        "UPDATE submissions SET delivered = :yes WHERE message_id = :message_id AND segment = :segment",
        yes=True,
        message_id=message_id,
        segment=segment,
    )


def taken_by(tx: Tx, message_id: int) -> tuple[str, dict[int, str]]:
    """Return the carrier that accepted segments of a message, and its reference of each; '' and {} if none did."""
    rows = tx.all(
        "SELECT carrier, segment, ref FROM submissions WHERE message_id = :id AND ref IS NOT NULL ORDER BY segment",
        id=message_id,
    )
    return (rows[0]["carrier"] if rows else "", {row["segment"]: row["ref"] for row in rows})


def taken(tx: Tx, message_id: int) -> int:
    """Return how many segments of a message a carrier accepted."""
    return len(taken_by(tx, message_id)[1])


def expected(tx: Tx, message_id: int) -> int:
    """Return how many segments the carrier gets of a message; if no attempt was completed, as many as were charged."""
    row = tx.one(
        "SELECT coalesce((SELECT max(total) FROM submissions s WHERE s.message_id = m.id), m.segments) AS total"
        " FROM messages m WHERE m.id = :id",
        id=message_id,
    )
    assert row is not None, "a submitted message is stored"
    return int(row["total"])


def is_in_doubt(tx: Tx, message_id: int, segment: int) -> bool:
    """Return True if a carrier has not answered for this segment."""
    row = tx.one(
        "SELECT 1 FROM submissions WHERE message_id = :id AND segment = :segment AND ref IS NULL",
        id=message_id,
        segment=segment,
    )
    return row is not None


def has_doubts(tx: Tx, message_id: int) -> bool:
    """Return True if a carrier has not answered for some segment."""
    row = tx.one("SELECT 1 FROM submissions WHERE message_id = :id AND ref IS NULL LIMIT 1", id=message_id)
    return row is not None


def forget_doubt(tx: Tx, message_id: int, segment: int) -> bool:
    """Record that the carrier certainly does not have this segment. Return True if it was in doubt."""
    return bool(
        tx.run(
            "DELETE FROM submissions WHERE message_id = :id AND segment = :segment AND ref IS NULL",
            id=message_id,
            segment=segment,
        )
    )


def find(tx: Tx, carrier: str, refs: list[str]) -> list[Row]:
    """Return what was accepted under any of these references, newest first, with the phone it went to."""
    return tx.all(
        "SELECT s.id, s.ref, s.message_id, m.recipient FROM submissions s JOIN messages m ON m.id = s.message_id"
        " WHERE s.carrier = :carrier AND s.ref = ANY(:refs) ORDER BY s.id DESC LIMIT 100",
        carrier=carrier,
        refs=refs,
    )


def set_delivered(tx: Tx, submission_id: int) -> None:
    """Record that the phone received this segment."""
    tx.run("UPDATE submissions SET delivered = :yes WHERE id = :id", id=submission_id, yes=True)


def all_delivered(tx: Tx, message_id: int) -> bool:
    """Return True if the phone received every segment of the message."""
    return (
        tx.one(
            "SELECT 1 FROM submissions WHERE message_id = :message_id AND NOT delivered"
            " AND (ref IS NULL OR ref <> '') LIMIT 1",  # without a reference, no receipt can refer to it
            message_id=message_id,
        )
        is None
    )


def add_early(tx: Tx, carrier: str, receipt: Receipt, *, wall_us: int) -> None:
    """Store a receipt whose submission is not recorded yet."""
    tx.insert(
        schema.early_receipts,
        (
            "carrier",
            "ref",
            "delivered",
            "reason",
            "sender",
            "stored_wall_us",
            "recipient",
            "message_id",
            "is_intermediate",
        ),
        [
            (
                carrier,
                receipt.ref,
                bool(receipt.delivered),
                receipt.reason,
                receipt.sender,
                wall_us,
                receipt.to,
                receipt.message_id or None,
                receipt.delivered is None,
            )
        ],
    )


def take_early(tx: Tx, carrier: str, refs: list[str]) -> list[Receipt]:
    """Remove and return the receipts waiting for any of these references."""
    rows = tx.all(
        f"DELETE FROM early_receipts WHERE carrier = :carrier AND ref = ANY(:refs) RETURNING {_EARLY}",
        carrier=carrier,
        refs=refs,
    )
    return [receipt for _, receipt in _receipts(rows)]


def take_early_between(tx: Tx, *, sender: str, phone: str) -> list[tuple[str, Receipt]]:
    """Remove and return the waiting receipts for SMS from one of our numbers to a phone with these last digits, each
    with its carrier."""
    rows = tx.all(
        f"DELETE FROM early_receipts WHERE recipient = :recipient AND sender LIKE '%' || :phone RETURNING {_EARLY}",
        recipient=sender,
        phone=phone,
    )
    return _receipts(rows)


def take_early_about(tx: Tx, message_id: int) -> list[tuple[str, Receipt]]:
    """Take the early receipts that name this message, each with its carrier."""
    return _receipts(
        tx.all(f"DELETE FROM early_receipts WHERE message_id = :message_id RETURNING {_EARLY}", message_id=message_id)
    )


def _receipts(rows: list[Row]) -> list[tuple[str, Receipt]]:
    rows.sort(key=lambda row: int(row["id"]))
    return [
        (
            row["carrier"],
            Receipt(
                row["ref"],
                None if row["is_intermediate"] else bool(row["delivered"]),
                row["reason"],
                row["sender"],
                row["recipient"],
                row["message_id"] or 0,
            ),
        )
        for row in rows
    ]


def forget(tx: Tx, *, taken_before_us: int, early_before_us: int) -> int:
    """Delete rows for which no receipt, or no submission, is expected any more. Return how many."""
    forgotten = tx.run("DELETE FROM submissions WHERE taken_wall_us < :before_us", before_us=taken_before_us)
    return forgotten + tx.run("DELETE FROM early_receipts WHERE stored_wall_us < :before_us", before_us=early_before_us)
