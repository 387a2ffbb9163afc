"""The queries of `verify`: the ledger compared with the other tables. No statement here is on a hot path."""

from collections.abc import Iterator

from dtmf_server.core.money import FIRST_CUSTOMER, NOBODY
from dtmf_server.core.monthly_cap import PERIOD_MINUTES
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import accounts
from dtmf_server.storage.accounts import Account
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.minute_costs import UNITS_US
from dtmf_server.storage.schema.numbers import PAYING, PHASE_US

PAGE = 1000


def cost_of(minutes: str) -> str:
    """Return the SQL for the cost of the first minutes of the rental `r`, at least those before the last change of its
    price, as core/billing.py computes it."""
    return f"(r.priced_sats + {_at_price('r', f'({minutes}) - r.priced_minutes')})"


def past_cost_of(minutes: str) -> str:
    """Return the same for any number of minutes."""
    since = _at_price("p", f"({minutes}) - p.from_minute")
    return (
        f"CASE WHEN ({minutes}) >= r.priced_minutes THEN {cost_of(minutes)} ELSE (SELECT p.from_sats + {since}"
        f" FROM rental_prices p WHERE p.rental_id = r.id AND p.from_minute <= ({minutes})"
        " ORDER BY p.from_minute DESC LIMIT 1) END"
    )


def _at_price(table: str, minutes: str) -> str:
    """Return the SQL for the cost of minutes at one price, as core/monthly_cap.py computes it."""
    rest = f"(({minutes}) % {PERIOD_MINUTES}) * {table}.cost_per_minute"
    cap = f"{table}.monthly_cap"
    capped = f"({minutes}) / {PERIOD_MINUTES} * {cap} + CASE WHEN {rest} < {cap} THEN {rest} ELSE {cap} END"
    return f"CASE WHEN {cap} IS NULL THEN ({minutes}) * {table}.cost_per_minute ELSE {capped} END"


_BY_ACCOUNT = (
    "SELECT account, sum(sats) AS sats FROM (SELECT credit AS account, amount AS sats FROM transfers"
    " UNION ALL SELECT debit, -amount FROM transfers) moves GROUP BY account"
)

_LIGHTNING_CREDITS = (
    "SELECT ref, sum(amount) AS sats, min(credit) AS account_id FROM transfers"
    " WHERE kind = 'lightning_deposit' GROUP BY ref"
)


def wrong_balances(tx: Tx) -> list[Row]:
    """Return customer accounts whose balance differs from the ledger."""
    return tx.all(
        f"SELECT a.id, a.balance, coalesce(s.sats, 0) AS sats FROM accounts a LEFT JOIN ({_BY_ACCOUNT}) s"
        " ON s.account = a.id WHERE a.kind = 'customer' AND a.balance <> coalesce(s.sats, 0) ORDER BY a.id LIMIT 100"
    )


def sum_of_books(tx: Tx) -> int:
    """Return the sum of all accounts in the ledger: 0 if it is consistent."""
    row = tx.one(f"SELECT coalesce(sum(s.sats), 0) AS sats FROM ({_BY_ACCOUNT}) s JOIN accounts a ON a.id = s.account")
    assert row is not None
    return int(row["sats"])


def wrong_running_balances(tx: Tx) -> list[Row]:
    """Return transfers whose `balance` is not the previous one plus or minus their amount."""
    return tx.all(
        "SELECT id, account_id, balance, expected FROM ("
        " SELECT id, account_id, balance, sum(CASE WHEN credit = account_id THEN amount"
        "  WHEN debit = account_id THEN -amount ELSE 0 END) OVER (PARTITION BY account_id ORDER BY id)"
        "  AS expected FROM transfers) summed WHERE balance <> expected ORDER BY id LIMIT 100"
    )


def debts(tx: Tx, *, incurred: str, paid: str) -> list[Row]:
    """Return each account's debt and its debt in the ledger, if either is not 0."""
    return tx.all(
        "SELECT a.id, a.debt, coalesce(t.sats, 0) AS booked FROM accounts a LEFT JOIN ("
        " SELECT account_id, sum(CASE kind WHEN :incurred THEN amount ELSE -amount END) AS sats"
        " FROM transfers WHERE kind IN (:incurred, :paid) GROUP BY account_id) t ON t.account_id = a.id"
        " WHERE a.debt <> 0 OR coalesce(t.sats, 0) <> 0 ORDER BY a.id",
        incurred=incurred,
        paid=paid,
    )


def rental_minutes(tx: Tx) -> Iterator[Row]:
    """Yield each rental with the minutes booked for it, those of them that their own transfer paid, and the satoshis of
    these transfers; `settled_at_us` is that of its account."""
    booked = "FROM minute_bookings m WHERE m.rental_id = r.id"
    return _pages(
        tx,
        "SELECT r.id, r.cost_per_minute, r.started_at_us, r.ended_at_us, r.end_reason, r.limit_at_us, r.booked_minutes,"
        " a.settled_at_us, coalesce((SELECT p.cost_per_minute FROM rental_prices p WHERE p.rental_id = r.id"
        "  AND p.from_minute = 0), r.cost_per_minute) AS first_cost,"
        f" (SELECT coalesce(sum(m.to_minute - m.from_minute), 0) {booked}) AS booked,"
        f" (SELECT coalesce(sum(m.to_minute - m.from_minute), 0) {booked} AND m.transfer_id IS NOT NULL) AS paid_minutes,"
        " (SELECT coalesce(sum(t.amount), 0) FROM minute_bookings m JOIN transfers t ON t.id = m.transfer_id"
        "  WHERE m.rental_id = r.id) AS paid"
        " FROM rentals r JOIN accounts a ON a.id = r.account_id WHERE r.id > :after ORDER BY r.id LIMIT :limit",
    )


def limited(tx: Tx) -> Iterator[Row]:
    """Yield each rental with a limit, with what its messages cost, and its account's `settled_at_us` and
    `closed_at_us`."""
    return _pages(
        tx,
        "SELECT r.*, a.settled_at_us, a.closed_at_us, (SELECT CAST(coalesce(sum(m.cost), 0) AS bigint) FROM messages m"
        " WHERE m.rental_id = r.id) AS messages_cost FROM rentals r JOIN accounts a ON a.id = r.account_id"
        " WHERE r.id > :after AND (r.max_minutes IS NOT NULL OR r.max_sats IS NOT NULL) ORDER BY r.id LIMIT :limit",
    )


def wrong_refunds(tx: Tx) -> list[Row]:
    """Return refunds of rentals that differ from the ledger, and groups' daily totals (rental None) that differ from the
    refunds."""
    return tx.all(
        "SELECT CAST(ref AS bigint) AS rental_id, CAST(sum(refunded) AS bigint) AS refunded,"
        " CAST(sum(booked) AS bigint) AS booked FROM ("
        "  SELECT ref, 0 AS refunded, amount AS booked FROM transfers WHERE kind = 'rental_refunded'"
        "  UNION ALL SELECT CAST(rental_id AS text), minutes_sats + setup_sats, 0 FROM rental_refunds"
        "  UNION ALL SELECT CAST(charge_id AS text), sats, 0 FROM operator_refunds WHERE charge = 'rental') both_sides"
        " GROUP BY ref HAVING sum(refunded) <> sum(booked)"
        " UNION ALL SELECT NULL, CAST(sum(refunded) AS bigint), CAST(sum(booked) AS bigint) FROM ("
        "  SELECT key, day, 0 AS refunded, sats AS booked FROM refund_totals WHERE scope = 'group'"
        "  UNION ALL SELECT group_id, day, minutes_sats + setup_sats, 0 FROM rental_refunds) totals"
        " GROUP BY key, day HAVING sum(refunded) <> sum(booked)"
    )


def wrong_next_limits(tx: Tx) -> list[Row]:
    """Return accounts whose `limit_at_us` is not the first limit or change of price of their live rentals."""
    return tx.all(
        "SELECT * FROM (SELECT a.id, a.limit_at_us, CASE WHEN a.closed_at_us IS NULL THEN r.first END AS expected"
        " FROM accounts a LEFT JOIN (SELECT account_id, min(at_us) AS first FROM ("
        "  SELECT account_id, limit_at_us AS at_us FROM rentals WHERE ended_at_us IS NULL AND limit_at_us IS NOT NULL"
        "  UNION ALL SELECT account_id, change_at_us FROM rentals WHERE ended_at_us IS NULL AND change_at_us IS NOT NULL"
        "  ) due GROUP BY account_id) r ON r.account_id = a.id) next"
        " WHERE coalesce(limit_at_us, 0) <> coalesce(expected, 0) ORDER BY id LIMIT 100"
    )


def wrong_shares(tx: Tx, *, kind: str) -> list[Row]:
    """Return accounts whose payments for minutes differ from their rentals' shares (the cost of each rental's booked
    minutes) plus the started minutes of live rentals that are not booked yet."""
    booked = cost_of("r.booked_minutes")
    begun = cost_of(f"(a.settled_at_us - r.started_at_us) / {MINUTE_US} + 1")
    return tx.all(
        "SELECT * FROM (SELECT a.id, coalesce(t.paid, 0) AS paid, coalesce(s.shares, 0) AS shares,"
        " coalesce(s.unshared, 0) AS unshared FROM accounts a"
        " LEFT JOIN (SELECT account_id, sum(amount) AS paid FROM transfers WHERE kind = :kind GROUP BY account_id) t"
        "  ON t.account_id = a.id"
        f" LEFT JOIN (SELECT r.account_id, sum({booked}) AS shares,"
        f"  sum(CASE WHEN r.ended_at_us IS NULL THEN {begun} - {booked} ELSE 0 END) AS unshared"
        "  FROM rentals r JOIN accounts a ON a.id = r.account_id GROUP BY r.account_id) s ON s.account_id = a.id"
        ") paid WHERE paid <> shares + unshared ORDER BY id LIMIT 100",
        kind=kind,
    )


def wrong_sums(tx: Tx) -> list[Row]:
    """Return accounts whose sums differ from their live rentals."""
    return tx.all(
        "SELECT * FROM (SELECT a.id, a.live_rentals, a.capped_rentals, a.cost_per_minute, a.begun_cost,"
        " coalesce(s.rentals, 0) AS rentals, coalesce(s.capped, 0) AS capped, coalesce(s.cost, 0) AS cost,"
        " coalesce(s.begun, 0) AS begun FROM accounts a LEFT JOIN ("
        " SELECT r.account_id, count(*) AS rentals, count(r.monthly_cap) AS capped,"
        " sum(CASE WHEN r.monthly_cap IS NULL THEN r.cost_per_minute ELSE 0 END) AS cost,"
        f" sum(CASE WHEN r.monthly_cap IS NULL AND r.{PHASE_US} <= a.settled_at_us % {MINUTE_US}"
        "  THEN r.cost_per_minute ELSE 0 END) AS begun"
        " FROM rentals r JOIN accounts a ON a.id = r.account_id WHERE r.ended_at_us IS NULL GROUP BY r.account_id) s"
        " ON s.account_id = a.id) summed WHERE live_rentals <> rentals OR capped_rentals <> capped OR cost_per_minute <> cost"
        " OR begun_cost <> begun"
        " ORDER BY id LIMIT 100"
    )


def wrong_minute_costs(tx: Tx) -> list[Row]:
    """Return sums over parts of the minute that differ from the live rentals of that part."""
    units = " UNION ALL ".join(
        f"SELECT account_id, {unit_us} AS unit_us, ({PHASE_US}) / {unit_us} AS nth, cost_per_minute AS live, 0 AS stored"
        f" FROM rentals WHERE {PAYING} AND monthly_cap IS NULL"
        for unit_us in UNITS_US
    )
    return tx.all(
        f"SELECT account_id, unit_us, nth, sum(live) AS live, sum(stored) AS stored FROM ({units}"
        " UNION ALL SELECT account_id, unit_us, nth, 0, cost FROM minute_costs) both_sides"
        " GROUP BY account_id, unit_us, nth HAVING sum(live) <> sum(stored) ORDER BY account_id, unit_us, nth LIMIT 100"
    )


def wrong_message_costs(tx: Tx) -> list[Row]:
    """Return messages whose cost differs from the ledger."""
    return tx.all(
        "SELECT m.id, m.cost, coalesce(t.sats, 0) AS booked FROM messages m LEFT JOIN ("
        " SELECT ref, sum(CASE kind WHEN 'message_refunded' THEN -amount ELSE amount END) AS sats"
        " FROM transfers WHERE kind IN ('message_received', 'message_sent', 'message_refunded') GROUP BY ref) t"
        " ON t.ref = CAST(m.id AS TEXT) WHERE m.cost <> coalesce(t.sats, 0) ORDER BY m.id LIMIT 100"
    )


def wrong_message_states(tx: Tx) -> list[Row]:
    """Return sent messages whose status contradicts their refund or their delivery, with all three."""
    return tx.all(
        "SELECT * FROM (SELECT m.id, m.status, d.state, d.submitted_at_us IS NOT NULL AS submitted,"
        "  EXISTS (SELECT 1 FROM transfers t WHERE t.kind = 'message_refunded' AND t.ref = CAST(m.id AS TEXT)) AS refunded,"
        "  EXISTS (SELECT 1 FROM operator_refunds o WHERE o.charge = 'message' AND o.charge_id = m.id) AS by_operator,"
        "  m.cost FROM messages m LEFT JOIN deliveries d ON d.message_id = coalesce(m.forward_of, m.id)"
        "   AND d.kind = CASE WHEN m.forward_of IS NULL THEN 'send' ELSE 'forward' END"
        "  WHERE NOT m.inbound) sent WHERE (refunded AND NOT by_operator AND status <> 'failed')"
        " OR (status = 'failed' AND cost <> 0)"
        " OR (submitted AND status <> 'queued') OR (status = 'in_doubt') <> (coalesce(state, '') = 'in_doubt')"
        " OR (status = 'unknown') <> (coalesce(state, '') = 'unknown') ORDER BY id LIMIT 100"
    )


def wrong_deposits(tx: Tx) -> list[Row]:
    """Return deposits that are credited but not in their account's ledger, or in a ledger without being credited.

    A reversal is booked in full, after the debt that covers what the balance lacked. Earlier versions booked it only as
    far as the balance went, with the debt separately, between two system accounts.
    """
    return tx.all(
        "SELECT d.txid, d.vout, d.status, d.amount, d.account_id AS owner, coalesce(t.account_id, d.account_id) AS account_id,"
        " coalesce(t.sats, 0) AS booked FROM deposits d LEFT JOIN (SELECT * FROM ("
        "  SELECT reference, account_id, sum(CASE WHEN kind = 'deposit' THEN amount"
        "   WHEN kind = 'debt' AND credit = account_id THEN 0 ELSE -amount END) AS sats"
        "  FROM transfers WHERE kind IN ('deposit', 'deposit_reversed', 'debt') GROUP BY reference, account_id) summed"
        " WHERE sats <> 0) t ON t.reference = d.txid || ':' || CAST(d.vout AS TEXT)"
        " WHERE coalesce(t.sats, 0) <> CASE WHEN d.status = 'credited'"
        "  AND coalesce(t.account_id, d.account_id) = d.account_id THEN d.amount ELSE 0 END ORDER BY d.id LIMIT 100"
    )


def wrong_invoices(tx: Tx) -> list[Row]:
    """Return Lightning invoices whose credit differs from the ledger, and credits without a settled invoice."""
    return tx.all(
        "SELECT * FROM (SELECT i.id, i.payment_hash, i.account_id, i.state, coalesce(i.credited_sats, 0) AS credited,"
        f" coalesce(t.sats, 0) AS booked, t.account_id AS booked_to FROM lightning_invoices i LEFT JOIN ({_LIGHTNING_CREDITS}) t"
        "  ON t.ref = i.payment_hash"
        " UNION ALL SELECT NULL, t.ref, NULL, 'unknown', 0, t.sats, t.account_id"
        f" FROM ({_LIGHTNING_CREDITS}) t WHERE NOT EXISTS"
        "  (SELECT 1 FROM lightning_invoices i WHERE i.payment_hash = t.ref)) found"
        " WHERE booked <> credited OR booked_to <> account_id ORDER BY payment_hash LIMIT 100"
    )


def wrong_sign_ups(tx: Tx) -> list[Row]:
    """Return sign-ups whose account does not own their invoice, or whose payment opened no account; and invoices without an
    owner that are settled or belong to no sign-up, with a null ID."""
    return tx.all(
        "SELECT * FROM (SELECT s.id, i.id AS invoice_id, i.state, coalesce(s.account_id, :nobody) AS account_id,"
        "  i.account_id AS owner FROM lightning_invoices i LEFT JOIN sign_ups s ON s.invoice_id = i.id"
        "  WHERE s.id IS NOT NULL OR i.account_id = :nobody) found"
        " WHERE id IS NULL OR owner <> account_id OR (state = 'settled') <> (owner <> :nobody)"
        " ORDER BY invoice_id LIMIT 100",
        nobody=NOBODY,
    )


def wrong_lightning_nodes(tx: Tx) -> list[Row]:
    """Return nodes whose sums differ from those of their settled invoices."""
    return tx.all(
        "SELECT * FROM (SELECT n.id, n.received_msat, n.fee_msat, n.rounding_msat, n.credited_sats,"
        " coalesce(sum(i.received_msat), 0) AS received, coalesce(sum(i.fee_msat), 0) AS fee,"
        " coalesce(sum(i.received_msat + i.fee_msat - i.credited_sats * 1000), 0) AS rounding,"
        " coalesce(sum(i.credited_sats), 0) AS credited FROM lightning_nodes n LEFT JOIN lightning_invoices i"
        "  ON i.node_id = n.id AND i.state = 'settled' GROUP BY n.id) summed WHERE received_msat <> received"
        " OR fee_msat <> fee OR rounding_msat <> rounding OR credited_sats <> credited ORDER BY id LIMIT 100"
    )


def lightning_books(tx: Tx) -> Row:
    """Return the whole satoshis of fees and rounding by the nodes' sums, and those in the ledger."""
    row = tx.one(
        "SELECT (SELECT coalesce(sum(fee_msat / 1000), 0) FROM lightning_nodes) AS fees,"
        " (SELECT coalesce(sum(rounding_msat / 1000), 0) FROM lightning_nodes) AS rounding,"
        " (SELECT coalesce(sum(amount), 0) FROM transfers WHERE kind = 'lightning_fee') AS booked_fees,"
        " (SELECT coalesce(sum(amount), 0) FROM transfers WHERE kind = 'lightning_rounding') AS booked_rounding"
    )
    assert row is not None
    return row


def customers(tx: Tx) -> Iterator[Account]:
    """Yield every customer account."""
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


def _pages(tx: Tx, statement: str) -> Iterator[Row]:
    """Yield the rows of a statement that returns those with an ID above `:after`, at most `:limit` of them."""
    after = 0
    while rows := tx.all(statement, after=after, limit=PAGE):
        yield from rows
        after = rows[-1]["id"]


def counts(tx: Tx) -> Row:
    """Return the number of accounts, transfers and rentals."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM accounts WHERE id >= :first) AS customers,"
        " (SELECT count(*) FROM transfers) AS transfers, (SELECT count(*) FROM rentals) AS rentals",
        first=FIRST_CUSTOMER,
    )
    assert row is not None
    return row
