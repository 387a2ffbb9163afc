"""Lanes: the waiting webhooks of one rental, in order. SMS to carriers have no lane: one that waits for a retry or for
its carrier's answer must not block the others of its number. Only the head of a lane is due; the others become due when
it finishes, or 60 s after they were queued, so that a code never waits long behind a message that cannot be
delivered."""

from typing import Any

from msgspec import Struct

from dtmf_server.core.backoff import HEAD_RETRY_MAX_S
from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Tx
from dtmf_server.storage.leases import Lease

HEAD_OF_LINE_TIMEOUT_US = MINUTE_US  # how long a delivery waits for those ahead of it in its lane

Lane = tuple[int | None, str]  # rental, kind; without a rental, there is no lane
_HEADS = (
    "SELECT (SELECT min(d.id) FROM deliveries d WHERE d.rental_id = r.id AND d.kind = :kind AND d.state = 'waiting')"
    " FROM rentals r WHERE r.id = ANY(:rental_ids)"
)


class NewDelivery(Struct, frozen=True):
    """A delivery to queue."""

    account_id: int
    rental_id: int | None  # None for an event, which has no lane
    message_id: int | None
    kind: str
    destination: str
    event_id: int | None = None
    lane_is_busy: bool | None = None  # other deliveries are waiting in its lane; None: not checked yet
    parked: str | None = None  # why it is stored as parked and not attempted; None: it is due


def add(tx: Tx, new: list[NewDelivery], *, now_us: int) -> None:
    """Queue deliveries in this order, behind any others in their lanes. Their accounts must be locked."""
    rows = _rows(tx, new, now_us=now_us)
    tx.insert(schema.deliveries, _ADDED, rows)
    if rows:
        tx.notify("deliveries")


def add_leased(tx: Tx, new: list[NewDelivery], lease: Lease, *, now_us: int) -> list[tuple[int, NewDelivery]]:
    """Queue deliveries and lease webhooks that are due now. Return the leased ones with their IDs; their first attempt
    is already counted."""
    room = lease.room - len(tx.leased)
    rows, taken, left = list[tuple[Any, ...]](), list[int](), False
    for place, (d, row) in enumerate(zip(new, _rows(tx, new, now_us=now_us), strict=True)):
        is_due = d.parked is None and row[_DUE] == now_us
        is_open = d.kind == "webhook" and (d.account_id, d.destination) not in lease.except_destinations
        if is_due and is_open and len(taken) < room:
            taken.append(place)
            rows.append((*row, 1, now_us, lease.until_us))
        else:
            left |= is_due
            rows.append((*row, 0, None, None))
    ids = tx.insert_returning_ids(schema.deliveries, (*_ADDED, "attempts", "first_attempt_us", "leased_until_us"), rows)
    if left:
        tx.notify("deliveries")
    return [(ids[place], new[place]) for place in taken]


_ADDED = (
    *("account_id", "rental_id", "message_id", "event_id", "kind"),
    *("destination", "state", "created_at_us", "due_at_us", "finished_at_us", "reason"),
)
_DUE = _ADDED.index("due_at_us")


def _rows(tx: Tx, new: list[NewDelivery], *, now_us: int) -> list[tuple[Any, ...]]:
    """Return the rows of new deliveries."""
    busy = {(d.rental_id, d.kind) for d in new if d.lane_is_busy}
    busy |= _busy_lanes(tx, {(d.rental_id, d.kind) for d in new if d.lane_is_busy is None})
    busy = {line for line in busy if _is_lane(line)}
    _hurry_heads(tx, busy, now_us=now_us)
    rows = list[tuple[Any, ...]]()
    for d in new:
        what = (d.account_id, d.rental_id, d.message_id, d.event_id, d.kind, d.destination)
        if d.parked is not None:
            rows.append((*what, "parked", now_us, now_us, now_us, d.parked))
            continue
        line = (d.rental_id, d.kind)
        due_at_us = now_us + HEAD_OF_LINE_TIMEOUT_US if line in busy else now_us
        if _is_lane(line):
            busy.add(line)
        rows.append((*what, "waiting", now_us, due_at_us, None, None))
    return rows


def _is_lane(line: Lane) -> bool:
    rental_id, kind = line
    return rental_id is not None and kind not in ("send", "forward")


def _by_kind(lines: set[Lane]) -> list[tuple[str, list[int]]]:
    """Return each kind with the rentals that have such a lane."""
    kinds = sorted({line[1] for line in lines if _is_lane(line)})
    return [(kind, _rentals(lines, kind)) for kind in kinds]


def _rentals(lines: set[Lane], kind: str) -> list[int]:
    return sorted(rental_id for rental_id, of_kind in lines if of_kind == kind and rental_id is not None)


def _busy_lanes(tx: Tx, lines: set[Lane]) -> set[Lane]:
    """Return those of the lanes that have deliveries, found by their heads, so their length does not matter."""
    busy: set[Lane] = set()
    for kind, rental_ids in _by_kind(lines):
        rows = tx.all(
            "SELECT r.id FROM rentals r WHERE r.id = ANY(:rental_ids) AND EXISTS (SELECT 1 FROM deliveries d"
            " WHERE d.rental_id = r.id AND d.kind = :kind AND d.state = 'waiting')",
            rental_ids=rental_ids,
            kind=kind,
        )
        busy |= {(row["id"], kind) for row in rows}
    return busy


def _hurry_heads(tx: Tx, lines: set[Lane], *, now_us: int) -> None:
    """Shorten the delay of heads that had their lane to themselves until now: it may exceed the maximum for a head."""
    for kind, rental_ids in _by_kind(lines):
        tx.run(
            "UPDATE deliveries SET due_at_us = :due_at_us WHERE due_at_us > :due_at_us AND attempts > 0 AND id IN"
            f" ({_HEADS})",
            rental_ids=rental_ids,
            kind=kind,
            due_at_us=now_us + HEAD_RETRY_MAX_S * SECOND_US,
        )


def promote_heads(tx: Tx, lines: set[Lane], *, now_us: int) -> None:
    """Make the new head of each lane due now."""
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


def has_followers(tx: Tx, rental_id: int, kind: str) -> bool:
    """Return True if other deliveries are queued behind the head of this lane."""
    if not _is_lane((rental_id, kind)):
        return False
    rows = tx.all(
        "SELECT 1 FROM deliveries WHERE rental_id = :rental_id AND kind = :kind AND state = 'waiting' LIMIT 2",
        rental_id=rental_id,
        kind=kind,
    )
    return len(rows) > 1
