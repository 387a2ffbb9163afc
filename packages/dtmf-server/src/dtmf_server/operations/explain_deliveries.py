"""Which SMS to a number did not reach its webhook, and why."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from dtmf_server.core.units import INT64_MAX
from dtmf_server.operations.explain_number import UnknownNumber
from dtmf_server.storage import number_history
from dtmf_server.storage.db import Row, Tx

RENTALS_MAX = 20
PAGE = 1000
READ_MAX = 20_000  # SMS, newest first
LISTED_MAX = 200
NO_WEBHOOK = "the number had no webhook when the SMS arrived"
FORWARDED = "the number forwarded its SMS to another number when the SMS arrived"


class Undelivered(Struct, frozen=True, kw_only=True):
    """An SMS that its webhook has not received. `state`: 'waiting' for its next attempt, 'parked' until it is replayed, or
    'none' without a webhook. `reason`: that of the last attempt. `destination`: the webhook's URL without its path."""

    message_id: int
    received_at_us: int
    account_id: int
    rental_id: int
    delivery_id: int | None
    state: str
    destination: str | None
    attempts: int
    last_status: int | None
    reason: str
    next_attempt_at_us: int | None


class DeliveriesExplanation(Struct, frozen=True, kw_only=True):
    """The SMS that a number received in a span of time. `undelivered`: newest first, at most LISTED_MAX; `undelivered_count`
    counts all. `is_complete` is False if there were more than READ_MAX SMS: the older ones were not read. `strays`: SMS that
    came while no account rented the number, at any time; no account gets them."""

    e164: str
    received: int
    undelivered_count: int
    undelivered: Sequence[Undelivered]
    is_complete: bool
    waiting_parts: int
    strays: int
    last_stray_at_us: int | None


def explain(tx: Tx, e164: str, *, from_us: int, until_us: int) -> DeliveriesExplanation:
    """Explain the SMS to a number that arrived in this span. Raises UnknownNumber."""
    if number_history.stocked(tx, e164) is None:
        raise UnknownNumber(f"{e164!r} was never in stock: a number is written like +12025550123")
    rentals = number_history.rentals(tx, e164, from_us=from_us, until_us=until_us, limit=RENTALS_MAX)
    received, count, found, read = 0, 0, list[Undelivered](), 0
    for rental, row in _newest(tx, rentals, from_us=from_us):
        read += 1
        if read > READ_MAX:
            break
        if row["at_us"] >= until_us:
            continue
        received += 1
        if row["state"] == "delivered":
            continue
        count += 1
        if len(found) < LISTED_MAX:
            found.append(_undelivered(rental, row))
    stray = number_history.stray(tx, e164)
    return DeliveriesExplanation(
        e164=e164,
        received=received,
        undelivered_count=count,
        undelivered=found,
        is_complete=read <= READ_MAX,
        waiting_parts=number_history.waiting_parts(tx, e164),
        strays=0 if stray is None else stray["count"],
        last_stray_at_us=None if stray is None else stray["last_at_us"],
    )


def _newest(tx: Tx, rentals: Sequence[Row], *, from_us: int) -> Iterator[tuple[Row, Row]]:
    """Yield each SMS of the rentals since `from_us` with its rental, newest first."""
    for rental in rentals:
        before = INT64_MAX
        while rows := number_history.received(tx, rental["id"], before=before, limit=PAGE):
            for row in rows:
                if row["at_us"] < from_us:
                    break
                yield rental, row
            else:
                before = rows[-1]["id"]
                continue
            break


def _host(url: str) -> str:
    """Return a URL without its path, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/…"


def _undelivered(rental: Row, row: Row) -> Undelivered:
    is_queued = row["delivery_id"] is not None
    without = FORWARDED if row["forward_state"] is not None else NO_WEBHOOK
    return Undelivered(
        message_id=row["id"],
        received_at_us=row["at_us"],
        account_id=rental["account_id"],
        rental_id=rental["id"],
        delivery_id=row["delivery_id"],
        state=row["state"] if is_queued else "none",
        destination=_host(row["destination"]) if is_queued else None,
        attempts=row["attempts"] or 0,
        last_status=row["last_status"],
        reason=(row["reason"] or "") if is_queued else without,
        next_attempt_at_us=row["due_at_us"] if row["state"] == "waiting" else None,
    )
