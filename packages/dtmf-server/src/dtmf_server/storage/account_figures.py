"""The spending of accounts in a span of time by group, read from the rentals that were live in it and their messages. For the
operator."""

from dtmf_server.core.units import DAY_US
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.group_figures import LIVE, minutes_by
from dtmf_server.storage.ledger_audit import cost_of


def rentals(tx: Tx, *, from_us: int, until_us: int) -> list[Row]:
    """Return for each account and group the rentals that started in this span, and the satoshis for set-ups and minutes of
    it."""
    return tx.all(
        "SELECT account_id, group_id, CAST(sum(is_new) AS bigint) AS rentals,"
        " CAST(sum(is_new * setup_cost) AS bigint) AS setup_sats,"
        f" CAST(sum(({cost_of('r.minutes')}) - ({cost_of('r.minutes_before')})) AS bigint) AS minutes_sats FROM ("
        "SELECT account_id, group_id, setup_cost, cost_per_minute, monthly_cap, priced_minutes, priced_sats,"
        " CASE WHEN started_at_us >= :from_us THEN 1 ELSE 0 END AS is_new,"
        f" {minutes_by(':until_us')} AS minutes, {minutes_by(':from_us')} AS minutes_before"
        f" FROM rentals WHERE {LIVE}) r GROUP BY account_id, group_id ORDER BY account_id, group_id",
        from_us=from_us,
        until_us=until_us,
        ended_from_us=from_us,
    )


def messages(tx: Tx, *, from_us: int, until_us: int) -> list[Row]:
    """Return for each account and group the number of messages of this span, and their satoshis without those refunded."""
    return tx.all(
        "SELECT r.account_id, r.group_id, count(*) AS messages, CAST(sum(m.cost) AS bigint) AS messages_sats"
        f" FROM (SELECT id, account_id, group_id FROM rentals WHERE {LIVE}) r JOIN messages m ON m.rental_id = r.id"
        " WHERE m.at_us >= :from_us AND m.at_us < :until_us GROUP BY r.account_id, r.group_id"
        " ORDER BY r.account_id, r.group_id",
        from_us=from_us,
        until_us=until_us,
        ended_from_us=from_us - DAY_US,  # a carrier may deliver one late
    )


def refunds(tx: Tx, *, from_day: int, before_day: int, account_ids: list[int]) -> list[Row]:
    """Return for these accounts and each group the satoshis refunded on these days for rentals that received nothing."""
    return tx.all(
        "SELECT account_id, group_id, CAST(sum(minutes_sats + setup_sats) AS bigint) AS refunded_sats FROM rental_refunds"
        " WHERE account_id = ANY(:account_ids) AND day >= :from_day AND day < :before_day"
        " GROUP BY account_id, group_id ORDER BY account_id, group_id",
        account_ids=account_ids,
        from_day=from_day,
        before_day=before_day,
    )


def numbers(tx: Tx, account_id: int, *, from_us: int, until_us: int, limit: int) -> list[Row]:
    """Return the numbers that an account rented in this span, with their group, the last to start first."""
    return tx.all(
        "SELECT e164, group_id FROM rentals WHERE account_id = :account_id AND started_at_us < :until_us"
        " AND (ended_at_us IS NULL OR ended_at_us >= :from_us) ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        from_us=from_us,
        until_us=until_us,
        limit=limit,
    )
