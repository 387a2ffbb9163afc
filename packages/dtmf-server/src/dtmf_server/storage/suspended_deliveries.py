"""Deliveries of an account that its operator suspends: parked together, and queued again when it is resumed."""

from dtmf_server.storage import delivery_log
from dtmf_server.storage.db import Row, Tx

SUSPENDED = "the account was suspended"  # the reason of deliveries parked here; what is resumed is found by it


def park(tx: Tx, account_id: int, *, now_us: int) -> list[Row]:
    """Park everything that waits, whatever its kind, and return it. What a carrier may have is settled by its result, and
    parked if the carrier does not have it."""
    tx.run(
        "UPDATE deliveries SET stop_reason = :reason WHERE account_id = :account_id AND (state = 'in_doubt'"
        " OR (state = 'waiting' AND submitted_at_us IS NOT NULL)) AND stop_reason IS NULL",
        account_id=account_id,
        reason=SUSPENDED,
    )
    return tx.all(
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL, reason = :reason"
        " WHERE account_id = :account_id AND state = 'waiting' AND submitted_at_us IS NULL"
        " RETURNING id, account_id, message_id, kind",
        account_id=account_id,
        now_us=now_us,
        reason=SUSPENDED,
    )


def resume(tx: Tx, account_id: int, *, now_us: int) -> int:
    """Queue the webhooks and events that a suspension parked again, if they still have a destination. Return how many."""
    tx.run(
        "UPDATE deliveries SET stop_reason = NULL WHERE account_id = :account_id AND stop_reason = :reason",
        account_id=account_id,
        reason=SUSPENDED,
    )
    count = tx.run(
        f"{delivery_log.REPLAY}, reason = NULL WHERE account_id = :account_id AND state = 'parked' AND reason = :reason AND ("
        " (kind = 'event' AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = deliveries.account_id"
        "  AND a.webhook_url IS NOT NULL))"
        " OR (kind = 'webhook' AND EXISTS (SELECT 1 FROM rentals r WHERE r.id = deliveries.rental_id"
        "  AND r.action = 'webhook' AND r.erased_at_us IS NULL)))",
        account_id=account_id,
        reason=SUSPENDED,
        now_us=now_us,
    )
    if count:
        tx.notify("deliveries")
    return count


def waiting(tx: Tx) -> list[Row]:
    """Return deliveries of suspended accounts that wait for an attempt, without what a carrier may have."""
    return tx.all(
        "SELECT d.id, d.account_id FROM accounts a JOIN deliveries d ON d.account_id = a.id"
        " WHERE a.suspended_at_us IS NOT NULL AND d.state = 'waiting' AND d.submitted_at_us IS NULL"
        " ORDER BY d.id LIMIT 100"
    )
