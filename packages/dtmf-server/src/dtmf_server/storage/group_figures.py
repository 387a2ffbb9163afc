"""Revenue and cost of each group in a span of time, read from the rentals that were live in it and their messages. For
the operator."""

from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.ledger_audit import past_cost_of

LIVE = (
    "started_at_us < :until_us AND id IN (SELECT id FROM rentals WHERE ended_at_us IS NULL"
    " UNION ALL SELECT id FROM rentals WHERE ended_at_us >= :ended_from_us)"
)


def minutes_by(at_us: str) -> str:
    """Return the SQL for the minutes of a rental that started before an instant."""
    begun = f"(({at_us}) - started_at_us - 1) / {MINUTE_US} + 1"
    return (
        f"CASE WHEN ({at_us}) <= started_at_us THEN 0"
        f" WHEN ended_at_us IS NOT NULL AND {begun} > booked_minutes THEN booked_minutes ELSE {begun} END"
    )


def rentals(tx: Tx, *, from_us: int, until_us: int) -> list[Row]:
    """Return for each group the rentals that started in this span, and the satoshis for set-ups and minutes of it."""
    return tx.all(
        "SELECT group_id, CAST(sum(is_new) AS bigint) AS rentals, CAST(sum(is_new * setup_cost) AS bigint) AS setup_sats,"
        f" CAST(sum(({past_cost_of('r.minutes')}) - ({past_cost_of('r.minutes_before')})) AS bigint) AS minutes_sats FROM ("
        "SELECT id, group_id, setup_cost, cost_per_minute, monthly_cap, priced_minutes, priced_sats,"
        " CASE WHEN started_at_us >= :from_us THEN 1 ELSE 0 END AS is_new,"
        f" {minutes_by(':until_us')} AS minutes, {minutes_by(':from_us')} AS minutes_before"
        f" FROM rentals WHERE {LIVE}) r GROUP BY group_id ORDER BY group_id",
        from_us=from_us,
        until_us=until_us,
        ended_from_us=from_us,
    )


def messages(tx: Tx, *, from_us: int, until_us: int) -> list[Row]:
    """Return for each group the number of messages of this span, and their satoshis without those refunded."""
    return tx.all(
        "SELECT r.group_id, count(*) AS messages, CAST(sum(m.cost) AS bigint) AS messages_sats"
        f" FROM (SELECT id, group_id FROM rentals WHERE {LIVE}) r JOIN messages m ON m.rental_id = r.id"
        " WHERE m.at_us >= :from_us AND m.at_us < :until_us GROUP BY r.group_id ORDER BY r.group_id",
        from_us=from_us,
        until_us=until_us,
        ended_from_us=from_us - DAY_US,  # a carrier may deliver one late
    )


def refunds(tx: Tx, *, day: int) -> list[Row]:
    """Return the satoshis refunded on a day for rentals, by group: automatically, or by an operator."""
    return tx.all(
        "SELECT group_id, CAST(sum(sats) AS bigint) AS refunded_sats FROM (SELECT key AS group_id, sats FROM refund_totals"
        "  WHERE scope = 'group' AND day = :day UNION ALL SELECT r.group_id, o.sats FROM operator_refunds o"
        "  JOIN rentals r ON r.id = o.charge_id WHERE o.charge = 'rental' AND o.day = :day) refunds"
        " GROUP BY group_id ORDER BY group_id",
        day=day,
    )


def costs(tx: Tx, *, from_us: int, until_us: int) -> list[Row]:
    """Return what the bought numbers of each group cost in this span, by currency (`amount` in millionths) and in satoshis.
    `cost_sats` is null if the rate of a cost is unknown."""
    return tx.all(
        "SELECT s.group_id, c.currency, CAST(sum(c.amount) AS bigint) AS amount,"
        " CASE WHEN count(c.sats) = count(*) THEN CAST(sum(c.sats) AS bigint) END AS cost_sats"
        " FROM supply_costs c JOIN supply_numbers s ON s.id = c.supply_number_id"
        " WHERE c.at_us >= :from_us AND c.at_us < :until_us GROUP BY s.group_id, c.currency ORDER BY s.group_id, c.currency",
        from_us=from_us,
        until_us=until_us,
    )
