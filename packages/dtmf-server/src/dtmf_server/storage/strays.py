"""Stray SMS: the count per destination that no account rents, without texts. The last DESTINATIONS_MAX are stored."""

from collections.abc import Iterator, Mapping

from dtmf_server.core.units import DAY_US
from dtmf_server.storage.db import Row, Tx

DESTINATIONS_MAX = 1000
DESTINATION_LENGTH_MAX = 66  # an address of data_sm (SMPP 3.4 §4.7.1) and a plus
KEPT_US = 30 * DAY_US
PAGE = 10_000


def count(tx: Tx, found: Mapping[str, int], *, now_us: int) -> None:
    """Add to the count of each destination. Concurrent transactions wait for each other at the service's row."""
    tx.run("UPDATE service SET unrouted_messages = unrouted_messages + :count", count=sum(found.values()))
    for destination, messages in sorted(found.items()):
        tx.run(
            "INSERT INTO strays (destination, count, first_at_us, last_at_us)"
            " VALUES (:destination, :count, :now_us, :now_us) ON CONFLICT (destination) DO UPDATE"
            " SET count = strays.count + excluded.count, last_at_us = excluded.last_at_us",
            destination=destination[:DESTINATION_LENGTH_MAX],
            count=messages,
            now_us=now_us,
        )
    tx.run(
        "DELETE FROM strays WHERE destination IN (SELECT destination FROM strays"
        " ORDER BY last_at_us DESC, destination LIMIT 1000000 OFFSET :kept)",
        kept=DESTINATIONS_MAX,
    )


def total(tx: Tx) -> int:
    """Return the number of SMS for numbers that no account rents, since the database was created."""
    row = tx.one("SELECT unrouted_messages FROM service")
    return row["unrouted_messages"] if row else 0


def latest(tx: Tx) -> list[Row]:
    """Return each destination with `count`, `first_at_us`, `last_at_us`, and whether it is in stock; the last one
    first."""
    return tx.all(
        "SELECT s.destination, s.count, s.first_at_us, s.last_at_us, n.e164 IS NOT NULL AS in_stock"
        " FROM strays s LEFT JOIN numbers n ON n.e164 = s.destination ORDER BY s.last_at_us DESC, s.destination"
    )


def numbers_in_stock(tx: Tx) -> Iterator[str]:
    """Yield every number in stock, read in pages."""
    after = ""
    while page := tx.all(
        "SELECT e164 FROM numbers WHERE e164 > :after ORDER BY e164 LIMIT :limit", after=after, limit=PAGE
    ):
        yield from (row["e164"] for row in page)
        after = page[-1]["e164"]


def forget(tx: Tx, *, now_us: int) -> int:
    """Delete destinations for which nothing arrived in KEPT_US. Return how many."""
    return tx.run("DELETE FROM strays WHERE last_at_us < :before_us", before_us=now_us - KEPT_US)
