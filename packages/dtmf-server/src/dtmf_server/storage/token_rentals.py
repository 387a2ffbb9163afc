"""Rentals and SMS actions of restricted tokens."""

from collections.abc import Iterator

from dtmf_server.core.billing import LiveRental
from dtmf_server.storage import rentals
from dtmf_server.storage.db import Row, Tx

PAGE = 1000


def live(tx: Tx, token_ids: list[int], *, limit: int) -> list[LiveRental]:
    """Return some live rentals that these tokens started, oldest first."""
    rows = tx.all(
        "SELECT id FROM rentals WHERE token_id = ANY(:ids) AND token_id IS NOT NULL AND ended_at_us IS NULL"
        " ORDER BY id LIMIT :limit",
        ids=token_ids,
        limit=limit,
    )
    return rentals.running(tx, [row["id"] for row in rows]) if rows else []


def with_action(tx: Tx, token_ids: list[int], *, limit: int) -> list[Row]:
    """Return some live rentals whose action one of these tokens set."""
    return tx.all(
        "SELECT * FROM rentals WHERE action_token_id = ANY(:ids) AND action_token_id IS NOT NULL AND ended_at_us IS NULL"
        " ORDER BY id LIMIT :limit",
        ids=token_ids,
        limit=limit,
    )


def adopt(tx: Tx, rental_id: int) -> None:
    """Make a rental the account's own, with its action."""
    tx.run("UPDATE rentals SET token_id = NULL, action_token_id = NULL WHERE id = :rental_id", rental_id=rental_id)


def by_ids(tx: Tx, rental_ids: list[int]) -> list[Row]:
    """Return these rentals, live or ended."""
    return tx.all("SELECT * FROM rentals WHERE id = ANY(:ids) ORDER BY id", ids=rental_ids)


def all_reserved(tx: Tx) -> Iterator[Row]:
    """Yield every rental for which something is or was reserved, live or ended, with its refund; for verification."""
    after = 0
    while rows := tx.all(
        "SELECT r.*, coalesce(f.minutes_sats + f.setup_sats, 0) + coalesce(o.sats, 0) AS refunded FROM rentals r"
        " LEFT JOIN rental_refunds f ON f.rental_id = r.id"
        " LEFT JOIN operator_refunds o ON o.charge = 'rental' AND o.charge_id = r.id"
        " WHERE r.id > :after AND r.reserves IS NOT NULL ORDER BY r.id LIMIT :limit",
        after=after,
        limit=PAGE,
    ):
        yield from rows
        after = rows[-1]["id"]
