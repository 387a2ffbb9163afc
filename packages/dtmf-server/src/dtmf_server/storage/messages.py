"""Messages: every SMS received or sent. They belong to a rental, not to a number."""

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

_FULL = (
    "m.id, m.rental_id, m.inbound, m.sender, m.recipient, m.content, m.at_us, m.status, m.cost, m.reason,"
    " CASE WHEN m.inbound THEN m.recipient ELSE m.sender END AS e164"
)
_NEW = (
    "id",
    "account_id",
    "rental_id",
    "inbound",
    "sender",
    "recipient",
    "content",
    "at_us",
    "status",
    "cost",
    "segments",
)


def add(tx: Tx, rows: list[tuple[object, ...]]) -> None:
    """Store messages: the columns of `_NEW`, in that order."""
    tx.insert(schema.messages, _NEW, rows)


def mark_forward(tx: Tx, message_id: int, *, forward_of: int) -> None:
    """Record which received message a sent one forwards."""
    tx.run("UPDATE messages SET forward_of = :forward_of WHERE id = :id", id=message_id, forward_of=forward_of)


def of_rental(tx: Tx, rental_id: int, *, after: int, through: int, limit: int) -> list[Row]:
    """Return a rental's messages with IDs above `after` up to `through`, oldest first."""
    return tx.all(
        "SELECT id, sender, recipient, content, at_us, status, cost FROM messages"
        " WHERE rental_id = :rental_id AND id > :after AND id <= :through ORDER BY id LIMIT :limit",
        rental_id=rental_id,
        after=after,
        through=through,
        limit=limit,
    )


def of_rentals(tx: Tx, rental_ids: list[int], *, limit: int) -> list[Row]:
    """Return the messages of these rentals, oldest first within each."""
    if not rental_ids:
        return []
    return tx.all(
        "SELECT rental_id, sender, recipient, content, at_us, status, cost FROM messages WHERE rental_id = ANY(:ids)"
        " ORDER BY rental_id, id LIMIT :limit",
        ids=rental_ids,
        limit=limit,
    )


def last_id_of_rental(tx: Tx, rental_id: int) -> int:
    """Return the ID of the rental's newest message, or 0."""
    row = tx.one("SELECT id FROM messages WHERE rental_id = :rental_id ORDER BY id DESC LIMIT 1", rental_id=rental_id)
    return int(row["id"]) if row else 0


def listed(
    tx: Tx,
    account_id: int,
    rental_ids: list[int] | None,
    *,
    inbound: bool | None,
    after: int,
    limit: int,
    before: int = 2**63 - 1,
    newest_first: bool = False,
) -> list[Row]:
    """Return an account's messages with IDs between these two, of these rentals or all (None); received, sent, or both
    (None)."""
    whose = "m.account_id = :account_id" if rental_ids is None else "m.rental_id = ANY(:rental_ids)"
    which = {None: "", True: " AND m.inbound", False: " AND NOT m.inbound"}[inbound]
    return tx.all(
        f"SELECT {_FULL} FROM messages m WHERE {whose}{which} AND m.id > :after AND m.id < :before"
        f" ORDER BY m.id{' DESC' if newest_first else ''} LIMIT :limit",
        **({"account_id": account_id} if rental_ids is None else {"rental_ids": rental_ids}),
        after=after,
        before=before,
        limit=limit,
    )


def by_id(tx: Tx, message_id: int) -> Row | None:
    """Return one message."""
    return tx.one(f"SELECT {_FULL}, m.account_id FROM messages m WHERE m.id = :id", id=message_id)


def sent_since(tx: Tx, account_id: int, *, since_us: int, limit: int) -> int:
    """Return how many messages the account has sent since then, counted up to `limit`."""
    row = tx.one(
        "SELECT count(*) AS n FROM (SELECT 1 FROM messages WHERE account_id = :account_id AND NOT inbound"
        " AND at_us > :since_us LIMIT :limit) recent",
        account_id=account_id,
        since_us=since_us,
        limit=limit,
    )
    assert row is not None
    return int(row["n"])


def sent_messages(tx: Tx, account_id: int) -> list[Row]:
    """Return what carriers accepted from this account, oldest first."""
    return tx.all(
        "SELECT sender, recipient, content FROM messages WHERE account_id = :account_id AND NOT inbound"
        " AND status IN ('sent', 'delivered') ORDER BY id",
        account_id=account_id,
    )


def set_status(tx: Tx, message_id: int, *, status: str, reason: str | None = None) -> None:
    """Set the status of a sent message."""
    tx.run(
        "UPDATE messages SET status = :status, reason = :reason WHERE id = :id",
        id=message_id,
        status=status,
        reason=reason,
    )


def refund(tx: Tx, message_id: int) -> None:
    """Set the cost of a refunded message to 0."""
    tx.run("UPDATE messages SET cost = 0 WHERE id = :id", id=message_id)


def is_forward(tx: Tx, *, sender: str, recipient: str, content: str, since_us: int) -> bool:
    """Return True if one of our own numbers sent this text to this number as a forward."""
    row = tx.one(
        "SELECT 1 FROM messages WHERE recipient = :recipient AND sender = :sender AND forward_of IS NOT NULL"
        " AND at_us > :since_us AND content = :content LIMIT 1",
        sender=sender,
        recipient=recipient,
        content=content,
        since_us=since_us,
    )
    return row is not None


def erase_texts(tx: Tx, rental_ids: list[int]) -> None:
    """Erase the texts of these rentals; that the messages existed, and what they cost, stays."""
    tx.run("UPDATE messages SET content = NULL WHERE rental_id = ANY(:ids)", ids=rental_ids)


def by_ids(tx: Tx, ids: list[int]) -> dict[int, Row]:
    """Return these messages."""
    return {row["id"]: row for row in tx.all(f"SELECT {_FULL} FROM messages m WHERE m.id = ANY(:ids)", ids=ids)}


def forward_of(tx: Tx, message_id: int) -> Row | None:
    """Return the sent message that forwards this received one."""
    return tx.one(
        f"SELECT {_FULL}, m.account_id FROM messages m WHERE m.forward_of = :message_id", message_id=message_id
    )
