"""SMS on their way to a carrier: those that renters send, and forwards, which become sent messages here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dtmf_server.core.errors import Refusal
from dtmf_server.core.submission import Segments
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import deliver, receipts, send
from dtmf_server.operations.deliver import FailedAttempt, LeasedDelivery
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import accounts, carriers, in_flight, messages, numbers, outbox, rentals, submissions
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt

# Well above the time an attempt may take: waiting for a window, then for the answer.
SUBMIT_LEASE_US = 5 * MINUTE_US
SEEN_US = DAY_US  # how long after it was sent a forwarded text is recognized when it comes back in


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An SMS for a carrier, already charged and stored."""

    message_id: int
    sender: str
    to: str
    text: str
    carriers: tuple[str, ...] = ()  # that send for its number, in order of preference; empty: any
    carrier: str | None = None  # the one on record, which may have it from now on; None: none of them is up
    taken: dict[int, str] = field(default_factory=dict)  # segments that its only carrier has already accepted


def outgoing(
    tx: Tx,
    work: LeasedDelivery,
    *,
    now_us: int,
    daily_limit: int | None,
    wall_us: int | None = None,
    first_up: Callable[[Sequence[str]], str | None] = lambda names: next(iter(names), None),
) -> Outgoing | None:
    """Return what to submit for this delivery, or None if there is nothing (more) to send. `first_up` selects from a group's
    carriers the one that the SMS is submitted to first.

    A forward becomes a sent message of the rented number here, charged once, however often it is attempted. From this
    transaction on, until its result is stored, a carrier may have the SMS: its charge stands.
    """
    accounts.lock(tx, work.account_id)
    row = outbox.attempted(tx, {work.id: work.attempts}).get(work.id)
    if row is None or row["state"] != "waiting":
        return None  # parked, or somebody else's, since it was claimed
    found = _outgoing(tx, work, now_us=now_us, daily_limit=daily_limit)
    if found is None:
        return None
    only, taken = submissions.taken_by(tx, found.message_id)
    names = (only,) if taken else numbers.carriers_of(tx, found.sender)
    carrier = first_up(names)
    until_us = (wall_us or work.leased_until_us) + SUBMIT_LEASE_US
    in_flight.submit(tx, work.id, carrier=carrier, now_us=now_us, until_us=until_us)
    return replace(found, carriers=names, carrier=carrier, taken=taken)


def _outgoing(tx: Tx, work: LeasedDelivery, *, now_us: int, daily_limit: int | None) -> Outgoing | None:
    sent = messages.by_id(tx, work.message_id) if work.kind == "send" else messages.forward_of(tx, work.message_id)
    if sent is not None:
        return _unless_done(tx, work, sent, now_us=now_us)
    if refused := _refuse_loop(tx, work):
        deliver.park(tx, work, reason=refused, attempt=None, now_us=now_us)
        return None
    return _begin_forward(tx, work, now_us=now_us, daily_limit=daily_limit)


def handed_over(
    tx: Tx,
    work: LeasedDelivery,
    message_id: int,
    *,
    carrier: str,
    refs: Sequence[str],
    attempt: Attempt,
    now_us: int,
    wall_us: int,
) -> None:
    """Record that a carrier accepted the SMS, under these references: the message is sent, the delivery done."""
    carriers.lock(tx, carrier)
    send.accepted(tx, message_id, now_us=now_us)
    receipts.taken(tx, carrier, refs, message_id=message_id, now_us=now_us, wall_us=wall_us)
    deliver.delivered(tx, [(work, attempt)], now_us=now_us)


def refused_for_good(tx: Tx, work: LeasedDelivery, message_id: int, *, attempt: Attempt, now_us: int) -> None:
    """Record that the carrier will never accept the SMS: failed, refunded, parked."""
    send.failed(tx, message_id, reason=attempt.reason, now_us=now_us)
    deliver.park(tx, work, reason=attempt.reason, attempt=attempt, now_us=now_us)


def not_taken(
    tx: Tx,
    failed: FailedAttempt,
    message_id: int,
    *,
    carrier: str,
    segments: Segments | None,
    now_us: int,
    wall_us: int,
) -> None:
    """Record that no carrier has the SMS, or that one has only the segments it accepted: the rest is retried."""
    if carrier:
        carriers.lock(tx, carrier)
    accounts.lock(tx, failed.work.account_id)
    row = outbox.attempted(tx, {failed.work.id: failed.work.attempts}).get(failed.work.id)
    if row is not None and segments is not None:
        submissions.put_all(tx, carrier, message_id, segments, wall_us=wall_us)
    if row is not None and row["state"] == "in_doubt":  # it took so long that it was considered abandoned
        send.queued_again(tx, message_id, now_us=now_us)
        in_flight.end_doubt(tx, row["id"], due_at_us=now_us)
    deliver.not_delivered(tx, [failed], now_us=now_us)


def _unless_done(tx: Tx, work: LeasedDelivery, sent: Row, *, now_us: int) -> Outgoing | None:
    """Return the message again if the previous attempt did not finish; a failed one was refunded and stays failed."""
    if sent["status"] == "queued" and sent["content"] is not None:
        return Outgoing(sent["id"], sent["sender"], sent["recipient"], sent["content"])
    parked = _PARKED.get(sent["status"])
    if parked:
        deliver.park(tx, work, reason=parked, attempt=None, now_us=now_us)
    else:
        attempt = Attempt(now_us, 0, None, "the carrier had already accepted it", None)
        deliver.delivered(tx, [(work, attempt)], now_us=now_us)
    return None


def _refuse_loop(tx: Tx, work: LeasedDelivery) -> str | None:
    since_us = work.received_us - SEEN_US  # counted from its arrival, because it may be replayed much later
    if work.destination == work.e164:
        return "a number does not forward to itself"
    if messages.is_forward(tx, sender=work.sender, recipient=work.e164, content=work.text, since_us=since_us):
        return "a forwarded SMS is not forwarded again"
    return None


def _begin_forward(tx: Tx, work: LeasedDelivery, *, now_us: int, daily_limit: int | None) -> Outgoing | None:
    rental = rentals.by_id(tx, work.rental_id)
    text, refused = f"From {work.sender}: {work.text}", None
    with open_ledger(tx, [work.account_id], now_us=now_us) as ledger:
        try:  # inside: rentals that opening the ledger has ended must be booked all the same
            if not ledger.is_live(work.account_id, work.rental_id):
                raise ForwardTooLate
            message_id = send.queue(tx, ledger, rental, to=work.destination, content=text, daily_limit=daily_limit)
            messages.mark_forward(tx, message_id, forward_of=work.message_id)
        except Refusal as refusal:
            refused = refusal.detail
    if refused is not None:
        deliver.park(tx, work, reason=refused, attempt=None, now_us=now_us)
        return None
    return Outgoing(message_id, rental["e164"], work.destination, text)


_PARKED = {
    "queued": deliver.ERASED,
    "failed": "the message failed and was refunded",
    "in_doubt": "the carrier may have already accepted it",
    "unknown": "the carrier may have already accepted it",
}


class ForwardTooLate(Refusal):
    """The rental ended before the SMS was forwarded."""
