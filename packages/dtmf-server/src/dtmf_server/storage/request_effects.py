"""The rows that API requests created or changed, by ID, for the operator: no texts, and no phone numbers of correspondents."""

from collections.abc import Callable, Mapping

from dtmf_server.storage.db import Row, Tx

Reader = Callable[[Tx, list[int]], list[Row]]


def rentals(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these rentals."""
    return tx.all(
        "SELECT id, e164, group_id, started_at_us, ended_at_us, end_reason, action FROM rentals WHERE id = ANY(:ids)"
        " ORDER BY id",
        ids=ids,
    )


def messages(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these messages."""
    return tx.all(
        "SELECT id, rental_id, CASE WHEN inbound THEN recipient ELSE sender END AS e164, inbound, at_us, status, cost,"
        " reason FROM messages WHERE id = ANY(:ids) ORDER BY id",
        ids=ids,
    )


_DELIVERY = (
    "SELECT id, account_id, rental_id, message_id, event_id, kind, state, created_at_us, attempts, due_at_us, finished_at_us,"
    " last_status, reason FROM deliveries"
)


def deliveries(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these deliveries."""
    return tx.all(f"{_DELIVERY} WHERE id = ANY(:ids) ORDER BY id", ids=ids)


def deliveries_of_messages(tx: Tx, ids: list[int]) -> list[Row]:
    """Return the deliveries of these messages."""
    return tx.all(f"{_DELIVERY} WHERE message_id = ANY(:ids) ORDER BY id", ids=ids)


def transfers(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these transfers."""
    return tx.all(
        "SELECT id, at_us, kind, debit, credit, amount, balance, reference FROM transfers WHERE id = ANY(:ids) ORDER BY id",
        ids=ids,
    )


def events(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these events."""
    return tx.all("SELECT id, at_us, kind, message_id FROM events WHERE id = ANY(:ids) ORDER BY id", ids=ids)


def tokens(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these tokens, without their hashes."""
    return tx.all(
        "SELECT id, label, created_at_us, revoked_at_us FROM tokens WHERE id = ANY(:ids) ORDER BY id", ids=ids
    )


def invoices(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these Lightning invoices."""
    return tx.all(
        "SELECT id, payment_hash, state, amount_msat, credited_sats FROM lightning_invoices WHERE id = ANY(:ids) ORDER BY id",
        ids=ids,
    )


def addresses(tx: Tx, ids: list[int]) -> list[Row]:
    """Return these deposit addresses."""
    return tx.all("SELECT id, address FROM addresses WHERE id = ANY(:ids) ORDER BY id", ids=ids)


# By the kind of the effect: the table whose IDs a request's changes name, and how to read it.
READERS: Mapping[str, tuple[str, Reader]] = {
    "rental": ("rentals", rentals),
    "message": ("messages", messages),
    "delivery": ("deliveries", deliveries),
    "delivery of message": ("messages", deliveries_of_messages),
    "transfer": ("transfers", transfers),
    "event": ("events", events),
    "token": ("tokens", tokens),
    "invoice": ("lightning_invoices", invoices),
    "address": ("addresses", addresses),
}
