"""The one row about the service itself: its mode, the sandbox's clock, what it counts."""

from dtmf_server.storage.db import Tx


def mode(tx: Tx) -> str | None:
    """'sandbox' or 'production', None before the database was initialised."""
    row = tx.one("SELECT mode FROM service")
    return row["mode"] if row else None


def initialise(tx: Tx, *, mode: str, webhook_key: bytes, now_us: int) -> bool:
    """Fixes the mode, and the key of all webhook secrets, for the life of this database.

    False if another process did it first: of several that start at once the others wait here for the first.
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
    """Lock the service's row until the transaction ends: what only one process may do at a time."""
    tx.lock_rows("SELECT id FROM service")


def webhook_key(tx: Tx) -> bytes:
    """What every account's webhook secret is derived from."""
    row = tx.one("SELECT webhook_key FROM service")
    assert row is not None, "the database is not initialised"
    return bytes(row["webhook_key"])


def clock_offset_us(tx: Tx) -> int:
    """How far the sandbox's clock is ahead of the wall's."""
    row = tx.one("SELECT clock_offset_us FROM service")
    return row["clock_offset_us"] if row else 0


def advance_clock(tx: Tx, by_us: int) -> None:
    """Puts the sandbox's clock forward."""
    tx.run("UPDATE service SET clock_offset_us = clock_offset_us + :by_us", by_us=by_us)
    tx.notify("deliveries")  # what waits for its time looks again
    tx.notify("meter")


def schema_revision(tx: Tx) -> str:
    """The newest migration applied."""
    row = tx.one("SELECT version_num FROM alembic_version")
    return str(row["version_num"]) if row else "none"
