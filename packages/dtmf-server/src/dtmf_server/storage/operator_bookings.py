"""Credits, debits and refunds of operators: reads for their limits, and the comparison of the ledger with the audit log."""

from dtmf_server.storage.db import Row, Tx


def of_reference(tx: Tx, kinds: list[str], reference: str) -> Row | None:
    """Return the transfer of one of these kinds with this unique reference."""
    return tx.one(
        "SELECT kind, account_id, amount FROM transfers WHERE kind = ANY(:kinds) AND ref = :reference LIMIT 1",
        kinds=kinds,
        reference=reference,
    )


def moved_since(tx: Tx, action: str, *, since_wall_us: int) -> int:
    """Return the satoshis that actions of this name have moved since then; negative: from accounts."""
    row = tx.one(
        "SELECT CAST(coalesce(sum(sats), 0) AS bigint) AS sats FROM operator_actions"
        " WHERE at_wall_us >= :since_wall_us AND action = :action",
        action=action,
        since_wall_us=since_wall_us,
    )
    assert row is not None
    return int(row["sats"])


def rental_of_id(tx: Tx, rental_id: int) -> Row | None:
    """Return the account and number of a rental, if it exists."""
    return tx.one("SELECT account_id, e164 FROM rentals WHERE id = :rental_id", rental_id=rental_id)


def last_rental_of(tx: Tx, e164: str) -> int | None:
    """Return the ID of the number's last rental, if it ever had one."""
    row = tx.one("SELECT id FROM rentals WHERE e164 = :e164 ORDER BY started_at_us DESC, id DESC LIMIT 1", e164=e164)
    return None if row is None else int(row["id"])


def add_refund(tx: Tx, charge: str, charge_id: int, *, account_id: int, day: int, charged_sats: int, sats: int) -> None:
    """Store a refund of a message or a rental; the database allows one of each."""
    tx.run(
        "INSERT INTO operator_refunds (charge, charge_id, account_id, day, charged_sats, sats)"
        " VALUES (:charge, :charge_id, :account_id, :day, :charged_sats, :sats)",
        charge=charge,
        charge_id=charge_id,
        account_id=account_id,
        day=day,
        charged_sats=charged_sats,
        sats=sats,
    )


def was_refunded(tx: Tx, charge: str, charge_id: int) -> bool:
    """Return True if an operator refunded this."""
    row = tx.one(
        "SELECT 1 FROM operator_refunds WHERE charge = :charge AND charge_id = :charge_id",
        charge=charge,
        charge_id=charge_id,
    )
    return row is not None


def wrong_sums(tx: Tx) -> list[Row]:
    """Return accounts whose credits and debits in the ledger differ from those that the audit log records."""
    return tx.all(
        "SELECT account_id, CAST(sum(recorded) AS bigint) AS recorded, CAST(sum(booked) AS bigint) AS booked FROM ("
        " SELECT account_id, sats AS recorded, 0 AS booked FROM operator_actions"
        "  WHERE action IN ('accounts credit', 'accounts debit')"
        " UNION ALL SELECT account_id, 0, CASE kind WHEN 'operator_credit' THEN amount ELSE -amount END FROM transfers"
        "  WHERE kind IN ('operator_credit', 'operator_debit')) both_sides"
        " GROUP BY account_id HAVING sum(recorded) <> sum(booked) ORDER BY account_id LIMIT 100"
    )


def wrong_message_refunds(tx: Tx) -> list[Row]:
    """Return an operator's refunds of messages that differ from the ledger."""
    return tx.all(
        "SELECT o.charge_id AS message_id, o.sats, coalesce(t.amount, 0) AS booked FROM operator_refunds o"
        " LEFT JOIN transfers t ON t.kind = 'message_refunded' AND t.ref = CAST(o.charge_id AS TEXT)"
        " WHERE o.charge = 'message' AND o.sats <> coalesce(t.amount, 0) ORDER BY o.charge_id LIMIT 100"
    )
