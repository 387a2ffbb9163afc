"""How rentals went, counted by group, day of their start and seconds until their first SMS from outside.

Each rental is counted once, a day after its start. A group's figures are read from at most 30 days of these sums, which
cost the same for a million rentals.
"""

from collections.abc import Sequence

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

NONE = -1  # seconds of a rental without such an SMS


def counted_through(tx: Tx) -> int:
    """Return the ID of the last rental that was counted."""
    row = tx.one("SELECT outcomes_rental_id AS id FROM service")
    return int(row["id"]) if row else 0


def first_sms(tx: Tx, *, after_id: int, started_by_us: int, within_us: int, limit: int) -> list[Row]:
    """Return the rentals with the next IDs, each with the time of its first SMS from a sender that is not one of our
    numbers; null if none came within `within_us` of the start. `is_old`: it started by `started_by_us`."""
    return tx.all(
        "SELECT r.id, r.group_id, r.started_at_us, r.started_at_us <= :started_by_us AS is_old,"
        " (SELECT m.at_us FROM messages m WHERE m.rental_id = r.id AND m.inbound"
        "  AND m.at_us <= r.started_at_us + :within_us AND m.sender <> ''"  # '' after its account was deleted
        "  AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.e164 = m.sender) ORDER BY m.id LIMIT 1) AS first_sms_us"
        " FROM rentals r WHERE r.id > :after_id ORDER BY r.id LIMIT :limit",
        after_id=after_id,
        started_by_us=started_by_us,
        within_us=within_us,
        limit=limit,
    )


def count(tx: Tx, rows: Sequence[tuple[str, int, int, int]], *, through_id: int) -> None:
    """Add rentals: group, day, seconds, how many. `through_id`: the last rental among them."""
    tx.increment(schema.rental_outcomes, ("group_id", "day", "first_sms_s"), "rentals", [*rows])
    tx.run("UPDATE service SET outcomes_rental_id = :through_id", through_id=through_id)


def forget(tx: Tx, *, before_day: int) -> None:
    """Delete the sums of earlier days."""
    tx.run("DELETE FROM rental_outcomes WHERE day < :before_day", before_day=before_day)


def of_group(tx: Tx, group_id: str, *, from_day: int) -> list[Row]:
    """Return the number of a group's rentals since a day, by seconds until the first SMS, ascending; at most a few
    hundred rows."""
    return tx.all(
        "SELECT first_sms_s, sum(rentals) AS rentals FROM rental_outcomes WHERE group_id = :group_id"
        " AND day >= :from_day GROUP BY first_sms_s ORDER BY first_sms_s",
        group_id=group_id,
        from_day=from_day,
    )
