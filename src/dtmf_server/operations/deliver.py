"""Deliveries as the workers see them: claim what is due, say what became of it."""

from dataclasses import dataclass

from dtmf_server.core import backoff
from dtmf_server.core.errors import Refusal
from dtmf_server.operations import send
from dtmf_server.operations.books import open_books
from dtmf_server.operations.rent import parked_event
from dtmf_server.storage import accounts, events, messages, outbox, rentals
from dtmf_server.storage.db import Row, Tx

HEAD_RETRY_MAX_US = 30 * 60_000_000  # the head of a line that others wait in is tried at least this often


@dataclass(frozen=True, slots=True)
class Work:
    """A leased delivery with what is to be delivered. `text` and `sender` are the SMS that leaves or is reported."""

    id: int
    account_id: int
    rental_id: int
    message_id: int
    kind: str
    destination: str
    attempts: int
    first_attempt_us: int
    e164: str
    sender: str
    text: str


def claim(tx: Tx, *, now_us: int, wall_us: int, lease_us: int, limit: int) -> list[Work]:
    """Leases up to `limit` due deliveries, one per line, each with its message."""
    claimed = outbox.claim(tx, now_us=now_us, wall_us=wall_us, lease_us=lease_us, limit=limit)
    if not claimed:
        return []
    texts = messages.by_ids(tx, [row["message_id"] for row in claimed])
    return [_work(row, texts[row["message_id"]]) for row in sorted(claimed, key=lambda row: row["id"])]


def _work(row: Row, message: Row) -> Work:
    return Work(
        id=row["id"],
        account_id=row["account_id"],
        rental_id=row["rental_id"],
        message_id=row["message_id"],
        kind=row["kind"],
        destination=row["destination"],
        attempts=row["attempts"],
        first_attempt_us=row["first_attempt_us"],
        e164=message["e164"],
        sender=message["sender"],
        text=message["content"] or "",
    )


def delivered(tx: Tx, work: Work, *, now_us: int, status: int | None = None) -> None:
    """It arrived: the line moves up, and everything that waits for this destination is due."""
    done = outbox.finish(
        tx, work.id, attempts=work.attempts, state="delivered", now_us=now_us, status=status, reason=None
    )
    if done is not None:
        outbox.make_destination_due(tx, work.destination, now_us=now_us)


def not_delivered(
    tx: Tx,
    work: Work,
    *,
    verdict: backoff.Verdict,
    reason: str,
    status: int | None,
    retry_after_s: int | None,
    uniform: float,
    now_us: int,
) -> None:
    """It did not arrive: tried again by the programme, or parked with an event when the programme is over."""
    due_us = None
    if verdict is backoff.Verdict.RETRY:
        due_us = backoff.next_due_us(
            work.attempts,
            first_attempt_us=work.first_attempt_us,
            now_us=now_us,
            uniform=uniform,
            retry_after_s=retry_after_s,
        )
    if due_us is None:
        park(tx, work, reason=reason, status=status, now_us=now_us)
        return
    if outbox.line_is_longer(tx, work.rental_id, work.kind):
        due_us = min(due_us, now_us + HEAD_RETRY_MAX_US)
    outbox.retry(tx, work.id, attempts=work.attempts, due_at_us=due_us, status=status, reason=reason)


def park(tx: Tx, work: Work, *, reason: str, status: int | None, now_us: int) -> None:
    """Stops trying: visible, replayable, and said in an event."""
    accounts.lock(tx, [work.account_id])
    done = outbox.finish(
        tx, work.id, attempts=work.attempts, state="parked", now_us=now_us, status=status, reason=reason
    )
    if done is not None:
        events.append(tx, [parked_event(done, now_us=now_us, reason=reason)])


def switch_off(tx: Tx, work: Work, *, reason: str, now_us: int, rest_us: int) -> None:
    """The receiver said 410: the number's webhook is switched off, with an event, and what waits is parked."""
    with open_books(tx, [work.account_id], now_us=now_us, rest_us=rest_us) as books:
        now_us = books.now_us(work.account_id)
        if not rentals.clear_action(tx, work.rental_id, destination=work.destination):
            return
        data = {"e164": work.e164, "destination": work.destination, "reason": reason}
        books.note(events.Event(work.account_id, now_us, "action.disabled", data=data))
        for row in outbox.park_waiting(tx, work.rental_id, kind=work.kind, now_us=now_us, reason=reason):
            books.note(parked_event(row, now_us=now_us, reason=reason))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An SMS for a carrier, already charged and stored."""

    message_id: int
    sender: str
    to: str
    text: str


def outgoing(
    tx: Tx, work: Work, *, now_us: int, rest_us: int, daily_limit: int | None, forward_seen_us: int
) -> Outgoing | None:
    """What to hand to the carrier for this delivery; None if there is nothing (more) to send.

    A forward becomes a sent message of the rented number here, charged once, however often it is attempted.
    """
    if work.kind == "send":
        message = messages.full(tx, work.message_id)
        assert message is not None
        return _unless_done(message)
    existing = messages.forward_of(tx, work.message_id)
    if existing is not None:
        return _unless_done(existing)
    if refused := _refuse_loop(tx, work, since_us=now_us - forward_seen_us):
        park(tx, work, reason=refused, status=None, now_us=now_us)
        return None
    return _begin_forward(tx, work, now_us=now_us, rest_us=rest_us, daily_limit=daily_limit)


def _unless_done(message: Row) -> Outgoing | None:
    if message["status"] != "queued":
        return None
    return Outgoing(message["id"], message["sender"], message["recipient"], message["content"] or "")


def _refuse_loop(tx: Tx, work: Work, *, since_us: int) -> str | None:
    if work.destination == work.e164:
        return "a number does not forward to itself"
    if messages.is_forward(tx, sender=work.sender, recipient=work.e164, content=work.text, since_us=since_us):
        return "a forwarded SMS is not forwarded again"
    return None


def _begin_forward(tx: Tx, work: Work, *, now_us: int, rest_us: int, daily_limit: int | None) -> Outgoing | None:
    rental = rentals.by_id(tx, work.rental_id)
    if rental["ended_at_us"] is not None:
        park(tx, work, reason="the rental ended before the SMS was forwarded", status=None, now_us=now_us)
        return None
    text = f"From {work.sender}: {work.text}"
    try:
        with open_books(tx, [work.account_id], now_us=now_us, rest_us=rest_us) as books:
            message_id = send.queue(tx, books, rental, to=work.destination, content=text, daily_limit=daily_limit)
            messages.mark_forward(tx, message_id, forward_of=work.message_id)
    except Refusal as refusal:
        park(tx, work, reason=refusal.detail, status=None, now_us=now_us)
        return None
    return Outgoing(message_id, rental["e164"], work.destination, text)


def handed_over(tx: Tx, work: Work, message_id: int, *, now_us: int, rest_us: int) -> None:
    """The carrier has taken the SMS: accepted, and the delivery done."""
    send.accepted(tx, message_id, now_us=now_us, rest_us=rest_us)
    delivered(tx, work, now_us=now_us)


def refused_for_good(tx: Tx, work: Work, message_id: int, *, reason: str, now_us: int, rest_us: int) -> None:
    """The carrier will never take the SMS: failed, refunded, parked."""
    send.failed(tx, message_id, reason=reason, now_us=now_us, rest_us=rest_us)
    park(tx, work, reason=reason, status=None, now_us=now_us)
