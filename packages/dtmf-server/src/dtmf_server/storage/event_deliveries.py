"""Deliveries of events to an account's webhook: redirected and parked together."""

from dtmf_server.storage.db import Row, Tx


def redirect_events(tx: Tx, account_id: int, *, destination: str, now_us: int) -> None:
    """Redirect waiting events to the account's changed webhook; those that have failed are due immediately."""
    waiting = "account_id = :account_id AND kind = 'event' AND state = 'waiting'"
    tx.run(
        f"UPDATE deliveries SET destination = :destination WHERE {waiting}",
        account_id=account_id,
        destination=destination,
    )
    tx.run(
        f"UPDATE deliveries SET due_at_us = :now_us WHERE {waiting}"
        " AND attempts > 0 AND due_at_us > :now_us AND leased_until_us IS NULL",
        account_id=account_id,
        now_us=now_us,
    )
    tx.notify("deliveries")


def park_events(tx: Tx, account_id: int, *, now_us: int, reason: str) -> list[Row]:
    """Park the waiting events: nothing is lost, and each can be replayed."""
    return tx.all(
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL, reason = :reason"
        " WHERE account_id = :account_id AND kind = 'event' AND state = 'waiting'"
        " RETURNING id, account_id, message_id, kind",
        account_id=account_id,
        now_us=now_us,
        reason=reason,
    )
