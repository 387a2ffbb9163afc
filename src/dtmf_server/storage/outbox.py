"""Deliveries: what still has to reach a webhook or a carrier, and what became of it.

A *line* is what waits of one rental and one kind. Only its head is due; who stands behind is due once the head
is done, or 60 s after it came, so that a code never waits long behind a message that can't be delivered.
A lease (`leased_until_us`, wall time) keeps a line to one worker; a dead worker's lease simply ends.
Whoever adds to a line or ends its head holds the account (`accounts.hold`), so that neither misses the other.
"""

from dataclasses import dataclass, replace

from dtmf_server.core.backoff import HEAD_RETRY_MAX_S
from dtmf_server.storage import delivery_log, schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt, Logged

PATIENCE_US = 60_000_000  # how long a delivery waits for those before it in its line

Line = tuple[int | None, str]  # rental, kind; no rental: no line
_HEADS = (
    "SELECT (SELECT min(d.id) FROM deliveries d WHERE d.rental_id = r.id AND d.kind = :kind AND d.state = 'waiting')"
    " FROM rentals r WHERE r.id IN @rental_ids"
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to queue."""

    account_id: int
    rental_id: int | None  # None for an event, which stands in no line
    message_id: int | None
    kind: str
    destination: str
    event_id: int | None = None


def add(tx: Tx, new: list[NewDelivery], *, now_us: int) -> None:
    """Queues deliveries, in this order; those that stand behind another wait for it. Their accounts are locked."""
    busy = _busy_lines(tx, {(d.rental_id, d.kind) for d in new})
    _hurry_heads(tx, busy, now_us=now_us)
    rows = []
    for d in new:
        line = (d.rental_id, d.kind)
        due_at_us = now_us + PATIENCE_US if line in busy else now_us
        if d.rental_id is not None:
            busy.add(line)
        what = (d.account_id, d.rental_id, d.message_id, d.event_id, d.kind)
        rows.append((*what, d.destination, "waiting", now_us, due_at_us))
    tx.insert(
        schema.deliveries,
        (
            *("account_id", "rental_id", "message_id", "event_id", "kind"),
            *("destination", "state", "created_at_us", "due_at_us"),
        ),
        rows,
    )
    if rows:
        tx.notify("deliveries")


def _by_kind(lines: set[Line]) -> list[tuple[str, list[int]]]:
    """Each kind with the rentals that have such a line."""
    kinds = sorted({kind for _, kind in lines})
    return [(kind, _rentals(lines, kind)) for kind in kinds]


def _rentals(lines: set[Line], kind: str) -> list[int]:
    return sorted(rental_id for rental_id, of_kind in lines if of_kind == kind and rental_id is not None)


def _busy_lines(tx: Tx, lines: set[Line]) -> set[Line]:
    """Those of the lines that somebody stands in; found at their heads, however long they are."""
    busy: set[Line] = set()
    for kind, rental_ids in _by_kind(lines):
        rows = tx.all(
            "SELECT r.id FROM rentals r WHERE r.id IN @rental_ids AND EXISTS (SELECT 1 FROM deliveries d"
            " WHERE d.rental_id = r.id AND d.kind = :kind AND d.state = 'waiting')",
            rental_ids=rental_ids,
            kind=kind,
        )
        busy |= {(row["id"], kind) for row in rows}
    return busy


def _hurry_heads(tx: Tx, lines: set[Line], *, now_us: int) -> None:
    """Who had a line to itself until now may have been put off for longer than the head of a line ever is."""
    for kind, rental_ids in _by_kind(lines):
        tx.run(
            "UPDATE deliveries SET due_at_us = :due_at_us WHERE due_at_us > :due_at_us AND attempts > 0 AND id IN"
            f" ({_HEADS})",
            rental_ids=rental_ids,
            kind=kind,
            due_at_us=now_us + HEAD_RETRY_MAX_S * 1_000_000,
        )


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
    """Leases due deliveries, oldest first and one per line; each comes with its attempt counted. None of those
    accounts to those destinations. `for_carriers`: those too that a carrier takes, which only the process with its links
    can hand over."""
    only = "" if for_carriers else " AND d.kind NOT IN ('send', 'forward')"
    due = tx.all(
        f"SELECT d.id FROM deliveries d WHERE d.state = 'waiting' AND d.due_at_us >= 0 AND d.due_at_us <= :now_us{only}"
        " AND (d.leased_until_us IS NULL OR d.leased_until_us <= :wall_us)"
        " AND NOT d.account_id || ' ' || d.destination IN @except_destinations"
        " AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.rental_id = d.rental_id AND o.kind = d.kind"
        "  AND o.state = 'waiting' AND o.id <> d.id"
        "  AND (o.leased_until_us > :wall_us OR (o.id < d.id AND o.due_at_us <= :now_us))"
        "  LIMIT 1 OFFSET 0)"  # looked up line by line: joined, PostgreSQL holds each that is due against all others
        " ORDER BY d.due_at_us, d.id LIMIT :limit @SKIP",
        now_us=now_us,
        wall_us=wall_us,
        limit=limit,
        except_destinations=[f"{account_id} {url}" for account_id, url in except_destinations],
    )
    if not due:
        return []
    return tx.all(
        "UPDATE deliveries SET leased_until_us = :until_us, attempts = attempts + 1,"
        " first_attempt_us = coalesce(first_attempt_us, :now_us) WHERE id IN @ids"
        " RETURNING id, account_id, rental_id, message_id, event_id, kind, destination, attempts, attempts_before,"
        " first_attempt_us, leased_until_us",
        ids=[row["id"] for row in due],
        until_us=wall_us + lease_us,
        now_us=now_us,
    )


def release_all(tx: Tx) -> None:
    """Ends every lease: for a process that knows it is the only one."""
    tx.run("UPDATE deliveries SET leased_until_us = NULL WHERE state = 'waiting' AND leased_until_us IS NOT NULL")


def give_back(tx: Tx, claimed: list[tuple[int, int]], *, due_at_us: int) -> None:
    """Returns leased deliveries (id, attempts) that were not attempted after all."""
    ours = [row for row in _attempted(tx, dict(claimed)) if row["state"] == "waiting"]
    tx.run(
        "UPDATE deliveries SET leased_until_us = NULL, attempts = attempts - 1, due_at_us = :due_at_us,"
        # A replay that was asked for meanwhile does not count the attempt that was not made.
        " attempts_before = CASE WHEN attempts_before < attempts THEN attempts_before ELSE attempts - 1 END,"
        " first_attempt_us = CASE WHEN attempts - 1 > attempts_before THEN first_attempt_us END WHERE id IN @ids",
        ids=[row["id"] for row in ours],
        due_at_us=due_at_us,
    )
    tx.notify("deliveries")


def _attempted(tx: Tx, attempts: dict[int, int]) -> list[Row]:
    """Those of the deliveries (id: attempts) whose last attempt is still that one. They wait, leased; or the renter had
    them parked while they were under way."""
    rows = tx.all(
        "SELECT id, account_id, rental_id, message_id, kind, destination, state, attempts FROM deliveries"
        " WHERE id IN @ids AND state IN ('waiting', 'parked') ORDER BY id @LOCK",
        ids=sorted(attempts),
    )
    return [row for row in rows if row["attempts"] == attempts[row["id"]]]


def _logged(row: Row, attempt: Attempt) -> Logged:
    """The attempt for the log; where the account was closed meanwhile, only that it was made."""
    if not row["destination"]:
        attempt = replace(attempt, reason="", reply=None)
    return Logged(row["id"], row["rental_id"], row["attempts"], attempt)


def retry(tx: Tx, delivery_id: int, *, attempts: int, due_at_us: int, attempt: Attempt) -> bool:
    """Puts a leased delivery back for another attempt; False if the lease is no longer ours."""
    for row in _attempted(tx, {delivery_id: attempts}):
        delivery_log.append(tx, [_logged(row, attempt)])
        if row["state"] == "parked":
            continue
        tx.run(
            "UPDATE deliveries SET leased_until_us = NULL, due_at_us = :due_at_us, last_status = :status,"
            " reason = :reason WHERE id = :id",
            id=delivery_id,
            due_at_us=due_at_us,
            status=attempt.status,
            reason=attempt.reason,
        )
        return True
    return False


@dataclass(frozen=True, slots=True)
class Ended:
    """A leased delivery that is over. `attempt` is None if it was not attempted this time."""

    id: int
    attempts: int
    attempt: Attempt | None
    reason: str | None


def finish(tx: Tx, ended: list[Ended], *, state: str, now_us: int) -> list[Row]:
    """Ends leased deliveries as 'delivered' or 'parked'; their lines move up. Those whose lease was still ours.

    A post that was parked while it was under way, and arrived, is delivered: a replay would bring it twice.
    """
    by_id = {end.id: end for end in ended}
    rows = _attempted(tx, {end.id: end.attempts for end in ended})
    posts = ("webhook", "event") if state == "delivered" else ()
    ours = [row for row in rows if row["state"] == "waiting" or row["kind"] in posts]
    columns = ("id", "state", "finished_at_us", "leased_until_us", "last_status", "reason")
    tx.update(schema.deliveries, columns, [_change(by_id[row["id"]], state=state, now_us=now_us) for row in ours])
    delivery_log.append(
        tx,
        [_logged(row, attempt) for row in rows if (attempt := by_id[row["id"]].attempt) is not None],
    )
    _make_heads_due(tx, {(row["rental_id"], row["kind"]) for row in ours}, now_us=now_us)
    return ours


def _change(end: Ended, *, state: str, now_us: int) -> tuple[int, str, int, None, int | None, str | None]:
    return end.id, state, now_us, None, end.attempt.status if end.attempt else None, end.reason


def _make_heads_due(tx: Tx, lines: set[Line], *, now_us: int) -> None:
    """Who stood behind need not wait any longer."""
    changed = 0
    for kind, rental_ids in _by_kind(lines):
        changed += tx.run(
            "UPDATE deliveries SET due_at_us = :now_us WHERE due_at_us > :now_us AND attempts = 0 AND id IN"
            f" ({_HEADS})",
            rental_ids=rental_ids,
            kind=kind,
            now_us=now_us,
        )
    if changed:
        tx.notify("deliveries")


def aim(tx: Tx, delivery_id: int) -> Row:
    """Where a delivery goes now, and how many of its attempts its programme does not count."""
    row = tx.one("SELECT destination, attempts_before FROM deliveries WHERE id = :id", id=delivery_id)
    assert row is not None
    return row


def line_is_longer(tx: Tx, rental_id: int, kind: str) -> bool:
    """Whether somebody stands behind the head of this line."""
    rows = tx.all(
        "SELECT 1 FROM deliveries WHERE rental_id = :rental_id AND kind = :kind AND state = 'waiting' LIMIT 2",
        rental_id=rental_id,
        kind=kind,
    )
    return len(rows) > 1


def redirect(tx: Tx, rental_id: int, *, kind: str, destination: str, now_us: int) -> None:
    """Waiting deliveries follow a changed destination; those that have failed try it at once. A forward that was charged
    for stays with the number it was charged for."""
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
    tx.notify("deliveries")


def park_waiting(tx: Tx, rental_id: int, *, kind: str, now_us: int, reason: str) -> list[Row]:
    """Parks what waits in a line: nothing is lost, and each can be replayed."""
    return tx.all(
        "UPDATE deliveries SET state = 'parked', finished_at_us = :now_us, leased_until_us = NULL,"
        " reason = :reason WHERE rental_id = :rental_id AND kind = :kind AND state = 'waiting'"
        " RETURNING id, account_id, message_id, kind",
        rental_id=rental_id,
        kind=kind,
        now_us=now_us,
        reason=reason,
    )
