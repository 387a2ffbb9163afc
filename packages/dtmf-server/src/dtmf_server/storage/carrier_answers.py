"""How long carriers took to answer submits, as counts by carrier, hour and rounded time; bounded, however many SMS there are."""

from collections.abc import Sequence

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


def count(tx: Tx, carrier: str, rows: Sequence[tuple[int, int, int]]) -> None:
    """Add answers of a carrier: hour, milliseconds, how many."""
    key = ("carrier", "hour", "ms")
    tx.increment(schema.carrier_answers, key, "answers", [(carrier, *row) for row in rows])


def since(tx: Tx, *, from_hour: int) -> list[Row]:
    """Return the answers from an hour on, by carrier, hour and time."""
    return tx.all(
        "SELECT carrier, hour, ms, answers FROM carrier_answers WHERE hour >= :from_hour ORDER BY carrier, hour, ms",
        from_hour=from_hour,
    )


def forget(tx: Tx, *, before_hour: int) -> None:
    """Delete the counts of earlier hours."""
    tx.run("DELETE FROM carrier_answers WHERE hour < :before_hour", before_hour=before_hour)
