"""Parts of long SMS that wait for the others."""

from collections.abc import Sequence

from dtmf_server.core.inbound import InboundMessage, Part
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

_NEW = (
    "carrier",
    "recipient",
    "sender",
    "ref",
    "ref_bits",
    "total",
    "number",
    "octets",
    "coding",
    "dcs",
    "udh",
    "stored_wall_us",
    "received_wall_us",
)


def waiting(tx: Tx, carrier: str, recipients: list[str]) -> list[Row]:
    """Return the parts waiting for these numbers, in order of arrival."""
    return tx.all(
        "SELECT * FROM parts WHERE carrier = :carrier AND recipient = ANY(:recipients) ORDER BY id",
        carrier=carrier,
        recipients=recipients,
    )


def add(tx: Tx, carrier: str, new: Sequence[InboundMessage], *, wall_us: int) -> None:
    """Store parts, in this order."""
    rows = [_row(carrier, arrival, arrival.content, wall_us) for arrival in new if isinstance(arrival.content, Part)]
    tx.insert(schema.parts, _NEW, rows)


def remove(tx: Tx, ids: list[int]) -> None:
    """Delete parts that are now in a message."""
    if ids:
        tx.run("DELETE FROM parts WHERE id = ANY(:ids)", ids=ids)


def erase_texts(tx: Tx, rental_ids: list[int]) -> None:
    """Erase parts for the numbers of these rentals, unless the number is rented again."""
    tx.run(
        "DELETE FROM parts WHERE recipient IN (SELECT e164 FROM rentals WHERE id = ANY(:ids))"
        " AND recipient NOT IN (SELECT e164 FROM rentals WHERE ended_at_us IS NULL)",
        ids=rental_ids,
    )


def forget(tx: Tx, *, before_wall_us: int) -> int:
    """Delete parts stored before `before_wall_us`. Return how many."""
    return tx.run("DELETE FROM parts WHERE stored_wall_us < :before_wall_us", before_wall_us=before_wall_us)


def oldest_wall_us(tx: Tx) -> int | None:
    """Return when the longest-waiting part was stored, or None."""
    row = tx.one("SELECT min(stored_wall_us) AS oldest FROM parts")
    return row["oldest"] if row else None


def overdue(tx: Tx, carrier: str, *, before_us: int) -> list[Row]:
    """Return all parts of the carrier's messages whose first part was stored before then, in order of arrival."""
    return tx.all(
        "SELECT p.* FROM parts p WHERE p.carrier = :carrier AND EXISTS (SELECT 1 FROM parts o"
        " WHERE o.stored_wall_us <= :before_us AND o.carrier = p.carrier AND o.recipient = p.recipient"
        " AND o.sender = p.sender AND o.ref = p.ref AND o.ref_bits = p.ref_bits AND o.total = p.total) ORDER BY p.id",
        carrier=carrier,
        before_us=before_us,
    )


def _row(carrier: str, arrival: InboundMessage, part: Part, wall_us: int) -> tuple[object, ...]:
    place = part.place
    return (
        carrier,
        arrival.to,
        arrival.sender,
        place.ref,
        place.ref_bits,
        place.total,
        place.number,
        part.octets,
        part.coding,
        part.dcs,
        part.udh,
        wall_us,
        arrival.received_us,
    )
