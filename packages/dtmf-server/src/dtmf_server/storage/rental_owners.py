"""The rental that an SMS belongs to, and what the SMS costs there."""

from collections.abc import Sequence

from dtmf_server.storage.db import Row, Tx


def live_by_numbers(tx: Tx, e164s: list[str]) -> dict[str, Row]:
    """Return the live rental of each of these numbers that has one, with its account's webhook signing version, run-out
    instant, number of live rentals and suspension, and whether deliveries are waiting in the lane of its action."""
    rows = tx.all(
        "SELECT r.id, r.account_id, r.e164, r.cost_per_inbound_message, r.change_at_us, r.next_cost_per_inbound_message,"
        " r.max_sats, r.action, r.destination, r.started_at_us,"
        " a.webhook_version, a.webhook_rotated_wall_us, a.depletes_at_us, a.live_rentals, a.suspended_at_us,"
        " EXISTS (SELECT 1 FROM deliveries d WHERE d.rental_id = r.id AND d.kind = r.action"
        "  AND d.state = 'waiting' LIMIT 1 OFFSET 0) AS lane_is_busy FROM rentals r JOIN accounts a ON a.id = r.account_id"
        " WHERE r.e164 = ANY(:e164s) AND r.ended_at_us IS NULL",
        e164s=e164s,
    )
    return {row["e164"]: row for row in rows}


def around(tx: Tx, e164: str, *, at_us: int, margin_us: int) -> list[Row]:
    """The rentals of a number that were live at this instant or within the margin of it, newest first; with the columns of
    `live_by_numbers` and `ended_at_us`, `erased_at_us`."""
    return tx.all(
        "SELECT r.id, r.account_id, r.e164, r.cost_per_inbound_message, r.change_at_us, r.next_cost_per_inbound_message,"
        " r.max_sats, r.action, r.destination, r.started_at_us,"
        " r.ended_at_us, r.erased_at_us, a.webhook_version, a.webhook_rotated_wall_us, a.depletes_at_us, a.live_rentals,"
        " a.suspended_at_us,"
        " EXISTS (SELECT 1 FROM deliveries d WHERE d.rental_id = r.id AND d.kind = r.action"
        "  AND d.state = 'waiting' LIMIT 1 OFFSET 0) AS lane_is_busy FROM rentals r JOIN accounts a ON a.id = r.account_id"
        " WHERE r.e164 = :e164 AND r.started_at_us <= :through_us"
        " AND (r.ended_at_us IS NULL OR r.ended_at_us > :after_us) ORDER BY r.started_at_us DESC LIMIT 10",
        e164=e164,
        after_us=at_us - margin_us,
        through_us=at_us + margin_us,
    )


def changed_hands(tx: Tx, e164s: Sequence[str], *, since_us: int) -> set[str]:
    """The numbers that more than one account rented since then."""
    rows = tx.all(
        "SELECT e164 FROM rentals WHERE e164 = ANY(:e164s) AND (ended_at_us IS NULL OR ended_at_us > :since_us)"
        " GROUP BY e164 HAVING count(DISTINCT account_id) > 1",
        e164s=list(e164s),
        since_us=since_us,
    )
    return {row["e164"] for row in rows}


def sms_cost(row: Row, *, at_us: int) -> int:
    """Return the price of an inbound SMS at an instant: that of a row of `rentals`, or its next one, which may not be
    written yet."""
    is_next = row["change_at_us"] is not None and row["change_at_us"] <= at_us
    return row["next_cost_per_inbound_message" if is_next else "cost_per_inbound_message"] or 0
