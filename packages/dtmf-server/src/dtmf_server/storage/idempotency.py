"""Idempotency keys, stored in the transaction of their effect."""

from typing import Any

import msgspec

from dtmf_server.storage.db import Row, Tx

_TEXTS = frozenset({"content", "reply"})  # the text of an SMS, and a receiver's reply to it
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


def begin(tx: Tx, *, account_id: int, key: str, fingerprint: bytes, wall_us: int) -> Row | None:
    """Claim the key; return the earlier request's row if there is one. A concurrent request waits here for the
    first."""
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


def find(tx: Tx, *, account_id: int, key: str) -> Row | None:
    """Return the stored response to this key's request, or None."""
    return tx.one(
        "SELECT status, body FROM idempotency WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=key,
    )


def finish(
    tx: Tx, *, account_id: int, key: str, status: int, body: bytes | None, secret: bool, rental_id: int | None
) -> None:
    """Store the response; a secret one without its body. `rental_id`: the rental whose texts it contains."""
    tx.run(
        "UPDATE idempotency SET status = :status, body = :body, secret = :secret, rental_id = :rental_id"
        " WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=key,
        status=status,
        body=None if secret else body,
        secret=secret,
        rental_id=rental_id,
    )


def erase_texts(tx: Tx, rental_ids: list[int]) -> None:
    """Erase texts of these rentals from stored responses: a repeated request then returns null for them, like the
    message itself."""
    for row in tx.all(
        "SELECT account_id, key, body FROM idempotency WHERE rental_id = ANY(:ids) AND body IS NOT NULL", ids=rental_ids
    ):
        tx.run(
            "UPDATE idempotency SET body = :body WHERE account_id = :account_id AND key = :key",
            account_id=row["account_id"],
            key=row["key"],
            body=_encode(_without_texts(_decode(bytes(row["body"])))),
        )


def _without_texts(value: Any) -> Any:
    """Return the same JSON value with null in every field that can contain a text."""
    if isinstance(value, dict):
        return {name: None if name in _TEXTS else _without_texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_texts(each) for each in value]
    return value


def forget(tx: Tx, *, before_wall_us: int) -> int:
    """Delete keys created before `before_wall_us`. Return how many."""
    return tx.run("DELETE FROM idempotency WHERE created_wall_us < :before_wall_us", before_wall_us=before_wall_us)
