"""Refunds of rentals that received nothing. A rental has a `network` until its refund is decided."""

from dtmf_server.storage.db import Row, Tx

SMS_LOOKED_AT = 1000  # of an account, the newest first


def undecided(tx: Tx, *, limit: int) -> list[int]:
    """Return ended rentals whose refund is not decided, those that ended first."""
    rows = tx.all(
        "SELECT id FROM rentals WHERE network IS NOT NULL AND ended_at_us IS NOT NULL ORDER BY ended_at_us LIMIT :limit",
        limit=limit,
    )
    return [row["id"] for row in rows]


def ended(tx: Tx, rental_ids: list[int]) -> list[Row]:
    """Return those of these rentals that have ended and whose refund is not decided, with their accounts' debt and end."""
    return tx.all(
        "SELECT r.*, a.debt, a.closed_at_us FROM rentals r JOIN accounts a ON a.id = r.account_id"
        " WHERE r.id = ANY(:ids) AND r.network IS NOT NULL AND r.ended_at_us IS NOT NULL ORDER BY r.id",
        ids=rental_ids,
    )


def decided(tx: Tx, rental_ids: list[int]) -> None:
    """Forget the networks of rentals whose refund is decided."""
    tx.run("UPDATE rentals SET network = NULL WHERE id = ANY(:ids)", ids=rental_ids)


def was_used(tx: Tx, rental: Row) -> bool:
    """Return True if the rental received or sent a message, or if a part of an SMS waits for its number."""
    row = tx.one(
        "SELECT 1 FROM messages WHERE rental_id = :rental_id UNION ALL SELECT 1 FROM parts WHERE recipient = :e164 LIMIT 1",
        rental_id=rental["id"],
        e164=rental["e164"],
    )
    return row is not None


def has_deposit(tx: Tx, account_id: int) -> bool:
    """Return True if a deposit was credited to the account."""
    row = tx.one(
        "SELECT 1 FROM transfers WHERE account_id = :account_id AND kind IN ('deposit', 'lightning_deposit') LIMIT 1",
        account_id=account_id,
    )
    return row is not None


def may_again(tx: Tx, account_id: int, group_id: str) -> bool:
    """Return True if the account had no refund in this group, or has received an SMS there since the last one. Looks at its
    newest SMS only."""
    last = tx.one(
        "SELECT after_message_id FROM rental_refunds WHERE account_id = :account_id AND group_id = :group_id"
        " ORDER BY rental_id DESC LIMIT 1",
        account_id=account_id,
        group_id=group_id,
    )
    if last is None:
        return True
    row = tx.one(
        "SELECT 1 FROM (SELECT rental_id, inbound FROM messages WHERE account_id = :account_id AND id > :after"
        f" ORDER BY id DESC LIMIT {SMS_LOOKED_AT}) m JOIN rentals r ON r.id = m.rental_id"
        " WHERE m.inbound AND r.group_id = :group_id LIMIT 1",
        account_id=account_id,
        after=last["after_message_id"],
        group_id=group_id,
    )
    return row is not None


def count(tx: Tx, scope: str, key: str, *, day: int, sats: int, at_most: int) -> bool:
    """Add to a day's refunds of a group or network, unless that would exceed the cap. Return whether it was added."""
    tx.run(
        "INSERT INTO refund_totals (scope, key, day, sats) VALUES (:scope, :key, :day, 0) ON CONFLICT DO NOTHING",
        scope=scope,
        key=key,
        day=day,
    )
    added = tx.run(
        "UPDATE refund_totals SET sats = sats + :sats WHERE scope = :scope AND key = :key AND day = :day"
        " AND sats + :sats <= :at_most",
        scope=scope,
        key=key,
        day=day,
        sats=sats,
        at_most=at_most,
    )
    return added > 0


def uncount(tx: Tx, scope: str, key: str, *, day: int, sats: int) -> None:
    """Take back what `count` added."""
    tx.run(
        "UPDATE refund_totals SET sats = sats - :sats WHERE scope = :scope AND key = :key AND day = :day",
        scope=scope,
        key=key,
        day=day,
        sats=sats,
    )


def add(tx: Tx, rental: Row, *, day: int, paid_sats: int, minutes_sats: int, setup_sats: int) -> None:
    """Store a refund."""
    tx.run(
        "INSERT INTO rental_refunds (rental_id, account_id, group_id, day, paid_sats, minutes_sats, setup_sats,"
        " after_message_id) VALUES (:rental_id, :account_id, :group_id, :day, :paid_sats, :minutes_sats, :setup_sats,"
        " (SELECT coalesce(max(id), 0) FROM messages WHERE account_id = :account_id))",
        rental_id=rental["id"],
        account_id=rental["account_id"],
        group_id=rental["group_id"],
        day=day,
        paid_sats=paid_sats,
        minutes_sats=minutes_sats,
        setup_sats=setup_sats,
    )


def forget(tx: Tx, *, before_day: int) -> None:
    """Delete the totals of days before this one."""
    tx.run("DELETE FROM refund_totals WHERE day < :before_day AND scope = 'network'", before_day=before_day)
