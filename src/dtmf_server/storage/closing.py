"""What is erased with an account: texts, other people's numbers, destinations, answers. The books are not touched."""

from collections.abc import Iterable

from dtmf_server.storage.db import Tx

CLOSED = "the account was deleted"


def erase(tx: Tx, account_id: int, *, now_us: int) -> None:
    """Erases it; every rental of the account has ended by now."""
    for statement in (
        "UPDATE messages SET content = NULL, reason = NULL,"
        " sender = CASE WHEN inbound THEN '' ELSE sender END,"
        " recipient = CASE WHEN inbound THEN recipient ELSE '' END WHERE account_id = :account_id",
        "UPDATE attempts SET reply = NULL, reason = '' WHERE delivery_id IN"
        " (SELECT id FROM deliveries WHERE account_id = :account_id)",
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL"
        " WHERE account_id = :account_id AND state = 'waiting'",
        "UPDATE deliveries SET destination = '', reason = :reason WHERE account_id = :account_id",
        "UPDATE rentals SET action = NULL, destination = NULL, erased_at_us = coalesce(erased_at_us, :now_us)"
        " WHERE account_id = :account_id",
        "UPDATE accounts SET webhook_url = NULL WHERE id = :account_id",
        "UPDATE events SET data = '{}' WHERE account_id = :account_id",
        "DELETE FROM idempotency WHERE account_id = :account_id",
    ):
        tx.run(statement, account_id=account_id, now_us=now_us, reason=CLOSED)


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
    rows = tx.all("SELECT id FROM accounts WHERE id IN @ids AND closed_at_us IS NOT NULL", ids=sorted(set(account_ids)))
    return {row["id"] for row in rows}


def mark(tx: Tx, account_id: int, *, now_us: int) -> None:
    """The account is closed."""
    tx.run("UPDATE accounts SET closed_at_us = :now_us WHERE id = :id", id=account_id, now_us=now_us)
