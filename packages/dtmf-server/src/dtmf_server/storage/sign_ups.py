"""Paid sign-ups: an invoice whose payment opens an account, and the hash of the secret that claims the account."""

from collections.abc import Sequence

from dtmf_server.core.money import NOBODY
from dtmf_server.storage.db import Row, Tx

_COLUMNS = (
    "s.id, s.invoice_id, s.account_id, s.token_id, s.claim_until_us, i.payment_hash, i.bolt11, i.amount_msat, i.state,"
    " i.expires_at_us, i.created_at_us"
)
_FROM = "FROM sign_ups s JOIN lightning_invoices i ON i.id = s.invoice_id"


def add(tx: Tx, *, invoice_id: int, claim_sha256: bytes, network: bytes | None) -> Row:
    """Add a sign-up. Return it with its invoice."""
    row = tx.one(
        "INSERT INTO sign_ups (invoice_id, claim_sha256, network) VALUES (:invoice_id, :claim_sha256, :network)"
        " RETURNING id",
        invoice_id=invoice_id,
        claim_sha256=claim_sha256,
        network=network,
    )
    assert row is not None
    return by_id(tx, row["id"])


def count_open(tx: Tx, network: bytes, *, now_us: int) -> int:
    """Return how many sign-ups requested from a network can still be paid."""
    row = tx.one(
        f"SELECT count(*) AS n {_FROM} WHERE s.network = :network AND i.state IN ('wanted', 'open')"
        " AND i.expires_at_us > :now_us",
        network=network,
        now_us=now_us,
    )
    assert row is not None
    return int(row["n"])


def lock(tx: Tx, *, invoice_ids: Sequence[int]) -> list[Row]:
    """Lock the sign-ups of these invoices until the transaction ends, and return them."""
    return tx.all(
        "SELECT id, invoice_id, account_id FROM sign_ups WHERE invoice_id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE",
        ids=list(invoice_ids),
    )


def by_id(tx: Tx, sign_up_id: int) -> Row:
    """Return a sign-up with its invoice; it must exist."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE s.id = :id", id=sign_up_id)
    assert row is not None, "sign-ups are never deleted"
    return row


def by_claim(tx: Tx, claim_sha256: bytes) -> Row | None:
    """Return the sign-up that this secret claims, with its invoice."""
    return tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE s.claim_sha256 = :claim_sha256", claim_sha256=claim_sha256)


def by_payment_hash(tx: Tx, payment_hash: str) -> Row | None:
    """Return the sign-up with this payment hash, and its invoice."""
    return tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE i.payment_hash = :payment_hash", payment_hash=payment_hash)


def lock_and_load(tx: Tx, sign_up_id: int) -> Row:
    """Lock a sign-up until the transaction ends, and return it with its invoice."""
    tx.lock_rows("SELECT id FROM sign_ups WHERE id = :id", id=sign_up_id)
    return by_id(tx, sign_up_id)


def open_account(tx: Tx, sign_up_id: int, *, invoice_id: int, account_id: int) -> None:
    """Record the account that the payment opened, and make the invoice its own. The network is not needed any more."""
    tx.run(
        "UPDATE sign_ups SET account_id = :account_id, network = NULL WHERE id = :id",
        id=sign_up_id,
        account_id=account_id,
    )
    tx.run(
        "UPDATE lightning_invoices SET account_id = :account_id WHERE id = :id AND account_id = :nobody",
        id=invoice_id,
        account_id=account_id,
        nobody=NOBODY,
    )


def record_claim(tx: Tx, sign_up_id: int, *, token_id: int | None, claim_until_us: int) -> None:
    """Record the token that a claim created, and until when the claim can be repeated."""
    tx.run(
        "UPDATE sign_ups SET token_id = :token_id, claim_until_us = :claim_until_us WHERE id = :id",
        id=sign_up_id,
        token_id=token_id,
        claim_until_us=claim_until_us,
    )


def forget_networks(tx: Tx, invoice_ids: Sequence[int]) -> None:
    """Delete the networks of sign-ups that can't be paid any more."""
    tx.run("UPDATE sign_ups SET network = NULL WHERE invoice_id = ANY(:ids)", ids=list(invoice_ids))


def unclaimed(tx: Tx) -> Row:
    """Return how many paid sign-ups were never claimed, and the satoshis on their accounts."""
    row = tx.one(
        "SELECT count(*) AS n, coalesce(sum(a.balance), 0) AS sats FROM sign_ups s JOIN accounts a ON a.id = s.account_id"
        " WHERE s.claim_until_us IS NULL"
    )
    assert row is not None
    return row
