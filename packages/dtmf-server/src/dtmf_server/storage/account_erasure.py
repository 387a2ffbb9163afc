"""What is erased with an account: texts, other people's numbers, destinations, answers. The books are not touched.

In portions: a row of `closings` says which step an account has come to, and which of that table's rows were done last.
"""

from collections.abc import Iterable

from dtmf_server.storage.db import Row, Tx

CLOSED = "the account was deleted"

# Each step: a table whose rows have ids, and what is done to a portion of the account's.
_STEPS = (
    (
        "messages",
        "UPDATE messages SET content = NULL, reason = NULL, sender = CASE WHEN inbound THEN '' ELSE sender END,"
        " recipient = CASE WHEN inbound THEN recipient ELSE '' END WHERE id = ANY(:ids)",
    ),
    (
        "deliveries",
        "UPDATE attempts SET reply = NULL, reason = '' WHERE delivery_id = ANY(:ids)",
        # A message that a carrier may have keeps its charge: what the carrier says of it decides.
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL"
        " WHERE id = ANY(:ids) AND state = 'waiting' AND submitted_at_us IS NULL",
        "UPDATE deliveries SET stop_reason = :reason WHERE id = ANY(:ids) AND finished_at_us IS NULL",
        "UPDATE deliveries SET destination = '', reason = :reason WHERE id = ANY(:ids)",
    ),
    (
        "rentals",
        "UPDATE rentals SET action = NULL, destination = NULL, erased_at_us = coalesce(erased_at_us, :now_us)"
        " WHERE id = ANY(:ids)",
        "DELETE FROM parts WHERE recipient IN (SELECT e164 FROM rentals WHERE id = ANY(:ids))"
        " AND NOT EXISTS (SELECT 1 FROM rentals r WHERE r.e164 = parts.recipient AND r.ended_at_us IS NULL)",
    ),
    ("events", "UPDATE events SET data = '{}' WHERE id = ANY(:ids)"),
)


def begin(tx: Tx, account_id: int) -> None:
    """The account is to be erased; what is in single rows goes now."""
    tx.run("INSERT INTO closings (account_id, step, after_id) VALUES (:id, 0, 0)", id=account_id)
    tx.run("UPDATE accounts SET webhook_url = NULL WHERE id = :id", id=account_id)


def first_unfinished(tx: Tx) -> int | None:
    """An account that is being deleted, None without one."""
    row = tx.one("SELECT account_id FROM closings ORDER BY account_id LIMIT 1")
    return row["account_id"] if row else None


def place(tx: Tx, account_id: int) -> Row | None:
    """How far the account's deletion has come, None when it is done. Lock the account first."""
    return tx.one("SELECT step, after_id FROM closings WHERE account_id = :id", id=account_id)


def erase(tx: Tx, account_id: int, place: Row, *, now_us: int, limit: int) -> int:
    """Erases the next rows from that place on, at least one step further if there are none: how many were looked at, at
    least 1. The account's rentals have ended."""
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
    """The last step: the remembered answers; then the deletion is done."""
    done = tx.run(
        "DELETE FROM idempotency WHERE account_id = :account_id AND key IN"
        " (SELECT key FROM idempotency WHERE account_id = :account_id LIMIT :limit)",
        account_id=account_id,
        limit=limit,
    )
    if done < limit:
        tx.run("DELETE FROM closings WHERE account_id = :account_id", account_id=account_id)
        tx.notify("erased")
    return max(1, done)


def revoke_tokens(tx: Tx, account_id: int, *, now_us: int) -> None:
    """Revokes every token, the last one too; what they were for is nobody's business any more."""
    tx.run(
        "UPDATE tokens SET label = '', revoked_at_us = coalesce(revoked_at_us, :now_us) WHERE account_id = :account_id",
        account_id=account_id,
        now_us=now_us,
    )


def is_closed(tx: Tx, account_id: int) -> bool:
    """Whether its renter has deleted the account."""
    return tx.one("SELECT 1 FROM accounts WHERE id = :id AND closed_at_us IS NOT NULL", id=account_id) is not None


def closed_among(tx: Tx, account_ids: Iterable[int]) -> set[int]:
    """Those of these accounts that were deleted."""
    rows = tx.all(
        "SELECT id FROM accounts WHERE id = ANY(:ids) AND closed_at_us IS NOT NULL", ids=sorted(set(account_ids))
    )
    return {row["id"] for row in rows}


def mark(tx: Tx, account_id: int, *, now_us: int) -> None:
    """The account is closed."""
    tx.run("UPDATE accounts SET closed_at_us = :now_us WHERE id = :id", id=account_id, now_us=now_us)
