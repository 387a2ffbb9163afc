"""Deliveries as the workers see them: claiming what is due, and recording the results."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from dtmf_server.core import backoff
from dtmf_server.core.body_templates import masked
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import account_webhook, send
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import accounts, delivery_queue, events, messages, outbox, rentals
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt
from dtmf_server.storage.delivery_queue import NewDelivery
from dtmf_server.storage.outbox import FinishedDelivery, Retry

ERASED = "its text was erased before it could be delivered"
TEST_SENDER, TEST_TEXT = "+1234", "This is a test of your webhook. Your SMS will look like this."


class LeasedDelivery(Struct, frozen=True):
    """A leased delivery with its content: the SMS, and for a webhook what signs it."""

    id: int
    account_id: int
    rental_id: int  # 0 for an event, which belongs to no rental
    message_id: int  # 0 for a test or an event, which delivers no message
    kind: str
    destination: str
    attempts: int
    attempts_before: int
    first_attempt_us: int
    leased_until_us: int  # wall time
    received_us: int  # when the SMS arrived, or the event happened
    e164: str
    sender: str
    text: str  # for an event: the whole body that is posted
    is_erased: bool  # the text no longer exists
    webhook_version: int
    webhook_rotated_wall_us: int | None


def queue(tx: Tx, new: Sequence[tuple[NewDelivery, InboundMessage, Row]], *, now_us: int) -> None:
    """Queue webhooks and forwards of new SMS, each with its account's signing version. Those that the transaction may
    lease are passed to this process's delivery worker at the commit."""
    if tx.lease is None:
        delivery_queue.add(tx, [delivery for delivery, _, _ in new], now_us=now_us)
        return
    texts = {delivery.message_id: (sms, signed) for delivery, sms, signed in new}
    for id_, d in delivery_queue.add_leased(tx, [delivery for delivery, _, _ in new], tx.lease, now_us=now_us):
        sms, signed = texts[d.message_id]
        tx.leased.append(
            LeasedDelivery(
                id=id_,
                account_id=d.account_id,
                rental_id=d.rental_id or 0,
                message_id=d.message_id or 0,
                kind=d.kind,
                destination=d.destination,
                attempts=1,
                attempts_before=0,
                first_attempt_us=now_us,
                leased_until_us=tx.lease.until_us,
                received_us=now_us,
                e164=sms.to,
                sender=sms.sender,
                text=sms.text,
                is_erased=False,
                webhook_version=signed["webhook_version"],
                webhook_rotated_wall_us=signed["webhook_rotated_wall_us"],
            )
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
) -> list[LeasedDelivery]:
    """Lease up to `limit` due deliveries, one per lane, each with its message, skipping the account and destination
    pairs in `except_destinations`. `for_carriers`: also lease deliveries to carriers."""
    claimed = outbox.claim(
        tx,
        now_us=now_us,
        wall_us=wall_us,
        lease_us=lease_us,
        limit=limit,
        except_destinations=except_destinations,
        for_carriers=for_carriers,
    )
    if not claimed:
        return []
    texts = messages.by_ids(tx, [row["message_id"] for row in claimed if row["message_id"] is not None])
    tested = rentals.numbers_of(tx, [row["rental_id"] for row in claimed if row["kind"] == "test"])
    happened = events.by_ids(tx, [row["event_id"] for row in claimed if row["event_id"] is not None])
    versions = accounts.webhook_versions(tx, sorted({row["account_id"] for row in claimed}))
    return [
        _work(row, _what(row, texts, tested, happened), versions[row["account_id"]])
        for row in sorted(claimed, key=lambda row: row["id"])
    ]


def without_erased(tx: Tx, claimed: Sequence[LeasedDelivery], *, now_us: int) -> list[LeasedDelivery]:
    """Return the deliveries that still have their text; the others are parked."""
    for work in claimed:
        if work.is_erased:
            park(tx, work, reason=ERASED, attempt=None, now_us=now_us)
    return [work for work in claimed if not work.is_erased]


def _what(row: Row, texts: dict[int, Row], tested: dict[int, str], happened: dict[int, Row]) -> dict[str, Any]:
    """Return the content of a delivery: the SMS, a test's sample, or the body posted for an event."""
    if row["event_id"] is not None:
        event = happened[row["event_id"]]
        return {
            "received_us": event["at_us"],
            "e164": "",
            "sender": "",
            "text": account_webhook.body(event),
            "is_erased": False,
        }
    if row["message_id"] is None:
        e164, at_us = tested[row["rental_id"]], row["first_attempt_us"]
        return {"received_us": at_us, "e164": e164, "sender": TEST_SENDER, "text": TEST_TEXT, "is_erased": False}
    sms = texts[row["message_id"]]
    return {
        "received_us": sms["at_us"],
        "e164": sms["e164"],
        "sender": sms["sender"],
        "text": sms["content"] or "",
        "is_erased": sms["content"] is None,
    }


def _work(row: Row, what: dict[str, Any], signed: Row) -> LeasedDelivery:
    return LeasedDelivery(
        id=row["id"],
        account_id=row["account_id"],
        rental_id=row["rental_id"] or 0,
        message_id=row["message_id"] or 0,
        kind=row["kind"],
        destination=row["destination"],
        attempts=row["attempts"],
        attempts_before=row["attempts_before"],
        first_attempt_us=row["first_attempt_us"],
        leased_until_us=row["leased_until_us"],
        webhook_version=signed["webhook_version"],
        webhook_rotated_wall_us=signed["webhook_rotated_wall_us"],
        **what,
    )


def delivered(tx: Tx, arrived: Sequence[tuple[LeasedDelivery, Attempt]], *, now_us: int) -> None:
    """Record successful deliveries: their lanes advance, and everything that failed at these destinations becomes
    due."""
    # Lock first: a delivery inserted concurrently must see its lane advance.
    accounts.lock(tx, *{work.account_id for work, _ in arrived})
    ended = [FinishedDelivery(work.id, work.attempts, attempt, None) for work, attempt in arrived]
    done = {row["id"] for row in outbox.finish(tx, ended, state="delivered", now_us=now_us)}
    answered = sorted({work.destination for work, _ in arrived if work.id in done})
    outbox.make_all_due(tx, answered, now_us=now_us)


class FailedAttempt(Struct, frozen=True):
    """An attempt that did not succeed."""

    work: LeasedDelivery
    verdict: backoff.Verdict
    attempt: Attempt
    retry_after_s: int | None
    uniform: float
    answered_meanwhile: bool = False  # another delivery to the destination succeeded during this attempt


def not_delivered(tx: Tx, failed: Sequence[FailedAttempt], *, now_us: int) -> bool:
    """Record failed attempts: they are retried on schedule, or parked with an event when the schedule is over. Return
    True if any was parked."""
    accounts.lock(tx, *{one.work.account_id for one in failed})
    attempted = outbox.attempted(tx, {one.work.id: one.work.attempts for one in failed})
    probe_us = now_us + backoff.PROBE_S * SECOND_US
    retries, to_probe, any_ended = list[Retry](), dict[str, None](), False
    for one in failed:
        work, row = one.work, attempted.get(one.work.id)
        if row is not None and row["stop_reason"]:
            any_ended = True
            park(tx, work, reason=row["stop_reason"], attempt=one.attempt, now_us=now_us)
            continue
        if row is not None and (_has_moved(row, work) or _is_asked_for(row, work)):
            retries.append(Retry(row, now_us, one.attempt))
            continue
        due_us = _next_due_us(tx, one, now_us=now_us)
        if due_us is None:
            any_ended = True
            park(tx, work, reason=one.attempt.reason, attempt=one.attempt, now_us=now_us)
        elif row is not None:
            retries.append(Retry(row, due_us, one.attempt))
        comes_soon = row is not None and row["state"] == "waiting" and due_us is not None and due_us <= probe_us
        is_down = work.kind == "webhook" and backoff.is_down(one.attempt.status, retry_after_s=one.retry_after_s)
        if is_down and not comes_soon:
            to_probe[work.destination] = None
    outbox.retry(tx, retries)
    for destination in to_probe:
        outbox.probe(tx, destination, by_us=probe_us)
    return any_ended


def _next_due_us(tx: Tx, failed: FailedAttempt, *, now_us: int) -> int | None:
    """Return when the schedule makes the next attempt, or None if the schedule is over."""
    work = failed.work
    if failed.verdict is not backoff.Verdict.RETRY or work.kind == "test":
        return None
    n = work.attempts - work.attempts_before
    may_be_long = backoff.may_be_long(n, retry_after_s=failed.retry_after_s)
    due_us = backoff.next_due_us(
        n,
        first_attempt_us=work.first_attempt_us,
        now_us=now_us,
        uniform=failed.uniform,
        retry_after_s=failed.retry_after_s,
        others_wait=may_be_long and delivery_queue.has_followers(tx, work.rental_id, work.kind),
    )
    if due_us is not None and failed.answered_meanwhile:
        return min(due_us, now_us + outbox.RETRY_FLOOR_US)
    return due_us


def park(tx: Tx, work: LeasedDelivery, *, reason: str, attempt: Attempt | None, now_us: int) -> None:
    """Stop attempting a delivery: it is visible, can be replayed, and an event is appended. A charge for an unsent
    message is refunded."""
    accounts.lock(tx, work.account_id)
    done = outbox.finish(tx, [FinishedDelivery(work.id, work.attempts, attempt, reason)], state="parked", now_us=now_us)
    if not done or work.kind == "test":
        return
    events.append(tx, [events.parked(row, now_us=now_us, reason=reason) for row in done])
    if (message_id := sent_message(tx, work.kind, work.message_id)) is not None:
        send.give_up(tx, message_id, reason=reason, now_us=now_us)


def sent_message(tx: Tx, kind: str, message_id: int) -> int | None:
    """Return the sent message that a delivery carries, or None if it carries none (yet)."""
    carried = send.carried(tx, kind, message_id) if kind in ("send", "forward") else None
    return carried["id"] if carried else None


def disable_webhook(tx: Tx, work: LeasedDelivery, *, attempt: Attempt, now_us: int) -> None:
    """Switch off the webhook, of the number or the account, after a 410: append an event and park what waits for it."""
    with open_ledger(tx, [work.account_id], now_us=now_us) as ledger:
        attempted = outbox.attempted(tx, {work.id: work.attempts}).get(work.id)
        if attempted is not None and _has_moved(attempted, work):
            outbox.retry(tx, [Retry(attempted, now_us, attempt)])
            return
        park(tx, work, reason=attempt.reason, attempt=attempt, now_us=now_us)
        if work.kind == "event":
            account_webhook.disable(tx, work.account_id, work.destination, now_us=now_us, reason=attempt.reason)
            return
        if not rentals.clear_action(tx, work.rental_id, destination=work.destination):
            return
        data = {"e164": work.e164, "destination": masked(work.destination), "reason": attempt.reason}
        ledger.add_event(events.Event(work.account_id, now_us, "action.disabled", data=data))
        waiting = outbox.park_waiting(tx, work.rental_id, kind="webhook", now_us=now_us, reason=attempt.reason)
        for row in waiting:
            ledger.add_event(events.parked(row, now_us=now_us, reason=attempt.reason))


def _has_moved(attempted: Row, work: LeasedDelivery) -> bool:
    """Return True if the renter changed the URL during the attempt; the new URL is then due immediately."""
    return bool(attempted["destination"] != work.destination)


def _is_asked_for(attempted: Row, work: LeasedDelivery) -> bool:
    """Return True if the renter requested a replay during this attempt; the next attempt is then due immediately."""
    return bool(attempted["attempts_before"] == work.attempts)
