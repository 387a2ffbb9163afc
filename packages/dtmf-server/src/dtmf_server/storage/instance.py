"""The single row about the service itself: its mode, the sandbox's clock, and counters."""

from dtmf_server.storage.db import Tx


def mode(tx: Tx) -> str | None:
    """Return 'sandbox' or 'production', or None if the database is not initialized."""
    row = tx.one("SELECT mode FROM service")
    return row["mode"] if row else None


def initialise(tx: Tx, *, mode: str, webhook_key: bytes, now_us: int) -> bool:
    """Fix the mode, and the key of all webhook secrets, for the lifetime of this database.

    Returns False if another process did so first: of several that start at the same time, the others wait here for the
    first.
    """
    done = tx.run(
        "INSERT INTO service (id, mode, webhook_key, created_at_us) VALUES (1, :mode, :webhook_key, :now_us)"
        " ON CONFLICT (id) DO NOTHING",
        mode=mode,
        webhook_key=webhook_key,
        now_us=now_us,
    )
    return bool(done)


def lock(tx: Tx) -> None:
    """Lock the service's row until the transaction ends, for operations that only one transaction may run at a time."""
    tx.lock_rows("SELECT id FROM service")


def webhook_key(tx: Tx) -> bytes:
    """Return the key from which every account's webhook secret is derived."""
    row = tx.one("SELECT webhook_key FROM service")
    assert row is not None, "the database is not initialised"
    return bytes(row["webhook_key"])


def clock_offset_us(tx: Tx) -> int:
    """Return how far the sandbox's clock is ahead of the wall clock."""
    row = tx.one("SELECT clock_offset_us FROM service")
    return row["clock_offset_us"] if row else 0


def advance_clock(tx: Tx, by_us: int) -> None:
    """Fast-forward the sandbox's clock."""
    tx.run("UPDATE service SET clock_offset_us = clock_offset_us + :by_us", by_us=by_us)
    tx.notify("deliveries")  # deliveries that wait for a time must be checked again
    tx.notify("meter")
    tx.notify("lightning")


def set_backed_up(tx: Tx, *, wall_us: int) -> None:
    """Record that a backup is complete."""
    tx.run("UPDATE service SET backed_up_wall_us = :wall_us", wall_us=wall_us)


def unprotected_since_us(tx: Tx) -> int | None:
    """Return the wall time of the last backup; without one, when the service was created."""
    row = tx.one("SELECT coalesce(backed_up_wall_us, created_at_us) AS at_us FROM service")
    return row["at_us"] if row else None


def schema_revision(tx: Tx) -> str:
    """Return the newest migration applied."""
    row = tx.one("SELECT version_num FROM alembic_version")
    return str(row["version_num"]) if row else "none"
