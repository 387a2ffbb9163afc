"""The outbox: deliveries that still have to reach a webhook or a carrier, and their results.

A lease (`leased_until_us`, wall time) assigns a lane (delivery_queue.py) to one worker; a dead worker's lease simply
expires. A transaction that adds to a lane or finishes its head locks the account (`accounts.lock`), so that concurrent
ones see each other.
"""

from msgspec import Struct
from msgspec.structs import replace

from dtmf_server.core.backoff import POLL_INTERVAL_S, PROBE_S
from dtmf_server.core.units import SECOND_US
from dtmf_server.storage import delivery_log, delivery_queue, schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt, LoggedAttempt

RETRY_FLOOR_US = PROBE_S * SECOND_US  # minimum retry delay, even if the destination answers others


def claim(
    tx: Tx,
    *,
    now_us: int,
    wall_us: int,
    lease_us: int,
    limit: int,
    except_destinations: list[tuple[int, str]],
    for_carriers: bool = True,
) -> list[Row]:
    """Lease due deliveries, oldest first, webhooks one per lane, each with its attempt already counted. Account and
    destination pairs in `except_destinations` are skipped. `for_carriers`: also lease deliveries to carriers, which
    only the process with the carrier links can submit."""
    only = "" if for_carriers else " AND d.kind NOT IN ('send', 'forward')"
    due = tx.all(
        f"SELECT d.id FROM deliveries d WHERE d.state = 'waiting' AND d.due_at_us >= 0 AND d.due_at_us <= :now_us{only}"
        " AND d.submitted_at_us IS NULL"
        " AND (d.leased_until_us IS NULL OR d.leased_until_us <= :wall_us)"
        " AND d.account_id || ' ' || d.destination <> ALL(:except_destinations)"
        " AND (d.kind IN ('send', 'forward')"
        " OR NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.rental_id = d.rental_id AND o.kind = d.kind"
        "  AND o.state = 'waiting' AND o.id <> d.id"
        "  AND (o.leased_until_us > :wall_us OR (o.id < d.id AND o.due_at_us <= :now_us))"
        "  LIMIT 1 OFFSET 0))"  # looked up lane by lane: with a join, PostgreSQL compares each due delivery with all others
        " ORDER BY d.due_at_us, d.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED",
        now_us=now_us,
        wall_us=wall_us,
        limit=limit,
        except_destinations=[f"{account_id} {url}" for account_id, url in except_destinations],
    )
    if not due:
        return []
    return tx.all(
        "UPDATE deliveries SET leased_until_us = :until_us, attempts = attempts + 1,"
        " first_attempt_us = coalesce(first_attempt_us, :now_us) WHERE id = ANY(:ids)"
        " RETURNING id, account_id, rental_id, message_id, event_id, kind, destination, attempts, attempts_before,"
        " first_attempt_us, leased_until_us",
        ids=[row["id"] for row in due],
        until_us=wall_us + lease_us,
        now_us=now_us,
    )


def release_all(tx: Tx) -> None:
    """End every lease, for a process that knows it is the only one."""
    tx.run("UPDATE deliveries SET leased_until_us = NULL WHERE state = 'waiting' AND leased_until_us IS NOT NULL")


def release(tx: Tx, claimed: list[tuple[int, int]], *, due_at_us: int) -> None:
    """Return leased deliveries (ID, attempts) that were not attempted after all."""
    ours = [row for row in _attempted(tx, dict(claimed)) if row["state"] == "waiting"]
    tx.run(
        "UPDATE deliveries SET leased_until_us = NULL, attempts = attempts - 1, due_at_us = :due_at_us,"
        # A replay requested in the meantime does not count the attempt that was not made.
        " attempts_before = CASE WHEN attempts_before < attempts THEN attempts_before ELSE attempts - 1 END,"
        " first_attempt_us = CASE WHEN attempts - 1 > attempts_before THEN first_attempt_us END WHERE id = ANY(:ids)",
        ids=[row["id"] for row in ours],
        due_at_us=due_at_us,
    )
    tx.notify("deliveries")


def _attempted(tx: Tx, attempts: dict[int, int]) -> list[Row]:
    """Return those of the deliveries (ID: attempts) whose last attempt is still that one: they are waiting and leased,
    or were parked by the renter or put in doubt during the attempt."""
    rows = tx.all(
        "SELECT id, account_id, rental_id, message_id, kind, destination, state, attempts, attempts_before,"
        " stop_reason,"
        " EXISTS (SELECT 1 FROM deliveries o WHERE o.rental_id = d.rental_id AND o.kind = d.kind AND o.state = 'waiting'"
        "  AND o.id <> d.id) AS has_others_in_line"
        " FROM deliveries d WHERE id = ANY(:ids) AND state IN ('waiting', 'parked', 'in_doubt')"
        " ORDER BY id FOR NO KEY UPDATE",
        ids=sorted(attempts),
    )
    return [row for row in rows if row["attempts"] == attempts[row["id"]]]


def _logged(row: Row, attempt: Attempt) -> LoggedAttempt:
    """Return the attempt for the log; if the account was closed in the meantime, only that it was made."""
    if not row["destination"]:
        attempt = replace(attempt, reason="", reply=None)
    return LoggedAttempt(row["id"], row["rental_id"], row["attempts"], attempt)


def attempted(tx: Tx, attempts: dict[int, int]) -> dict[int, Row]:
    """Return those of the deliveries (ID: attempts) whose lease is still held, by ID, locked."""
    return {row["id"]: row for row in _attempted(tx, attempts)}


class Retry(Struct, frozen=True):
    """A delivery that was attempted, and when it is due again."""

    attempted: Row
    due_at_us: int
    attempt: Attempt


def retry(tx: Tx, retries: list[Retry]) -> None:
    """Queue leased deliveries for another attempt; those parked in the meantime stay parked."""
    delivery_log.append(tx, [_logged(r.attempted, r.attempt) for r in retries])
    waiting = [r for r in retries if r.attempted["state"] == "waiting"]
    tx.update(
        schema.deliveries,
        ("id", "leased_until_us", "submitted_at_us", "due_at_us", "last_status", "reason"),
        [(r.attempted["id"], None, None, r.due_at_us, r.attempt.status, r.attempt.reason) for r in waiting],
    )
    if any(r.due_at_us < r.attempt.at_us + POLL_INTERVAL_S * SECOND_US for r in waiting):
        tx.notify("deliveries")  # the renter may have requested a replay in the meantime


class FinishedDelivery(Struct, frozen=True):
    """A leased delivery that is finished. `attempt` is None if it was not attempted this time."""

    id: int
    attempts: int
    attempt: Attempt | None
    reason: str | None


def finish(tx: Tx, ended: list[FinishedDelivery], *, state: str, now_us: int) -> list[Row]:
    """Finish leased deliveries as 'delivered' or 'parked' and advance their lanes. Return those whose lease was still
    held.

    A delivery that was parked during its successful attempt is delivered: a replay would post it twice. One that was
    put in doubt in the meantime is decided now.
    """
    by_id = {end.id: end for end in ended}
    rows = _attempted(tx, {end.id: end.attempts for end in ended})
    kinds = ("webhook", "event", "send", "forward") if state == "delivered" else ()
    ours = [row for row in rows if row["state"] in ("waiting", "in_doubt") or row["kind"] in kinds]
    columns = ("id", "state", "finished_at_us", "leased_until_us", "submitted_at_us", "last_status", "reason")
    tx.update(schema.deliveries, columns, [_change(by_id[row["id"]], state=state, now_us=now_us) for row in ours])
    delivery_log.append(
        tx,
        [_logged(row, attempt) for row in rows if (attempt := by_id[row["id"]].attempt) is not None],
    )
    delivery_queue.promote_heads(
        tx, {(row["rental_id"], row["kind"]) for row in ours if row["has_others_in_line"]}, now_us=now_us
    )
    return ours


def _change(
    end: FinishedDelivery, *, state: str, now_us: int
) -> tuple[int, str, int, None, None, int | None, str | None]:
    return end.id, state, now_us, None, None, end.attempt.status if end.attempt else None, end.reason


def redirect(tx: Tx, rental_id: int, *, kind: str, destination: str, now_us: int) -> None:
    """Redirect waiting deliveries to a changed destination; those that have failed are due immediately. A forward that
    was charged keeps the number it was charged for."""
    tx.run(
        "UPDATE deliveries SET destination = :destination, due_at_us = CASE WHEN attempts > 0 AND due_at_us > :now_us"
        "  AND leased_until_us IS NULL THEN :now_us ELSE due_at_us END"
        " WHERE rental_id = :rental_id AND kind = :kind AND state = 'waiting'"
        " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.forward_of = deliveries.message_id)",
        rental_id=rental_id,
        kind=kind,
        destination=destination,
        now_us=now_us,
    )
    _stop_submitted(tx, rental_id, kind=kind, reason=None)
    tx.notify("deliveries")


def park_waiting(tx: Tx, rental_id: int, *, kind: str, now_us: int, reason: str) -> list[Row]:
    """Park the deliveries that wait in a lane: none is lost, and each can be replayed. An SMS that a carrier may have is
    settled by its result, and parked if the carrier does not accept it."""
    _stop_submitted(tx, rental_id, kind=kind, reason=reason)
    return tx.all(
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL,"
        " reason = :reason WHERE rental_id = :rental_id AND kind = :kind AND state = 'waiting'"
        " AND submitted_at_us IS NULL RETURNING id, account_id, message_id, kind",
        rental_id=rental_id,
        kind=kind,
        now_us=now_us,
        reason=reason,
    )


def _stop_submitted(tx: Tx, rental_id: int, *, kind: str, reason: str | None) -> None:
    """Set the reason for parking what a carrier may have, if the carrier turns out not to have it; None: it is
    retried."""
    for may_be_taken in ("state = 'waiting' AND submitted_at_us IS NOT NULL", "state = 'in_doubt'"):
        tx.run(
            "UPDATE deliveries SET stop_reason = :reason"
            f" WHERE rental_id = :rental_id AND kind = :kind AND {may_be_taken}",
            rental_id=rental_id,
            kind=kind,
            reason=reason,
        )


def first_due(tx: Tx, *, wall_us: int) -> tuple[int | None, int]:
    """Return when the next delivery without a lease is due (or None), and the offset of the sandbox's clock."""
    row = tx.one(
        "SELECT clock_offset_us, (SELECT due_at_us FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0"
        "  AND submitted_at_us IS NULL"
        "  AND (leased_until_us IS NULL OR leased_until_us <= :wall_us) ORDER BY due_at_us LIMIT 1) AS due_at_us"
        " FROM service",
        wall_us=wall_us,
    )
    return (row["due_at_us"], row["clock_offset_us"]) if row else (None, 0)


def is_due(tx: Tx, *, now_us: int) -> bool:
    """Return True if anything that is due has not been attempted."""
    row = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND due_at_us >= 0 AND due_at_us <= :now_us"
        " UNION ALL SELECT 1 FROM deliveries WHERE state = 'waiting' AND leased_until_us IS NOT NULL"
        " UNION ALL SELECT 1 FROM deliveries WHERE state = 'in_doubt' AND due_at_us <= :now_us LIMIT 1",
        now_us=now_us,
    )
    return row is not None


def probe(tx: Tx, destination: str, *, by_us: int) -> None:
    """Schedule an attempt at an unavailable destination by this time: the oldest webhook that waits for it.

    That attempt does not count in the retry schedule, which starts at `attempts_before`.
    """
    due = tx.one(
        "SELECT 1 FROM deliveries WHERE state = 'waiting' AND attempts > 0 AND destination = :destination"
        " AND due_at_us <= :by_us AND leased_until_us IS NULL LIMIT 1",
        destination=destination,
        by_us=by_us,
    )
    if due is not None:
        return
    for oldest in tx.all(
        "SELECT id FROM deliveries WHERE state = 'waiting' AND attempts > 0 AND destination = :destination"
        " AND kind IN ('webhook', 'event')"
        " AND attempts > attempts_before + 1 AND leased_until_us IS NULL"
        " ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        destination=destination,
    ):
        tx.run(
            "UPDATE deliveries SET due_at_us = :by_us, attempts_before = attempts_before + 1 WHERE id = :id",
            id=oldest["id"],
            by_us=by_us,
        )
        tx.notify("deliveries")


# Now, or RETRY_FLOOR_US after the last attempt: otherwise a delivery that its receiver always rejects would be retried
# whenever the receiver accepts another one.
_SOON = (
    "coalesce((SELECT CASE WHEN a.at_us > :attempted_after_us THEN a.at_us + :floor_us ELSE :now_us END FROM attempts a"
    " WHERE a.delivery_id = deliveries.id AND a.attempt = deliveries.attempts), :now_us)"
)
# SMS that wait for a retry, and that this carrier may send: its name is in their group's list, or the list is empty.
_WAITS_FOR_CARRIER = (
    "state = 'waiting' AND due_at_us >= 0 AND attempts > 0 AND leased_until_us IS NULL AND submitted_at_us IS NULL"
    " AND kind IN ('send', 'forward') AND (SELECT coalesce(min(g.carriers), '') = ''"
    "  OR ' ' || min(g.carriers) || ' ' LIKE '% ' || :carrier || ' %' FROM rentals r JOIN numbers n ON n.e164 = r.e164"
    "  JOIN groups g ON g.id = n.group_id WHERE r.id = deliveries.rental_id)"
)


def make_carrier_due(tx: Tx, carrier: str, *, now_us: int, limit: int) -> int:
    """Make up to `limit` SMS that this carrier may send due now, or RETRY_FLOOR_US after their last attempt, because its
    link is up again. Return how many changed."""
    changed = tx.run(
        f"UPDATE deliveries SET due_at_us = {_SOON} WHERE id IN (SELECT id FROM deliveries WHERE due_at_us > :now_us"
        f" AND {_WAITS_FOR_CARRIER} AND due_at_us > {_SOON} ORDER BY due_at_us, id LIMIT :limit FOR NO KEY UPDATE"
        " SKIP LOCKED)",
        carrier=carrier,
        limit=limit,
        now_us=now_us,
        attempted_after_us=now_us - RETRY_FLOOR_US,
        floor_us=RETRY_FLOOR_US,
    )
    if changed:
        tx.notify("deliveries")
    return changed


def probe_carrier(tx: Tx, carrier: str, *, now_us: int) -> None:
    """Make the oldest SMS that waits for this carrier due now, to learn whether the carrier works again. That attempt does
    not count in the retry schedule, which starts at `attempts_before`."""
    changed = tx.run(
        "UPDATE deliveries SET due_at_us = :now_us, attempts_before = attempts_before + 1 WHERE id = (SELECT id FROM"
        f" deliveries WHERE due_at_us > :now_us AND attempts > attempts_before + 1 AND {_WAITS_FOR_CARRIER}"
        " ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)",
        carrier=carrier,
        now_us=now_us,
    )
    if changed:
        tx.notify("deliveries")


def make_all_due(tx: Tx, destinations: list[str], *, now_us: int) -> None:
    """Make everything that failed at these destinations due now, or RETRY_FLOOR_US after its last attempt, because they
    answer again."""
    changed = tx.run(
        f"UPDATE deliveries SET due_at_us = {_SOON} WHERE state = 'waiting' AND attempts > 0"
        f" AND destination = ANY(:destinations) AND leased_until_us IS NULL AND due_at_us > {_SOON}",
        destinations=destinations,
        now_us=now_us,
        attempted_after_us=now_us - RETRY_FLOOR_US,
        floor_us=RETRY_FLOOR_US,
    )
    if changed:
        tx.notify("deliveries")
