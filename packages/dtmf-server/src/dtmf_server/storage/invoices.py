"""Lightning invoices, from the row that is committed before the node is asked to the payment that settles it."""

from dtmf_server.core.lightning import NodeInvoice, SettledPayment
from dtmf_server.core.money import Kind
from dtmf_server.storage.db import Row, Tx

_COLUMNS = (
    "id, account_id, external_id, payment_hash, bolt11, amount_msat, description, created_at_us, created_wall_us,"
    " expires_at_us, state, look_up_at_us, node_id, settled_at_us, received_msat, fee_msat, credited_sats"
)


def add(
    tx: Tx,
    account_id: int,
    *,
    external_id: str,
    amount_msat: int | None,
    description: str,
    expires_at_us: int,
    is_newcomer: bool,
    now_us: int,
    wall_us: int,
) -> int:
    """Add an invoice that the node is to create. Return its ID."""
    row = tx.one(
        "INSERT INTO lightning_invoices (account_id, external_id, amount_msat, description, created_at_us,"
        " created_wall_us, expires_at_us, state, is_newcomer) VALUES (:account_id, :external_id, :amount_msat,"
        " :description, :now_us, :wall_us, :expires_at_us, 'wanted', :is_newcomer) RETURNING id",
        account_id=account_id,
        external_id=external_id,
        amount_msat=amount_msat,
        description=description,
        expires_at_us=expires_at_us,
        is_newcomer=is_newcomer,
        now_us=now_us,
        wall_us=wall_us,
    )
    assert row is not None
    tx.note("lightning_invoices", [row["id"]])
    return int(row["id"])


def count_open(tx: Tx, account_id: int, *, now_us: int) -> int:
    """Return how many invoices of the account can still be paid."""
    row = tx.one(
        "SELECT count(*) AS n FROM lightning_invoices WHERE account_id = :account_id AND state IN ('wanted', 'open')"
        " AND expires_at_us > :now_us",
        account_id=account_id,
        now_us=now_us,
    )
    assert row is not None
    return int(row["n"])


def count_since(tx: Tx, account_id: int, *, since_wall_us: int) -> Row:
    """Return how many invoices were created since then: in all, for newcomers, and for this account."""
    row = tx.one(
        "SELECT count(*) AS total, coalesce(sum(CASE WHEN is_newcomer THEN 1 ELSE 0 END), 0) AS newcomers,"
        " coalesce(sum(CASE WHEN account_id = :account_id THEN 1 ELSE 0 END), 0) AS own"
        " FROM lightning_invoices WHERE created_wall_us > :since_wall_us",
        account_id=account_id,
        since_wall_us=since_wall_us,
    )
    assert row is not None
    return row


def is_newcomer(tx: Tx, account_id: int) -> bool:
    """Return whether the account never had a rental or a deposit."""
    rented = tx.one("SELECT 1 FROM rentals WHERE account_id = :id LIMIT 1", id=account_id)
    return rented is None and not tx.one(
        "SELECT 1 FROM transfers WHERE account_id = :id AND kind IN (:bitcoin, :lightning) LIMIT 1",
        id=account_id,
        bitcoin=Kind.DEPOSIT,
        lightning=Kind.LIGHTNING_DEPOSIT,
    )


def store(tx: Tx, invoice_id: int, created: NodeInvoice, *, node_id: int, look_up_at_us: int | None) -> bool:
    """Store the node's answer. Return False if one is stored already."""
    return bool(
        tx.run(
            "UPDATE lightning_invoices SET state = 'open', payment_hash = :payment_hash, bolt11 = :bolt11,"
            " node_id = :node_id, look_up_at_us = :look_up_at_us WHERE id = :id AND payment_hash IS NULL",
            id=invoice_id,
            payment_hash=created.payment_hash,
            bolt11=created.bolt11,
            node_id=node_id,
            look_up_at_us=look_up_at_us,
        )
    )


def give_up(tx: Tx, invoice_id: int) -> None:
    """Give up an invoice that the node never created."""
    tx.run("UPDATE lightning_invoices SET state = 'expired' WHERE id = :id AND state = 'wanted'", id=invoice_id)


def settle(tx: Tx, payment: SettledPayment, *, node_id: int, now_us: int) -> bool:
    """Record the payment of an invoice. Return False if it is recorded already."""
    return bool(
        tx.run(
            "UPDATE lightning_invoices SET state = 'settled', settled_at_us = :now_us, received_msat = :received_msat,"
            " fee_msat = :fee_msat, credited_sats = :credited_sats, node_id = :node_id, look_up_at_us = NULL"
            " WHERE payment_hash = :payment_hash AND state <> 'settled'",
            payment_hash=payment.payment_hash,
            received_msat=payment.received_msat,
            fee_msat=payment.fee_msat,
            credited_sats=payment.credited_sats,
            node_id=node_id,
            now_us=now_us,
        )
    )


def expire(tx: Tx, *, now_us: int, limit: int) -> list[Row]:
    """Mark open invoices whose time is over as expired. Return their IDs and accounts."""
    return tx.all(
        "UPDATE lightning_invoices SET state = 'expired' WHERE id IN (SELECT id FROM lightning_invoices"
        " WHERE state = 'open' AND expires_at_us <= :now_us ORDER BY expires_at_us LIMIT :limit)"
        " AND state = 'open' RETURNING id, account_id",
        now_us=now_us,
        limit=limit,
    )


def any_to_expire(tx: Tx, *, now_us: int) -> bool:
    """Return whether `expire` has anything to do."""
    return (
        tx.one("SELECT 1 FROM lightning_invoices WHERE state = 'open' AND expires_at_us <= :now_us", now_us=now_us)
        is not None
    )


def wanted(tx: Tx, *, created_before_us: int, limit: int) -> list[Row]:
    """Return the oldest invoices that the node may not have created."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE state = 'wanted' AND created_at_us <= :created_before_us"
        " ORDER BY created_at_us LIMIT :limit",
        created_before_us=created_before_us,
        limit=limit,
    )


def due(tx: Tx, *, now_us: int, limit: int) -> list[Row]:
    """Return the invoices to look up, the longest overdue first."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE look_up_at_us IS NOT NULL AND look_up_at_us <= :now_us"
        " ORDER BY look_up_at_us LIMIT :limit",
        now_us=now_us,
        limit=limit,
    )


def next_due_us(tx: Tx) -> int | None:
    """Return when the next invoice is to be looked up."""
    row = tx.one("SELECT min(look_up_at_us) AS at_us FROM lightning_invoices WHERE look_up_at_us IS NOT NULL")
    return row["at_us"] if row else None


def look_up_at(tx: Tx, invoice_id: int, at_us: int | None) -> None:
    """Set when an unsettled invoice is looked up next."""
    tx.run(
        "UPDATE lightning_invoices SET look_up_at_us = :at_us WHERE id = :id AND state <> 'settled'",
        id=invoice_id,
        at_us=at_us,
    )


def look_up_all(tx: Tx, node_id: int, *, now_us: int) -> int:
    """Make every unsettled invoice of the node due for a look-up. Return how many."""
    return tx.run(
        "UPDATE lightning_invoices SET look_up_at_us = :now_us WHERE node_id = :node_id AND state <> 'settled'",
        node_id=node_id,
        now_us=now_us,
    )


def by_hashes(tx: Tx, payment_hashes: list[str]) -> dict[str, Row]:
    """Return these invoices by their payment hash."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM lightning_invoices WHERE payment_hash = ANY(:hashes)", hashes=payment_hashes)
    return {row["payment_hash"]: row for row in rows}


def by_id(tx: Tx, invoice_id: int) -> Row | None:
    """Return the invoice."""
    return tx.one(f"SELECT {_COLUMNS} FROM lightning_invoices WHERE id = :id", id=invoice_id)


def by_bolt11(tx: Tx, bolt11: str) -> Row | None:
    """Return the simulated node's invoice with this text."""
    return tx.one(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE payment_hash ="
        " (SELECT payment_hash FROM simulated_invoices WHERE bolt11 = :bolt11)",
        bolt11=bolt11,
    )


def of_account(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """Return an account's invoices with IDs above `after`, oldest first, without those that were never created."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE account_id = :account_id AND id > :after"
        " AND payment_hash IS NOT NULL ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


def newest_of_account(tx: Tx, account_id: int, *, limit: int) -> list[Row]:
    """Return an account's last invoices, newest first, without those that were never created."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE account_id = :account_id AND payment_hash IS NOT NULL"
        " ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
    )


def all_paid(tx: Tx, *, after: int, limit: int) -> list[Row]:
    """Return settled invoices of all accounts with IDs above `after`, oldest first."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM lightning_invoices WHERE state = 'settled' AND id > :after ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
    )


def counts(tx: Tx, *, now_us: int, node_id: int | None) -> Row:
    """Return how many invoices are open, how many of these other nodes created, and how many are overdue for a look-up."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM lightning_invoices WHERE state = 'open') AS open,"
        " (SELECT count(*) FROM lightning_invoices WHERE state = 'open' AND node_id <> :node_id) AS foreign_ones,"
        " (SELECT count(*) FROM lightning_invoices WHERE look_up_at_us IS NOT NULL AND look_up_at_us <= :now_us)"
        " AS overdue",
        now_us=now_us,
        node_id=node_id or 0,
    )
    assert row is not None
    return row
