"""API tokens. Only the SHA-256 of a token is stored."""

from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, *, account_id: int, sha256: bytes, label: str, now_us: int) -> int:
    """Add a token. Return its ID."""
    row = tx.one(
        "INSERT INTO tokens (account_id, sha256, label, created_at_us)"
        " VALUES (:account_id, :sha256, :label, :now_us) RETURNING id",
        account_id=account_id,
        sha256=sha256,
        label=label,
        now_us=now_us,
    )
    assert row is not None
    return int(row["id"])


def opened_by(tx: Tx, sha256: bytes) -> Row | None:
    """Return the account that a token opens, or None if the token was revoked or never existed; with the offset of the
    sandbox's clock, since every request needs both."""
    return tx.one(
        "SELECT account_id, (SELECT clock_offset_us FROM service) AS clock_offset_us FROM tokens"
        " WHERE sha256 = :sha256 AND revoked_at_us IS NULL",
        sha256=sha256,
    )


def found(tx: Tx, sha256: bytes) -> Row | None:
    """Return the ID and account of a working token."""
    return tx.one("SELECT id, account_id FROM tokens WHERE sha256 = :sha256 AND revoked_at_us IS NULL", sha256=sha256)


def of_account(tx: Tx, account_id: int) -> list[Row]:
    """Return an account's working tokens, oldest first."""
    return tx.all(
        "SELECT id, label, created_at_us FROM tokens WHERE account_id = :account_id AND revoked_at_us IS NULL"
        " ORDER BY id",
        account_id=account_id,
    )


def revoke(tx: Tx, *, account_id: int, token_id: int, now_us: int) -> bool:
    """Revoke a token of this account. Return False if it has no such token."""
    return bool(
        tx.run(
            "UPDATE tokens SET revoked_at_us = :now_us WHERE id = :token_id AND account_id = :account_id"
            " AND revoked_at_us IS NULL",
            account_id=account_id,
            token_id=token_id,
            now_us=now_us,
        )
    )


def first_account(tx: Tx) -> int | None:
    """Return the account that got the first token, of those not deleted, or None."""
    row = tx.one(
        "SELECT t.account_id FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE a.closed_at_us IS NULL"
        " ORDER BY t.id LIMIT 1"
    )
    return int(row["account_id"]) if row else None
