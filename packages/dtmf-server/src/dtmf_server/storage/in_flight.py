"""SMS that a carrier may have: submitted and not decided yet, or in doubt because the carrier has not answered.

`deliveries.submitted_at_us` is set, durably, before an SMS is submitted to a carrier, and cleared with the result. In
between, no other transaction claims, parks or refunds it. An SMS that a dead process leaves behind is in doubt: its PDU may
have been written. `submitted_to` is the carrier of the last submit, so that it can be asked.
"""

from collections.abc import Sequence

from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt

_COLUMNS = (
    "d.id, d.account_id, d.rental_id, d.message_id, d.kind, d.destination, d.state, d.attempts, d.attempts_before,"
    " d.first_attempt_us, d.leased_until_us, d.submitted_at_us, d.submitted_to, d.stop_reason"
)


def submit(tx: Tx, delivery_id: int, *, carrier: str | None, now_us: int, until_us: int) -> None:
    """Record that a carrier may have it from now on; after `until_us` (wall time) its process is considered gone."""
    tx.run(
        "UPDATE deliveries SET submitted_at_us = :now_us, submitted_to = :carrier, leased_until_us = :until_us"
        " WHERE id = :id",
        id=delivery_id,
        carrier=carrier,
        now_us=now_us,
        until_us=until_us,
    )


def submit_to_another(tx: Tx, delivery_id: int, *, attempt: int, carrier: str) -> bool:
    """Record that this carrier may have it from now on, and that the previous one certainly does not. Return False if the
    attempt has been considered abandoned meanwhile: it must not be submitted."""
    return bool(
        tx.run(
            "UPDATE deliveries SET submitted_to = :carrier"
            " WHERE id = :id AND attempts = :attempt AND submitted_at_us IS NOT NULL",
            id=delivery_id,
            attempt=attempt,
            carrier=carrier,
        )
    )


def decided(tx: Tx, delivery_ids: Sequence[int]) -> None:
    """Record that the result of these submissions is known."""
    tx.run("UPDATE deliveries SET submitted_at_us = NULL WHERE id = ANY(:ids)", ids=list(delivery_ids))


def begin_doubt(tx: Tx, delivery_id: int, *, reason: str, until_us: int) -> None:
    """Put a delivery in doubt: the carrier may have it but has not answered. `until_us` is when no answer is expected
    any more."""
    tx.run(
        "UPDATE deliveries SET state = 'in_doubt', submitted_at_us = NULL, leased_until_us = NULL, reason = :reason,"
        " due_at_us = :until_us WHERE id = :id",
        id=delivery_id,
        reason=reason,
        until_us=until_us,
    )


def end_doubt(tx: Tx, delivery_id: int, *, due_at_us: int) -> None:
    """Queue a delivery in doubt for another attempt: the carrier certainly does not have it."""
    tx.run(
        "UPDATE deliveries SET state = 'waiting', due_at_us = :due_at_us WHERE id = :id AND state = 'in_doubt'",
        id=delivery_id,
        due_at_us=due_at_us,
    )
    tx.notify("deliveries")


def finish(tx: Tx, delivery_id: int, *, state: str, reason: str | None, now_us: int) -> None:
    """Finish a delivery that was in doubt, or whose result is unknown."""
    tx.run(
        "UPDATE deliveries SET state = :state, reason = :reason, finished_at_us = :now_us WHERE id = :id"
        " AND state IN ('in_doubt', 'unknown')",
        id=delivery_id,
        state=state,
        reason=reason,
        now_us=now_us,
    )


def revise(tx: Tx, delivery: Row, reason: str) -> None:
    """Write the carrier's late answer into the log of the last attempt; nothing for a closed account."""
    if delivery["destination"]:
        tx.run(
            "UPDATE attempts SET reason = :reason WHERE delivery_id = :id AND attempt = :attempt",
            id=delivery["id"],
            attempt=delivery["attempts"],
            reason=reason,
        )


def note(tx: Tx, delivery: Row, attempt: Attempt) -> None:
    """Log the last attempt of a delivery whose process died before it could."""
    tx.run(
        "INSERT INTO attempts (delivery_id, attempt, at_us, duration_us, reason)"
        " VALUES (:id, :attempt, :at_us, :duration_us, :reason) ON CONFLICT (delivery_id, attempt) DO NOTHING",
        id=delivery["id"],
        attempt=delivery["attempts"],
        at_us=attempt.at_us,
        duration_us=attempt.duration_us,
        reason=attempt.reason if delivery["destination"] else "",
    )


def of_message(tx: Tx, message_id: int) -> Row | None:
    """Return the delivery that carries a sent message, locked."""
    return tx.one(
        f"SELECT {_COLUMNS} FROM messages m JOIN deliveries d ON d.message_id = coalesce(m.forward_of, m.id)"
        " AND d.kind = CASE WHEN m.forward_of IS NULL THEN 'send' ELSE 'forward' END WHERE m.id = :id FOR NO KEY UPDATE",
        id=message_id,
    )


def abandoned(tx: Tx, *, wall_us: int | None, limit: int) -> list[Row]:
    """Return submitted deliveries whose process is gone: their time is up, or (None) all earlier processes have
    ended."""
    old = "" if wall_us is None else " AND (d.leased_until_us IS NULL OR d.leased_until_us <= :wall_us)"
    return tx.all(
        f"SELECT {_COLUMNS} FROM deliveries d WHERE d.submitted_at_us IS NOT NULL{old} ORDER BY d.id LIMIT :limit",
        limit=limit,
        **({} if wall_us is None else {"wall_us": wall_us}),
    )


def overdue(tx: Tx, *, now_us: int, limit: int) -> list[Row]:
    """Return deliveries in doubt for which no answer is expected any more."""
    return tx.all(
        f"SELECT {_COLUMNS} FROM deliveries d WHERE d.state = 'in_doubt' AND d.due_at_us <= :now_us"
        " ORDER BY d.due_at_us LIMIT :limit",
        now_us=now_us,
        limit=limit,
    )


def is_due(tx: Tx, *, now_us: int, wall_us: int) -> bool:
    """Return True if there are any of either kind."""
    row = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'in_doubt' AND due_at_us <= :now_us"
        " UNION ALL SELECT 1 FROM deliveries WHERE submitted_at_us IS NOT NULL"
        " AND (leased_until_us IS NULL OR leased_until_us <= :wall_us) LIMIT 1",
        now_us=now_us,
        wall_us=wall_us,
    )
    return row is not None


def in_doubt_at(tx: Tx, *, carrier: str, after: int, limit: int) -> list[Row]:
    """Messages above the ID `after` with a segment that this carrier did not respond to, and whose text is not erased,
    oldest first: `id`, `sender`, `recipient`, `content`, `segment`, `total`, `submitted_wall_us`."""
    return tx.all(
        "SELECT m.id, m.sender, m.recipient, m.content, s.segment, s.total, s.taken_wall_us AS submitted_wall_us"
        " FROM messages m JOIN submissions s ON s.message_id = m.id AND s.ref IS NULL"
        " WHERE m.status = 'in_doubt' AND m.content IS NOT NULL AND m.id > :after AND s.carrier = :carrier"
        " ORDER BY m.id LIMIT :limit",
        carrier=carrier,
        after=after,
        limit=limit,
    )


def count_in_doubt(tx: Tx) -> int:
    """Return the number of SMS in doubt."""
    row = tx.one("SELECT count(*) AS n FROM deliveries WHERE state = 'in_doubt'")
    assert row is not None
    return int(row["n"])


def between(tx: Tx, *, sender: str, phone: str) -> tuple[list[int], bool]:
    """Return the messages in doubt from one of our numbers to a phone, oldest first, and whether another is being
    submitted. `phone` is compared by its last digits, because carriers write it in different ways."""
    ids = [
        row["id"]
        for row in tx.all(
            "SELECT id, recipient FROM messages WHERE status = 'in_doubt' AND sender = :sender ORDER BY id",
            sender=sender,
        )
        if row["recipient"].endswith(phone)
    ]
    if not ids:
        return [], False
    busy = tx.all(
        "SELECT m.recipient FROM deliveries d JOIN messages m ON m.forward_of = d.message_id OR"
        " (m.id = d.message_id AND d.kind = 'send') WHERE d.submitted_at_us IS NOT NULL AND m.sender = :sender",
        sender=sender,
    )
    return ids, any(row["recipient"].endswith(phone) for row in busy)
