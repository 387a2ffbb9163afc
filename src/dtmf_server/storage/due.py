"""Whether and when deliveries are due: reads, which spare writes."""

from dtmf_server.storage.db import Tx


def first_due(tx: Tx, *, wall_us: int) -> tuple[int | None, int]:
    """When the next delivery that nobody holds is due, None without one; and the offset of the sandbox's clock."""
    row = tx.one(
        "SELECT clock_offset_us, (SELECT due_at_us FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0"
        "  AND (leased_until_us IS NULL OR leased_until_us <= :wall_us) ORDER BY due_at_us LIMIT 1) AS due_at_us"
        " FROM service",
        wall_us=wall_us,
    )
    return (row["due_at_us"], row["clock_offset_us"]) if row else (None, 0)


def is_due(tx: Tx, *, now_us: int) -> bool:
    """Whether anything that is due has not been attempted."""
    row = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0 AND due_at_us <= :now_us"
        " UNION ALL SELECT 1 FROM deliveries WHERE state = 'waiting' AND leased_until_us IS NOT NULL LIMIT 1",
        now_us=now_us,
    )
    return row is not None
