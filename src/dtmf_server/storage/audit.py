"""What `verify` reads: the books beside what the other tables say. No statement here is on a hot path."""

from collections.abc import Iterator

from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.storage import accounts
from dtmf_server.storage.accounts import Account
from dtmf_server.storage.db import Row, Tx

PAGE = 1000


def customer_balances(tx: Tx) -> list[Row]:
    """The balance each customer's account says it has."""
    return tx.all("SELECT id, balance FROM accounts WHERE kind = 'customer'")


def wrong_running_balances(tx: Tx) -> list[Row]:
    """Transfers whose `balance` is not the one before plus or minus their amount."""
    return tx.all(
        "SELECT id, account_id, balance, expected FROM ("
        " SELECT id, account_id, balance, sum(CASE WHEN credit = account_id THEN amount"
        "  WHEN debit = account_id THEN -amount ELSE 0 END) OVER (PARTITION BY account_id ORDER BY id)"
        "  AS expected FROM transfers) summed WHERE balance <> expected ORDER BY id LIMIT 100"
    )


def debts(tx: Tx, *, incurred: str, paid: str) -> list[Row]:
    """Each account's debt beside the one in the books, where either is not 0."""
    return tx.all(
        "SELECT a.id, a.debt, coalesce(t.sats, 0) AS booked FROM accounts a LEFT JOIN ("
        " SELECT account_id, sum(CASE kind WHEN :incurred THEN amount ELSE -amount END) AS sats"
        " FROM transfers WHERE kind IN (:incurred, :paid) GROUP BY account_id) t ON t.account_id = a.id"
        " WHERE a.debt <> 0 OR coalesce(t.sats, 0) <> 0 ORDER BY a.id",
        incurred=incurred,
        paid=paid,
    )


def rental_minutes(tx: Tx) -> list[Row]:
    """Each rental beside the minutes booked for it and the satoshis that paid them."""
    return tx.all(
        "SELECT r.id, r.cost_per_minute, r.started_at_us, r.ended_at_us, r.end_reason, r.booked_minutes,"
        " coalesce(b.booked, 0) AS booked, coalesce(b.paid, 0) AS paid FROM rentals r LEFT JOIN ("
        " SELECT m.rental_id, sum(m.to_minute - m.from_minute) AS booked, sum(t.amount) AS paid"
        " FROM minute_bookings m JOIN transfers t ON t.id = m.transfer_id GROUP BY m.rental_id) b"
        " ON b.rental_id = r.id ORDER BY r.id"
    )


def wrong_message_costs(tx: Tx) -> list[Row]:
    """Messages whose cost is not what the books have for them."""
    return tx.all(
        "SELECT m.id, m.cost, coalesce(t.sats, 0) AS booked FROM messages m LEFT JOIN ("
        " SELECT ref, sum(CASE kind WHEN 'message_refunded' THEN -amount ELSE amount END) AS sats"
        " FROM transfers WHERE kind IN ('message_received', 'message_sent', 'message_refunded') GROUP BY ref) t"
        " ON t.ref = CAST(m.id AS TEXT) WHERE m.cost <> coalesce(t.sats, 0) ORDER BY m.id LIMIT 100"
    )


def wrong_message_states(tx: Tx) -> list[Row]:
    """Sent messages whose status contradicts their refund or their delivery, with what each of the three says."""
    return tx.all(
        "SELECT * FROM (SELECT m.id, m.status, d.state, d.submitted_at_us IS NOT NULL AS submitted,"
        "  EXISTS (SELECT 1 FROM transfers t WHERE t.kind = 'message_refunded' AND t.ref = CAST(m.id AS TEXT)) AS refunded,"
        "  m.cost FROM messages m LEFT JOIN deliveries d ON d.message_id = coalesce(m.forward_of, m.id)"
        "   AND d.kind = CASE WHEN m.forward_of IS NULL THEN 'send' ELSE 'forward' END"
        "  WHERE NOT m.inbound) sent WHERE (refunded AND status <> 'failed') OR (status = 'failed' AND cost <> 0)"
        " OR (submitted AND status <> 'queued') OR (status = 'in_doubt') <> (coalesce(state, '') = 'in_doubt')"
        " OR (status = 'unknown') <> (coalesce(state, '') = 'unknown') ORDER BY id LIMIT 100"
    )


def wrong_deposits(tx: Tx) -> list[Row]:
    """Deposits that are credited without it in the books of their account, or in the books of any without being so."""
    return tx.all(
        "SELECT d.txid, d.vout, d.status, d.amount, d.account_id AS owner, coalesce(t.account_id, d.account_id) AS account_id,"
        " coalesce(t.sats, 0) AS booked FROM deposits d LEFT JOIN (SELECT * FROM ("
        "  SELECT reference, account_id, sum(CASE kind WHEN 'deposit' THEN amount ELSE -amount END) AS sats"
        "  FROM transfers WHERE kind IN ('deposit', 'deposit_reversed', 'debt') GROUP BY reference, account_id) summed"
        " WHERE sats <> 0) t ON t.reference = d.txid || ':' || CAST(d.vout AS TEXT)"
        " WHERE coalesce(t.sats, 0) <> CASE WHEN d.status = 'credited'"
        "  AND coalesce(t.account_id, d.account_id) = d.account_id THEN d.amount ELSE 0 END ORDER BY d.id LIMIT 100"
    )


def accounts_with_rentals(tx: Tx) -> Iterator[Account]:
    """Every customer's account with its live rentals."""
    after = 0
    while ids := [
        row["id"]
        for row in tx.all(
            "SELECT id FROM accounts WHERE kind = 'customer' AND id > :after ORDER BY id LIMIT :limit",
            after=after,
            limit=PAGE,
        )
    ]:
        yield from accounts.by_ids(tx, ids)
        after = ids[-1]


def counts(tx: Tx) -> Row:
    """How much there is."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM accounts WHERE id >= :first) AS customers,"
        " (SELECT count(*) FROM transfers) AS transfers, (SELECT count(*) FROM rentals) AS rentals",
        first=FIRST_CUSTOMER,
    )
    assert row is not None
    return row
