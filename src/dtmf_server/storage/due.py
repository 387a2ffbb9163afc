"""Whether and when deliveries are due: reads, which spare writes."""

from dtmf_server.storage.db import Tx


def next_due_us(tx: Tx) -> int | None:
    """When the next delivery that nobody holds is due."""
    row = tx.one(
        "SELECT due_at_us FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0 AND leased_until_us IS NULL"
        " ORDER BY due_at_us LIMIT 1"
    )
    return int(row["due_at_us"]) if row else None


def has_due(tx: Tx, *, now_us: int, wall_us: int) -> bool:
    """Whether anything is due that nobody holds: a read, to spare a write."""
    row = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0 AND due_at_us <= :now_us"
        " AND (leased_until_us IS NULL OR leased_until_us <= :wall_us) LIMIT 1",
        now_us=now_us,
        wall_us=wall_us,
    )
    return row is not None


def is_due(tx: Tx, *, now_us: int) -> bool:
    """Whether anything that is due has not been attempted."""
    row = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0 AND due_at_us <= :now_us"
        " UNION ALL SELECT 1 FROM deliveries WHERE state = 'waiting' AND leased_until_us IS NOT NULL LIMIT 1",
        now_us=now_us,
    )
    return row is not None
