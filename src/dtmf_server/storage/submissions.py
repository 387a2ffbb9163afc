"""What carriers took, under their own references, and receipts that came before that was written down."""

from collections.abc import Sequence

from dtmf_server.core.arrival import Receipt
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, carrier: str, refs: Sequence[str], *, message_id: int, wall_us: int) -> None:
    """The carrier took the message's segments under these references."""
    rows = [(carrier, ref, message_id, False, wall_us) for ref in refs]
    tx.insert(schema.submissions, ("carrier", "ref", "message_id", "delivered", "taken_wall_us"), rows)


def find(tx: Tx, carrier: str, refs: list[str]) -> list[Row]:
    """What was taken under any of these references, newest first, with the phone it went to."""
    return tx.all(
        "SELECT s.id, s.ref, s.message_id, m.recipient FROM submissions s JOIN messages m ON m.id = s.message_id"
        " WHERE s.carrier = :carrier AND s.ref IN @refs ORDER BY s.id DESC LIMIT 100",
        carrier=carrier,
        refs=refs,
    )


def set_delivered(tx: Tx, submission_id: int) -> None:
    """The phone has this segment."""
    tx.run("UPDATE submissions SET delivered = :yes WHERE id = :id", id=submission_id, yes=True)


def all_delivered(tx: Tx, message_id: int) -> bool:
    """Whether the phone has every segment of the message."""
    return (
        tx.one(
            "SELECT 1 FROM submissions WHERE message_id = :message_id AND NOT delivered LIMIT 1", message_id=message_id
        )
        is None
    )


def add_early(tx: Tx, carrier: str, receipt: Receipt, *, wall_us: int) -> None:
    """Keeps a receipt for which there is nothing yet."""
    tx.insert(
        schema.early_receipts,
        ("carrier", "ref", "delivered", "reason", "sender", "stored_wall_us"),
        [(carrier, receipt.ref, receipt.delivered, receipt.reason, receipt.sender, wall_us)],
    )


def take_early(tx: Tx, carrier: str, refs: list[str]) -> list[Receipt]:
    """The receipts that waited for any of these references; they wait no more."""
    rows = tx.all(
        "DELETE FROM early_receipts WHERE carrier = :carrier AND ref IN @refs"
        " RETURNING id, ref, delivered, reason, sender",
        carrier=carrier,
        refs=refs,
    )
    rows.sort(key=lambda row: int(row["id"]))
    return [Receipt(row["ref"], bool(row["delivered"]), row["reason"], row["sender"]) for row in rows]


def forget(tx: Tx, *, taken_before_us: int, early_before_us: int) -> int:
    """How many rows were forgotten that no receipt will come for, or nothing be taken for."""
    forgotten = tx.run("DELETE FROM submissions WHERE taken_wall_us < :before_us", before_us=taken_before_us)
    return forgotten + tx.run("DELETE FROM early_receipts WHERE stored_wall_us < :before_us", before_us=early_before_us)
