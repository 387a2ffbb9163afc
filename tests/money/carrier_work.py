"""Simulate the outbox worker for one SMS, without the network."""

from dtmf_server.core.backoff import Verdict
from dtmf_server.core.submission import LateAnswer, Segments
from dtmf_server.core.submission import Verdict as Verdict_
from dtmf_server.operations import deliver, doubt, submit
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.storage import messages
from dtmf_server.storage.db import Tx
from dtmf_server.storage.delivery_log import Attempt

LEASE_US = 60_000_000
# Outcomes of an attempt: the carrier accepts, refuses permanently, is busy, or does not answer; or the worker dies.
OUTCOMES = ["sent", "failed", "busy", "silent", "died"]


def claim(tx: Tx, *, now_us: int, wall_us: int, limit: int) -> list[LeasedDelivery]:
    """Claim the due deliveries."""
    return deliver.claim(tx, now_us=now_us, wall_us=wall_us, lease_us=LEASE_US, limit=limit, except_destinations=[])


def posted(tx: Tx, work: LeasedDelivery, *, now_us: int) -> None:
    """Record that the webhook accepted the delivery."""
    deliver.delivered(tx, [(work, _attempt("", now_us, 200))], now_us=now_us)


def conclude(tx: Tx, work: LeasedDelivery, message_id: int, outcome: str, *, now_us: int) -> str | None:
    """Record the outcome of the attempt; return the message's final status, None if it is still in transit."""
    attempt = _attempt(outcome, now_us, None)
    if outcome == "sent":
        submit.handed_over(
            tx,
            work,
            message_id,
            carrier="carrier",
            refs=[str(message_id)],
            attempt=attempt,
            now_us=now_us,
            wall_us=now_us,
        )
        return "sent"
    if outcome == "failed":
        submit.refused_for_good(tx, work, message_id, attempt=attempt, now_us=now_us)
        return "failed"
    if outcome == "busy":
        deliver.not_delivered(tx, [deliver.FailedAttempt(work, Verdict.RETRY, attempt, None, 0.0)], now_us=now_us)
        return "failed" if _is_parked(tx, work.id) else None  # no retries after three days
    if outcome == "silent":
        doubt.begin(
            tx,
            deliver.FailedAttempt(work, Verdict.RETRY, attempt, None, 0.0),
            message_id,
            carrier="carrier",
            segments=Segments(1, {}, (1,)),
            now_us=now_us,
            wall_us=now_us,
        )
    return "in_doubt"


def look_after_doubts(tx: Tx, *, now_us: int, wall_us: int) -> None:
    """Do the outbox's housekeeping for submits that were never answered."""
    doubt.abandon(tx, now_us=now_us, wall_us=wall_us)
    doubt.give_up(tx, now_us=now_us)


def answer_late(tx: Tx, message_id: int, verdict: Verdict_ | None, *, now_us: int) -> str | None:
    """Answer a submit in doubt; return the message's final status, None if nothing changed."""
    before = messages.by_id(tx, message_id)
    assert before is not None
    answer = LateAnswer(message_id, 1, 1, verdict, ref=f"late-{message_id}", reason="late")
    doubt.answered(tx, "carrier", [answer], now_us=now_us, wall_us=now_us)
    after = messages.by_id(tx, message_id)
    assert after is not None
    if before["status"] not in ("in_doubt", "unknown"):
        assert after["status"] == before["status"]
        return None
    expected = {None: ("sent",), Verdict_.FINAL: ("failed",)}.get(verdict, ("queued", "failed"))
    assert after["status"] in expected
    return str(after["status"])


def _is_parked(tx: Tx, delivery_id: int) -> bool:
    return tx.one("SELECT 1 FROM deliveries WHERE id = :id AND state = 'parked'", id=delivery_id) is not None


def _attempt(reason: str, now_us: int, status: int | None) -> Attempt:
    return Attempt(at_us=now_us, duration_us=0, status=status, reason=reason, reply=None)
