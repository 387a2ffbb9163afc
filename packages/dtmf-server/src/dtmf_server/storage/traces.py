"""The carriers whose traffic an operator watches, and their traffic until the operator's command has read it."""

from collections.abc import Sequence

from dtmf_server.core.trace import TraceEntry
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

ENTRIES_MAX = 2000  # per carrier, for a command that reads too slowly or was killed


def start(tx: Tx, carrier: str, *, until_wall_us: int) -> None:
    """Watch a carrier until this wall time, beginning with no entries."""
    tx.run("DELETE FROM trace_entries WHERE carrier = :carrier", carrier=carrier)
    tx.run(
        "INSERT INTO traces (carrier, until_wall_us) VALUES (:carrier, :until_wall_us)"
        " ON CONFLICT (carrier) DO UPDATE SET until_wall_us = excluded.until_wall_us",
        carrier=carrier,
        until_wall_us=until_wall_us,
    )


def watched(tx: Tx) -> dict[str, int]:
    """Return until when each carrier is watched, in wall microseconds."""
    return {row["carrier"]: row["until_wall_us"] for row in tx.all("SELECT carrier, until_wall_us FROM traces")}


def add(tx: Tx, entries: Sequence[tuple[str, TraceEntry]]) -> None:
    """Add entries of carriers, and delete the oldest above ENTRIES_MAX."""
    rows = [(carrier, entry.at_us, entry.direction, entry.text) for carrier, entry in entries]
    tx.insert(schema.trace_entries, ("carrier", "at_wall_us", "direction", "text"), rows)
    for carrier in sorted({carrier for carrier, _ in entries}):
        tx.run(
            "DELETE FROM trace_entries WHERE carrier = :carrier AND id <= (SELECT id FROM trace_entries"
            " WHERE carrier = :carrier ORDER BY id DESC LIMIT 1 OFFSET :kept)",
            carrier=carrier,
            kept=ENTRIES_MAX,
        )


def has_entries(tx: Tx, carrier: str) -> bool:
    """Return whether there are entries of this carrier."""
    return tx.one("SELECT 1 FROM trace_entries WHERE carrier = :carrier LIMIT 1", carrier=carrier) is not None


def take(tx: Tx, carrier: str) -> list[Row]:
    """Remove and return a carrier's entries, by their time."""
    rows = tx.all(
        "DELETE FROM trace_entries WHERE carrier = :carrier RETURNING id, at_wall_us, direction, text", carrier=carrier
    )
    return sorted(rows, key=lambda row: (row["at_wall_us"], row["id"]))


def stop(tx: Tx, *, before_wall_us: int) -> int:
    """Delete what was watched until before this wall time. Return of how many carriers."""
    tx.run(
        "DELETE FROM trace_entries WHERE carrier IN (SELECT carrier FROM traces WHERE until_wall_us < :before_wall_us)",
        before_wall_us=before_wall_us,
    )
    return tx.run("DELETE FROM traces WHERE until_wall_us < :before_wall_us", before_wall_us=before_wall_us)
