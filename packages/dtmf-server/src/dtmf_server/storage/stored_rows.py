"""How many rows of each kind an account has, for the operator. Counting is bounded, however large the account is."""

from collections.abc import Mapping
from typing import NamedTuple

from dtmf_server.storage.db import Row, Tx

COUNT_MAX = 100_000  # rows read of each kind


class Source(NamedTuple):
    """Where a kind of data is stored: the table, the column with its time, and which of its rows count. The oldest rows
    are read, unless the newest are the ones that count."""

    table: str
    time: str
    counts: str = "1 = 1"
    order: str = "id"


SOURCES: Mapping[str, Source] = {
    "transfers of the ledger": Source("transfers", "at_us"),
    "rentals": Source("rentals", "started_at_us"),
    "labels of rentals": Source("rentals", "started_at_us", "label IS NOT NULL", "id DESC"),
    "webhook URLs and forwarding numbers of rentals": Source(
        "rentals", "started_at_us", "destination IS NOT NULL", "id DESC"
    ),
    "SMS": Source("messages", "at_us"),
    "texts of SMS": Source("messages", "at_us", "content IS NOT NULL", "id DESC"),
    "deliveries": Source("deliveries", "created_at_us"),
    "events": Source("events", "at_us"),
    "tokens": Source("tokens", "created_at_us"),
    "labels of tokens": Source("tokens", "created_at_us", "label <> ''", "id DESC"),
    "deposit addresses": Source("addresses", "created_at_us"),
    "networks of unpaid addresses, as keyed hashes": Source(
        "addresses", "created_at_us", "network IS NOT NULL", "id DESC"
    ),
    "networks of rentals, as keyed hashes": Source("rentals", "started_at_us", "network IS NOT NULL", "id DESC"),
    "deposits": Source("deposits", "seen_at_us"),
    "Lightning invoices": Source("lightning_invoices", "created_at_us"),
    "sessions of the website": Source("web_sessions", "created_wall_us"),
    "answers to requests with an Idempotency-Key": Source("idempotency", "created_wall_us", order="key"),
    "records of API requests": Source("api_requests", "at_wall_us"),
    "operator actions": Source("operator_actions", "at_wall_us"),
}


def count(tx: Tx, account_id: int, source: Source) -> Row:
    """Return how many rows of a kind an account has (`n`), the time of the oldest one (`oldest_us`), and how many rows were
    read (`read`): more than COUNT_MAX if there are others."""
    table, time, counts, order = source
    row = tx.one(
        f"SELECT count(CASE WHEN counts THEN 1 END) AS n, min(CASE WHEN counts THEN at_us END) AS oldest_us, count(*) AS read"
        f" FROM (SELECT {time} AS at_us, {counts} AS counts FROM {table} WHERE account_id = :account_id"
        f" ORDER BY {order} LIMIT :limit) own",
        account_id=account_id,
        limit=COUNT_MAX + 1,
    )
    assert row is not None
    return row
