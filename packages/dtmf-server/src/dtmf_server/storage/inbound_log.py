"""Log of the SMS stored from carriers' links, for as long as the carrier may redeliver them."""

from collections.abc import Sequence

from dtmf_server.core.deduplication import Stored
from dtmf_server.storage import schema
from dtmf_server.storage.db import Tx

FORGOTTEN_AT_ONCE = 500  # per transaction, so that arriving SMS need not wait for thousands


def stored(tx: Tx, carrier: str, digests: list[str]) -> dict[str, list[Stored]]:
    """Return the log entries with these digests, oldest first."""
    found: dict[str, list[Stored]] = {}
    for row in tx.all(
        "SELECT id, digest, link, stored_wall_us, answered_wall_us FROM arrivals"
        " WHERE carrier = :carrier AND digest = ANY(:digests) ORDER BY id",
        carrier=carrier,
        digests=digests,
    ):
        known = Stored(row["id"], row["link"], row["stored_wall_us"], row["answered_wall_us"])
        found.setdefault(row["digest"], []).append(known)
    return found


def add(tx: Tx, carrier: str, new: Sequence[tuple[str, int]], *, wall_us: int) -> Sequence[int]:
    """Add new SMS (digest, link) and return their IDs."""
    rows = [(carrier, digest, link, wall_us) for digest, link in new]
    return tx.insert_returning_ids(schema.arrivals, ("carrier", "digest", "link", "stored_wall_us"), rows)


def mark_redelivered(tx: Tx, moved: Sequence[tuple[int, int]], *, wall_us: int) -> None:
    """Record that known SMS (id, link) were redelivered on these links and are not acknowledged there yet."""
    rows = [(id_, link, wall_us, None) for id_, link in moved]
    tx.update(schema.arrivals, ("id", "link", "stored_wall_us", "answered_wall_us"), rows)


def answered(tx: Tx, ids: Sequence[int], *, wall_us: int) -> None:
    """Record that these SMS have been acknowledged."""
    tx.run("UPDATE arrivals SET answered_wall_us = :wall_us WHERE id = ANY(:ids)", ids=list(ids), wall_us=wall_us)


def forget(tx: Tx, *, answered_before_us: int, stored_before_us: int) -> int:
    """Delete up to `FORGOTTEN_AT_ONCE` entries of SMS that can't be redelivered any more. Return how many."""
    return tx.run(
        "DELETE FROM arrivals WHERE id IN (SELECT id FROM arrivals WHERE answered_wall_us < :answered_before_us"
        " OR stored_wall_us < :stored_before_us ORDER BY id LIMIT :limit)",
        answered_before_us=answered_before_us,
        stored_before_us=stored_before_us,
        limit=FORGOTTEN_AT_ONCE,
    )
