"""Lists for the operator's console, each read from an index and limited."""

from dtmf_server.storage.catalog_lists import NUMBER_STATE
from dtmf_server.storage.db import Row, Tx

_DEPOSITS = (
    "SELECT d.id, d.txid, d.vout, d.account_id, d.amount, d.height, d.status, d.seen_at_us, a.address FROM deposits d"
    " JOIN addresses a ON a.id = d.address_id"
)


def rentals_of_account(tx: Tx, account_id: int, *, before: int, limit: int) -> list[Row]:
    """Return an account's rentals with IDs below `before`, live and ended, newest first."""
    return tx.all(
        "SELECT id, e164, group_id, started_at_us, ended_at_us, end_reason, cost_per_minute, booked_minutes, action"
        " FROM rentals WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )


def newest_deposits(tx: Tx, *, before: int, limit: int) -> list[Row]:
    """Return on-chain deposits with IDs below `before`, newest first."""
    return tx.all(f"{_DEPOSITS} WHERE d.id < :before ORDER BY d.id DESC LIMIT :limit", before=before, limit=limit)


def newest_deposits_of(tx: Tx, account_id: int, *, before: int, limit: int) -> list[Row]:
    """Return an account's on-chain deposits in the same way."""
    return tx.all(
        f"{_DEPOSITS} WHERE d.account_id = :account_id AND d.id < :before ORDER BY d.id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )


def newest_invoices(tx: Tx, *, before: int, limit: int) -> list[Row]:
    """Return Lightning invoices with IDs below `before`, newest first."""
    return tx.all(
        "SELECT id, account_id, payment_hash, amount_msat, state, created_at_us, settled_at_us, credited_sats"
        " FROM lightning_invoices WHERE id < :before ORDER BY id DESC LIMIT :limit",
        before=before,
        limit=limit,
    )


def numbers(tx: Tx, *, after: str, limit: int, now_us: int, cooled_us: int) -> list[Row]:
    """Return the numbers above `after` in their order: `e164`, `group_id`, `state`."""
    return tx.all(
        f"SELECT e164, group_id, {NUMBER_STATE} AS state FROM numbers WHERE e164 > :after ORDER BY e164 LIMIT :limit",
        after=after,
        limit=limit,
        now_us=now_us,
        cooled_us=cooled_us,
    )


def destinations(tx: Tx, *, after: str, limit: int) -> list[Row]:
    """Return the prices of sending to prefixes above `after`, in the order of the prefixes."""
    return tx.all(
        "SELECT prefix, cost_per_segment FROM destinations WHERE prefix > :after ORDER BY prefix LIMIT :limit",
        after=after,
        limit=limit,
    )


def price_of_others(tx: Tx) -> int | None:
    """Return the price of sending to every other prefix; None if that is not possible."""
    row = tx.one("SELECT cost_per_segment FROM destinations WHERE prefix = ''")
    return None if row is None else int(row["cost_per_segment"])


def strays(tx: Tx, *, limit: int) -> list[Row]:
    """Return the last destinations that received SMS without a rental, and whether they are in stock."""
    return tx.all(
        "SELECT s.destination, s.count, s.first_at_us, s.last_at_us, n.e164 IS NOT NULL AS in_stock"
        " FROM strays s LEFT JOIN numbers n ON n.e164 = s.destination ORDER BY s.last_at_us DESC, s.destination LIMIT :limit",
        limit=limit,
    )


def newest_delivered(tx: Tx, *, within: int) -> list[Row]:
    """Return which of the newest `within` deliveries have arrived and were not replayed, oldest first: `kind`,
    `created_at_us` and `finished_at_us`."""
    return tx.all(
        "SELECT kind, created_at_us, finished_at_us FROM deliveries"
        " WHERE id > (SELECT coalesce(max(id), 0) FROM deliveries) - :within AND state = 'delivered'"
        " AND attempts_before = 0 AND finished_at_us IS NOT NULL ORDER BY id",
        within=within,
    )
