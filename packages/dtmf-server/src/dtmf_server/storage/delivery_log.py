"""The delivery log: what was delivered, is waiting or is parked, with every attempt, and replays."""

from msgspec import Struct

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx

FIRST_KEPT, LAST_KEPT = 10, 50  # attempts stored per delivery: one that always fails is attempted thousands of times


class Attempt(Struct, frozen=True):
    """The result of one attempt, for the log. `reply` is the beginning of the receiver's response."""

    at_us: int
    duration_us: int
    status: int | None
    reason: str
    reply: str | None


class LoggedAttempt(Struct, frozen=True):
    """An attempt, its delivery, and its number."""

    delivery_id: int
    rental_id: int | None
    n: int
    attempt: Attempt


def append(tx: Tx, logged: list[LoggedAttempt]) -> None:
    """Append attempts to their deliveries' logs, without the reply if the rental's texts have been erased in the
    meantime.

    Of many attempts, the log keeps the first and the last ones.
    """
    erased = _erased(tx, {entry.rental_id for entry in logged if entry.attempt.reply is not None})
    tx.insert(
        schema.attempts,
        ("delivery_id", "attempt", "at_us", "duration_us", "status", "reason", "reply"),
        [
            (e.delivery_id, e.n, a.at_us, a.duration_us, a.status, a.reason, None if e.rental_id in erased else a.reply)
            for e, a in ((entry, entry.attempt) for entry in logged)
        ],
    )
    for entry in logged:
        if entry.n > FIRST_KEPT + LAST_KEPT:
            tx.run(
                "DELETE FROM attempts WHERE delivery_id = :id AND attempt > :first AND attempt <= :last",
                id=entry.delivery_id,
                first=FIRST_KEPT,
                last=entry.n - LAST_KEPT,
            )


def _erased(tx: Tx, rental_ids: set[int | None]) -> set[int | None]:
    """Return those of the rentals whose texts were erased, and prevent erasure of the others during this
    transaction."""
    if not rental_ids:
        return set()
    rows = tx.all(
        "SELECT id, erased_at_us FROM rentals WHERE ended_at_us IS NOT NULL AND id = ANY(:rental_ids)"
        " ORDER BY id FOR NO KEY UPDATE",
        rental_ids=sorted(rental_id for rental_id in rental_ids if rental_id is not None),
    )
    return {row["id"] for row in rows if row["erased_at_us"] is not None}


_LISTED = (
    "d.id, d.rental_id, d.kind, d.state, d.destination, d.message_id, d.created_at_us, d.attempts, d.due_at_us, d.finished_at_us,"
    " d.last_status, d.reason, r.e164, r.erased_at_us IS NOT NULL AS erased"
)
# Written out rather than bound: only then can the partial index of parked deliveries be used.
_OF_STATE: dict[str | None, str] = {
    None: "",
    **{state: f" AND d.state = '{state}'" for state in ("waiting", "delivered", "parked", "in_doubt", "unknown")},
}


def of_account(
    tx: Tx, account_id: int, *, state: str | None, e164: str | None, since_us: int, after: int, limit: int
) -> list[Row]:
    """Return an account's deliveries with IDs above `after`, oldest first, optionally filtered by state, number or
    time."""
    return tx.all(
        f"SELECT {_LISTED} FROM deliveries d LEFT JOIN rentals r ON r.id = d.rental_id"
        f" WHERE d.account_id = :account_id AND d.id > :after AND d.created_at_us >= :since_us{_OF_STATE[state]}"
        " AND (:e164 = '' OR r.e164 = :e164) ORDER BY d.id LIMIT :limit",
        account_id=account_id,
        after=after,
        since_us=since_us,
        e164=e164 or "",
        limit=limit,
    )


def one_of_account(tx: Tx, account_id: int, delivery_id: int) -> Row | None:
    """Return one of the account's deliveries."""
    return tx.one(
        f"SELECT {_LISTED} FROM deliveries d LEFT JOIN rentals r ON r.id = d.rental_id"
        " WHERE d.account_id = :account_id AND d.id = :id",
        account_id=account_id,
        id=delivery_id,
    )


def newest_of_account(tx: Tx, account_id: int) -> Row | None:
    """Return the account's newest delivery."""
    return tx.one(
        f"SELECT {_LISTED} FROM deliveries d LEFT JOIN rentals r ON r.id = d.rental_id"
        " WHERE d.account_id = :account_id ORDER BY d.id DESC LIMIT 1",
        account_id=account_id,
    )


def attempts_of(tx: Tx, delivery_ids: list[int]) -> dict[int, list[Row]]:
    """Return the log of each delivery, oldest attempt first."""
    log: dict[int, list[Row]] = {}
    for row in tx.all(
        "SELECT delivery_id, attempt, at_us, duration_us, status, reason, reply FROM attempts"
        " WHERE delivery_id = ANY(:delivery_ids) ORDER BY delivery_id, attempt",
        delivery_ids=delivery_ids,
    ):
        log.setdefault(row["delivery_id"], []).append(row)
    return log


def erase_replies(tx: Tx, rental_ids: list[int]) -> None:
    """Erase what receivers replied: it may quote the texts."""
    tx.run(
        "UPDATE attempts SET reply = NULL WHERE delivery_id IN"
        " (SELECT id FROM deliveries WHERE rental_id = ANY(:rental_ids)) AND reply IS NOT NULL",
        rental_ids=rental_ids,
    )


def standing(tx: Tx, *, now_us: int) -> Row:
    """Return the number of waiting, parked and in-doubt deliveries, and the age of the oldest waiting one."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM deliveries WHERE state = 'waiting') AS waiting,"
        " (SELECT count(*) FROM deliveries WHERE state = 'parked') AS parked,"
        " (SELECT count(*) FROM deliveries WHERE state = 'in_doubt') AS in_doubt,"
        " (SELECT :now_us - min(created_at_us) FROM deliveries WHERE state = 'waiting') AS oldest_age_us",
        now_us=now_us,
    )
    assert row is not None
    return row


# A replay goes to the current destination of the number's action or the account's webhook; a forward that was charged
# keeps the number it was charged for.
REPLAY = (
    "UPDATE deliveries SET state = 'waiting', finished_at_us = NULL, due_at_us = :now_us, first_attempt_us = NULL,"
    " stop_reason = NULL, attempts_before = attempts, destination = coalesce("
    "(SELECT r.destination FROM rentals r WHERE r.id = deliveries.rental_id AND r.action = deliveries.kind"
    "  AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.forward_of = deliveries.message_id)),"
    " (SELECT a.webhook_url FROM accounts a WHERE a.id = deliveries.account_id AND deliveries.kind = 'event'),"
    " destination)"
)


def replay(tx: Tx, delivery_id: int, *, now_us: int) -> None:
    """Queue a delivery again, whatever its state, and restart its retry schedule. If an attempt is in progress, its
    worker keeps the delivery, so that it is not posted twice at the same time."""
    tx.run(f"{REPLAY} WHERE id = :id", id=delivery_id, now_us=now_us)
    tx.note("deliveries", [delivery_id])
    tx.notify("deliveries")


def replay_parked(tx: Tx, account_id: int, *, since_us: int, now_us: int) -> int:
    """Queue the account's parked webhooks created since `since_us` again. Return how many."""
    count = tx.run(
        f"{REPLAY} WHERE account_id = :account_id AND state = 'parked' AND kind IN ('webhook', 'event')"
        " AND created_at_us >= :since_us AND NOT EXISTS (SELECT 1 FROM rentals e WHERE e.id = deliveries.rental_id"
        "  AND e.erased_at_us IS NOT NULL LIMIT 1 OFFSET 0)",  # OFFSET: PostgreSQL looks each one up, and reads no others
        account_id=account_id,
        since_us=since_us,
        now_us=now_us,
    )
    if count:
        tx.notify("deliveries")
    return count


def newest_of_state(tx: Tx, account_id: int, *, state: str | None, before: int, limit: int) -> list[Row]:
    """Return an account's deliveries with IDs below `before`, newest first, of one state or all."""
    return tx.all(
        f"SELECT {_LISTED} FROM deliveries d LEFT JOIN rentals r ON r.id = d.rental_id"
        f" WHERE d.account_id = :account_id AND d.id < :before{_OF_STATE[state]} ORDER BY d.id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )
