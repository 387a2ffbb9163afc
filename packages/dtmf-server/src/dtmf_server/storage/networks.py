"""Unpaid deposit addresses by the network that requested them, for the operator."""

from dtmf_server.storage.db import Row, Tx


def with_unpaid(tx: Tx, *, accounts_min: int, limit: int) -> list[Row]:
    """Return the networks with unpaid addresses of at least so many accounts, most addresses first. Reads the index of
    networks, which has only addresses without a confirmed payment."""
    return tx.all(
        "SELECT network, count(*) AS addresses, count(DISTINCT account_id) AS accounts, min(created_at_us) AS first_at_us,"
        " max(created_at_us) AS last_at_us FROM addresses WHERE network IS NOT NULL AND NOT used GROUP BY network"
        " HAVING count(DISTINCT account_id) >= :accounts_min ORDER BY count(*) DESC, network LIMIT :limit",
        accounts_min=accounts_min,
        limit=limit,
    )


def accounts_of(tx: Tx, network: bytes, *, limit: int) -> list[Row]:
    """Return the accounts with unpaid addresses from a network, most addresses first."""
    return tx.all(
        "SELECT d.account_id, count(*) AS addresses, a.balance, a.created_at_us FROM addresses d"
        " JOIN accounts a ON a.id = d.account_id WHERE d.network = :network AND NOT d.used"
        " GROUP BY d.account_id, a.balance, a.created_at_us ORDER BY count(*) DESC, d.account_id LIMIT :limit",
        network=network,
        limit=limit,
    )
