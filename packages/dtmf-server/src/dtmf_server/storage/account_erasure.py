"""Erasure of a deleted account: texts, phone numbers of others, destinations and responses. The ledger is not touched.

It runs in portions: a row of `closings` records the step that an account has reached, and the last row done in its
table.
"""

from collections.abc import Iterable

from dtmf_server.storage.db import Row, Tx

CLOSED = "the account was deleted"

# Each step: a table whose rows have IDs, and the statements run on a portion of the account's rows.
_STEPS = (
    (
        "messages",
        "UPDATE messages SET content = NULL, reason = NULL, sender = CASE WHEN inbound THEN '' ELSE sender END,"
        " recipient = CASE WHEN inbound THEN recipient ELSE '' END WHERE id = ANY(:ids)",
    ),
    (
        "deliveries",
        "UPDATE attempts SET reply = NULL, reason = '' WHERE delivery_id = ANY(:ids)",
        # A message that a carrier may have keeps its charge until the carrier's answer decides.
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL"
        " WHERE id = ANY(:ids) AND state = 'waiting' AND submitted_at_us IS NULL",
        "UPDATE deliveries SET stop_reason = :reason WHERE id = ANY(:ids) AND finished_at_us IS NULL",
        "UPDATE deliveries SET destination = '', reason = :reason WHERE id = ANY(:ids)",
    ),
    (
        "rentals",
        "UPDATE rentals SET action = NULL, destination = NULL, label = NULL, network = NULL,"
        " erased_at_us = coalesce(erased_at_us, :now_us) WHERE id = ANY(:ids)",
        "DELETE FROM parts WHERE recipient IN (SELECT e164 FROM rentals WHERE id = ANY(:ids))"
        " AND NOT EXISTS (SELECT 1 FROM rentals r WHERE r.e164 = parts.recipient AND r.ended_at_us IS NULL)",
    ),
    ("events", "UPDATE events SET data = '{}' WHERE id = ANY(:ids)"),
)


def begin(tx: Tx, account_id: int) -> None:
    """Start erasing the account. Data in single rows is erased immediately."""
    tx.run("INSERT INTO closings (account_id, step, after_id) VALUES (:id, 0, 0)", id=account_id)
    tx.run("UPDATE accounts SET webhook_url = NULL WHERE id = :id", id=account_id)


def first_unfinished(tx: Tx) -> int | None:
    """Return an account that is being deleted, or None."""
    row = tx.one("SELECT account_id FROM closings ORDER BY account_id LIMIT 1")
    return row["account_id"] if row else None


def place(tx: Tx, account_id: int) -> Row | None:
    """Return how far the account's deletion has come, or None if it is done. Lock the account first."""
    return tx.one("SELECT step, after_id FROM closings WHERE account_id = :id", id=account_id)


def erase(tx: Tx, account_id: int, place: Row, *, now_us: int, limit: int) -> int:
    """Erase the next rows from `place` on, or advance to the next step if there are none. Return the number of rows
    processed, at least 1. The account's rentals must have ended."""
    if place["step"] >= len(_STEPS):
        return _erase_answers(tx, account_id, limit)
    table, *statements = _STEPS[place["step"]]
    rows = tx.all(
        f"SELECT id FROM {table} WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=place["after_id"],
        limit=limit,
    )
    if rows:
        ids = [row["id"] for row in rows]
        for statement in statements:
            known = {"now_us": now_us, "reason": CLOSED}
            tx.run(statement, ids=ids, **{name: value for name, value in known.items() if f":{name}" in statement})
    is_last = len(rows) < limit
    tx.run(
        "UPDATE closings SET step = :step, after_id = :after WHERE account_id = :account_id",
        step=place["step"] + is_last,
        after=0 if is_last else rows[-1]["id"],
        account_id=account_id,
    )
    return max(1, len(rows))


def _erase_answers(tx: Tx, account_id: int, limit: int) -> int:
    """Run the last step: delete stored responses and the records of requests. After that the deletion is done."""
    done = tx.run(
        "DELETE FROM idempotency WHERE account_id = :account_id AND key IN"
        " (SELECT key FROM idempotency WHERE account_id = :account_id LIMIT :limit)",
        account_id=account_id,
        limit=limit,
    )
    if done < limit:
        done += tx.run(
            "DELETE FROM api_requests WHERE id IN"
            " (SELECT id FROM api_requests WHERE account_id = :account_id ORDER BY id LIMIT :limit)",
            account_id=account_id,
            limit=limit - done,
        )
    if done < limit:
        tx.run("DELETE FROM closings WHERE account_id = :account_id", account_id=account_id)
        tx.notify("erased")
    return max(1, done)


def revoke_tokens(tx: Tx, account_id: int, *, now_us: int) -> None:
    """Revoke every token, including the last one, and erase the labels."""
    tx.run(
        "UPDATE tokens SET label = '', revoked_at_us = coalesce(revoked_at_us, :now_us) WHERE account_id = :account_id",
        account_id=account_id,
        now_us=now_us,
    )


def is_closed(tx: Tx, account_id: int) -> bool:
    """Return True if the account was deleted by its renter."""
    return tx.one("SELECT 1 FROM accounts WHERE id = :id AND closed_at_us IS NOT NULL", id=account_id) is not None


def closed_among(tx: Tx, account_ids: Iterable[int]) -> set[int]:
    """Return those of these accounts that were deleted."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE id = ANY(:ids) AND closed_at_us IS NOT NULL", ids=sorted(set(account_ids))
    )
    return {row["id"] for row in rows}


def mark(tx: Tx, account_id: int, *, now_us: int) -> None:
    """Mark the account as closed."""
    tx.run("UPDATE accounts SET closed_at_us = :now_us WHERE id = :id", id=account_id, now_us=now_us)
