"""Idempotency keys, stored in the transaction of their effect."""

from dtmf_server.storage.db import Row, Tx


def begin(tx: Tx, *, account_id: int, key: str, fingerprint: bytes, wall_us: int) -> Row | None:
    """Claims the key; the earlier request's row if there is one. A second request waits here for the first."""
    claimed = tx.run(
        "INSERT INTO idempotency (account_id, key, fingerprint, created_wall_us, secret)"
        " VALUES (:account_id, :key, :fingerprint, :wall_us, :secret) ON CONFLICT (account_id, key) DO NOTHING",
        account_id=account_id,
        key=key,
        fingerprint=fingerprint,
        wall_us=wall_us,
        secret=False,
    )
    if claimed:
        return None
    return tx.one(
        "SELECT fingerprint, status, body, secret FROM idempotency WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=key,
    )


def finish(tx: Tx, *, account_id: int, key: str, status: int, body: bytes | None, secret: bool) -> None:
    """Remembers the answer; a secret one without its body."""
    tx.run(
        "UPDATE idempotency SET status = :status, body = :body, secret = :secret"
        " WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=key,
        status=status,
        body=None if secret else body,
        secret=secret,
    )


def forget(tx: Tx, *, before_wall_us: int) -> int:
    """Forgets keys older than that."""
    return tx.run("DELETE FROM idempotency WHERE created_wall_us < :before_wall_us", before_wall_us=before_wall_us)
