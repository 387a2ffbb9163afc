"""Messages for display: newest first, by search, and per rental."""

from dtmf_server.storage.db import Row, Tx

SEARCHED_MAX = 5_000  # messages searched, newest first: bounds the slowest search

_SHOWN = (
    "m.id, m.rental_id, m.inbound, m.sender, m.recipient, m.content, m.at_us, m.status, m.cost, m.reason,"
    " m.forward_of, CASE WHEN m.inbound THEN m.recipient ELSE m.sender END AS e164"
)


def received(tx: Tx, account_id: int, *, before: int, limit: int) -> list[Row]:
    """Return the messages received by all of the account's numbers, IDs below `before`, newest first."""
    return tx.all(
        f"SELECT {_SHOWN} FROM messages m WHERE m.account_id = :account_id AND m.inbound AND m.id < :before"
        " ORDER BY m.id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )


def search(tx: Tx, account_id: int, words: str, *, before: int, limit: int) -> list[Row]:
    """Return those of the last few thousand that contain `words` in text, sender or number."""
    escaped = words.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return tx.all(
        f"SELECT {_SHOWN} FROM (SELECT * FROM messages WHERE account_id = :account_id AND inbound AND id < :before"
        "  ORDER BY id DESC LIMIT :searched_max) m"
        " WHERE lower(m.content) LIKE :pattern ESCAPE '\\' OR lower(m.sender) LIKE :pattern ESCAPE '\\'"
        " OR m.recipient LIKE :pattern ESCAPE '\\' ORDER BY m.id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        searched_max=SEARCHED_MAX,
        pattern=f"%{escaped}%",
        limit=limit,
    )


def of_ids(tx: Tx, account_id: int, ids: list[int]) -> dict[int, Row]:
    """Return these messages of the account."""
    rows = tx.all(
        f"SELECT {_SHOWN} FROM messages m WHERE m.account_id = :account_id AND m.id = ANY(:ids)",
        account_id=account_id,
        ids=ids,
    )
    return {row["id"]: row for row in rows}


def conversation(tx: Tx, rental_id: int, *, before: int, limit: int) -> list[Row]:
    """Return a rental's messages, sent and received, IDs below `before`, newest first."""
    return tx.all(
        f"SELECT {_SHOWN} FROM messages m WHERE m.rental_id = :rental_id AND m.id < :before"
        " ORDER BY m.id DESC LIMIT :limit",
        rental_id=rental_id,
        before=before,
        limit=limit,
    )


def cost_of_rental(tx: Tx, rental_id: int) -> int:
    """Return the cost of a rental's messages, without what was refunded."""
    row = tx.one(
        "SELECT coalesce(sum(cost), 0) AS sats FROM messages WHERE rental_id = :rental_id", rental_id=rental_id
    )
    assert row is not None
    return int(row["sats"])


def newest(tx: Tx, account_id: int, *, limit: int) -> list[Row]:
    """Return the account's last messages, sent and received, newest first."""
    return tx.all(
        f"SELECT {_SHOWN} FROM messages m WHERE m.account_id = :account_id ORDER BY m.id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
    )
