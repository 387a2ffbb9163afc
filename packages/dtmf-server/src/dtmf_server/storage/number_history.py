"""The history of a number and of its SMS, for the operator: no texts, and no phone numbers of correspondents."""

from dtmf_server.storage.db import Row, Tx

EVENTS_READ = 20_000  # of an account, newest first
_RENTALS = (
    "SELECT r.*, t.label AS token_label, t.revoked_at_us AS token_revoked_at_us, t.expires_wall_us AS token_expires_wall_us"
    " FROM rentals r LEFT JOIN tokens t ON t.id = r.token_id"
)


def rentals(tx: Tx, e164: str, *, from_us: int, until_us: int, limit: int) -> list[Row]:
    """Return the rentals of a number that were live at some time in this span, the last to start first, each with the
    restricted token that started it."""
    return tx.all(
        f"{_RENTALS} WHERE r.e164 = :e164 AND r.started_at_us < :until_us"
        " AND (r.ended_at_us IS NULL OR r.ended_at_us >= :from_us) ORDER BY r.started_at_us DESC LIMIT :limit",
        e164=e164,
        from_us=from_us,
        until_us=until_us,
        limit=limit,
    )


def stocked(tx: Tx, e164: str) -> Row | None:
    """Return the group of a number that is or was in stock, and when it was retired."""
    return tx.one("SELECT e164, group_id, rented, retired_at_us FROM numbers WHERE e164 = :e164", e164=e164)


def balance_at(tx: Tx, account_id: int, *, at_us: int) -> int | None:
    """Return an account's balance after its last transfer by this time."""
    row = tx.one(
        "SELECT balance FROM transfers WHERE account_id = :account_id AND at_us <= :at_us ORDER BY id DESC LIMIT 1",
        account_id=account_id,
        at_us=at_us,
    )
    return None if row is None else int(row["balance"])


def last_received_us(tx: Tx, rental_id: int) -> int | None:
    """Return when a rental received its last SMS."""
    row = tx.one(
        "SELECT at_us FROM messages WHERE rental_id = :rental_id AND inbound ORDER BY id DESC LIMIT 1",
        rental_id=rental_id,
    )
    return None if row is None else int(row["at_us"])


def webhooks_disabled(tx: Tx, account_id: int, *, limit: int) -> list[Row]:
    """Return the account's events about webhooks that were switched off, newest first: `at_us`, `data`."""
    return tx.all(
        "SELECT at_us, data FROM (SELECT id, at_us, kind, data FROM events WHERE account_id = :account_id"
        " ORDER BY id DESC LIMIT :read) newest WHERE kind = 'action.disabled' ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        read=EVENTS_READ,
        limit=limit,
    )


def deletions(tx: Tx, account_id: int, *, limit: int) -> list[Row]:
    """Return the account's newest requests that ended something: `request_id`, `token_id`, `operation`, `changes`."""
    return tx.all(
        "SELECT request_id, token_id, operation, changes FROM api_requests WHERE account_id = :account_id"
        " AND code IS NULL AND operation LIKE 'DELETE %' ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        limit=limit,
    )


def received(tx: Tx, rental_id: int, *, before: int, limit: int) -> list[Row]:
    """Return SMS that a rental received, with IDs below `before`, newest first, each with its webhook's delivery (null if
    there is none) and the kind of another delivery that it has."""
    return tx.all(
        "SELECT m.id, m.at_us, d.id AS delivery_id, d.state, d.destination, d.attempts, d.due_at_us, d.last_status, d.reason,"
        " (SELECT f.state FROM deliveries f WHERE f.message_id = m.id AND f.kind = 'forward') AS forward_state"
        " FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id AND d.kind = 'webhook'"
        " WHERE m.rental_id = :rental_id AND m.inbound AND m.id < :before ORDER BY m.id DESC LIMIT :limit",
        rental_id=rental_id,
        before=before,
        limit=limit,
    )


def waiting_parts(tx: Tx, e164: str) -> int:
    """Return how many parts of long SMS to a number wait for the others."""
    row = tx.one("SELECT count(*) AS n FROM parts WHERE recipient = :e164", e164=e164)
    assert row is not None
    return int(row["n"])


def stray(tx: Tx, e164: str) -> Row | None:
    """Return how many SMS came for a number while no account rented it, and when."""
    return tx.one("SELECT count, first_at_us, last_at_us FROM strays WHERE destination = :e164", e164=e164)
