"""SMS in doubt: written to a carrier's connection, or left behind by a process that died, without an answer.

Rules:
1. The charge stands, whatever the renter does. The SMS is not submitted again, to this carrier or another.
2. The carrier's late answer decides, or a receipt (receipts.py). Accepted: sent. Refused: failed and refunded. Not
   accepted now: queued again, since the carrier certainly does not have it.
3. Without either, the status becomes `unknown` after `life_us`: 72 hours, or the longest `validity_period_h` of a
   carrier if that is longer. The charge stands.
4. If one segment of a multi-segment SMS is permanently refused, that decides: the SMS fails and is fully refunded.
   Segments that were accepted are never submitted again.
"""

from collections.abc import Collection, Sequence

from dtmf_server.core import backoff
from dtmf_server.core.submission import LateAnswer, Segments, Verdict
from dtmf_server.core.units import HOUR_US
from dtmf_server.operations import receipts, send, submit
from dtmf_server.operations.deliver import FailedAttempt
from dtmf_server.storage import accounts, carriers, delivery_log, events, in_flight, messages, outbox, submissions
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_log import Attempt, LoggedAttempt

LIFE_H = 72
LIFE_US = LIFE_H * HOUR_US
LOOKED_AT_ONCE = 100
NO_ANSWER = "the carrier has not confirmed that it accepted the SMS"
ABANDONED = "the service stopped before the carrier answered"
UNKNOWN = "the carrier never confirmed that it accepted the SMS"
IN_PART = "the carrier accepted only part of the SMS"
TAKEN_LATE = "the carrier accepted it and confirmed it late"


def begin(
    tx: Tx,
    failed: FailedAttempt,
    message_id: int,
    *,
    carrier: str,
    segments: Segments | None,
    now_us: int,
    wall_us: int,
    life_us: int = LIFE_US,
) -> None:
    """Put the SMS in doubt: the attempt ended without an answer from the carrier."""
    work, attempt = failed.work, failed.attempt
    if carrier:
        carriers.lock(tx, carrier)
    accounts.lock(tx, work.account_id)
    row = outbox.attempted(tx, {work.id: work.attempts}).get(work.id)
    if row is None or row["state"] == "parked":
        return
    if segments:
        submissions.put_all(tx, carrier, message_id, segments, wall_us=wall_us)
    if row["state"] == "waiting":
        delivery_log.append(tx, [LoggedAttempt(row["id"], row["rental_id"], row["attempts"], _shown(row, attempt))])
        until_us = now_us + life_us
        _enter(tx, row["id"], message_id, until_us=until_us, now_us=now_us, wall_us=wall_us)


def abandon(
    tx: Tx,
    *,
    now_us: int,
    wall_us: int,
    life_us: int = LIFE_US,
    everything: bool = False,
    queryable: Collection[str] = (),
) -> int:
    """Put submitted SMS in doubt whose process is gone. Return how many; call until 0. `everything`: only this process
    runs carrier links, and it has submitted nothing yet. `queryable`: carriers that can be asked about an SMS."""
    rows = in_flight.abandoned(tx, wall_us=None if everything else wall_us, limit=LOOKED_AT_ONCE)
    for carrier in sorted({row["submitted_to"] for row in rows if row["submitted_to"] in queryable}):
        carriers.lock(tx, carrier)
    for row in sorted(rows, key=lambda row: int(row["account_id"])):
        accounts.lock(tx, row["account_id"])
        message = send.carried(tx, row["kind"], row["message_id"])
        if message is None or message["status"] != "queued":
            in_flight.decided(tx, [row["id"]])
            continue
        in_flight.note(tx, row, Attempt(now_us, 0, None, ABANDONED, None))
        if row["submitted_to"] in queryable:
            at_us = (row["leased_until_us"] or wall_us) - submit.SUBMIT_LEASE_US
            submissions.put(tx, row["submitted_to"], message["id"], 1, total=1, ref=None, wall_us=at_us)
        until_us = row["submitted_at_us"] + life_us
        _enter(tx, row["id"], message["id"], until_us=until_us, now_us=now_us, wall_us=wall_us)
    return len(rows)


def give_up(tx: Tx, *, now_us: int) -> int:
    """Make SMS in doubt unknown once no answer is expected any more. Return how many; call until 0."""
    rows = in_flight.overdue(tx, now_us=now_us, limit=LOOKED_AT_ONCE)
    for row in sorted(rows, key=lambda row: int(row["account_id"])):
        accounts.lock(tx, row["account_id"])
        message = send.carried(tx, row["kind"], row["message_id"])
        assert message is not None, "an SMS in doubt has a message"
        send.unknown(tx, message["id"], reason=UNKNOWN, now_us=now_us)
        in_flight.finish(tx, row["id"], state="unknown", reason=UNKNOWN, now_us=now_us)
    return len(rows)


def answered(tx: Tx, carrier: str, answers: Sequence[LateAnswer], *, now_us: int, wall_us: int) -> list[LateAnswer]:
    """Apply late answers. Return those to apply again later: the result of their attempt is not stored yet."""
    carriers.lock(tx, carrier)
    again = []
    for answer in answers:
        message = messages.by_id(tx, answer.message_id)
        if message is None:
            continue
        accounts.lock(tx, message["account_id"])
        delivery = in_flight.of_message(tx, answer.message_id)
        if delivery is not None and delivery["submitted_at_us"] is not None:
            again.append(answer)
        elif delivery is not None and delivery["state"] in ("in_doubt", "unknown"):
            _settle(tx, carrier, answer, delivery, now_us=now_us, wall_us=wall_us)
    return again


def _enter(tx: Tx, delivery_id: int, message_id: int, *, until_us: int, now_us: int, wall_us: int) -> None:
    in_flight.begin_doubt(tx, delivery_id, reason=NO_ANSWER, until_us=until_us)
    send.in_doubt(tx, message_id, reason=NO_ANSWER, now_us=now_us)
    receipts.settle_early(tx, message_id, now_us=now_us, wall_us=wall_us)


def _settle(tx: Tx, carrier: str, answer: LateAnswer, delivery: Row, *, now_us: int, wall_us: int) -> None:
    message_id = answer.message_id
    if answer.verdict is None:
        known = submissions.is_in_doubt(tx, message_id, answer.segment)
        submissions.put(tx, carrier, message_id, answer.segment, total=answer.total, ref=answer.ref, wall_us=wall_us)
        if submissions.taken(tx, message_id) >= answer.total:
            in_flight.revise(tx, delivery, TAKEN_LATE)
            in_flight.finish(tx, delivery["id"], state="delivered", reason=None, now_us=now_us)
            send.accepted(tx, message_id, now_us=now_us)
        elif known and not submissions.has_doubts(tx, message_id):  # the remaining segments were certainly not accepted
            _queue_again(tx, delivery, message_id, reason=IN_PART, now_us=now_us)
        receipts.apply_early(tx, carrier, [answer.ref], now_us=now_us, wall_us=wall_us)
        return
    if answer.verdict is Verdict.FINAL:
        in_flight.revise(tx, delivery, answer.reason)
        _fail(tx, delivery, message_id, reason=answer.reason, now_us=now_us)
        return
    known = submissions.forget_doubt(tx, message_id, answer.segment)
    if answer.total == 1 or (known and not submissions.has_doubts(tx, message_id)):
        in_flight.revise(tx, delivery, answer.reason)
        _queue_again(tx, delivery, message_id, reason=answer.reason, now_us=now_us)


def _queue_again(tx: Tx, delivery: Row, message_id: int, *, reason: str, now_us: int) -> None:
    """Retry on schedule, since the carrier certainly does not have it; fail if the schedule is over or the renter
    stopped it."""
    due_us = backoff.next_due_us(
        delivery["attempts"] - delivery["attempts_before"],
        first_attempt_us=delivery["first_attempt_us"] or now_us,
        now_us=now_us,
        uniform=0.0,
    )
    if due_us is None or delivery["stop_reason"] or delivery["state"] == "unknown":
        _fail(tx, delivery, message_id, reason=delivery["stop_reason"] or reason, now_us=now_us)
        return
    send.queued_again(tx, message_id, now_us=now_us)
    in_flight.end_doubt(tx, delivery["id"], due_at_us=due_us)


def _fail(tx: Tx, delivery: Row, message_id: int, *, reason: str, now_us: int) -> None:
    in_flight.finish(tx, delivery["id"], state="parked", reason=reason, now_us=now_us)
    events.append(tx, [events.parked(delivery, now_us=now_us, reason=reason)])
    send.failed(tx, message_id, reason=reason, now_us=now_us)


def _shown(row: Row, attempt: Attempt) -> Attempt:
    """Return the attempt for the log; for a closed account, only that it was made."""
    return attempt if row["destination"] else Attempt(attempt.at_us, attempt.duration_us, None, "", None)
