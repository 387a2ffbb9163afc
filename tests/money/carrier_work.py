"""What the outbox's worker does around one SMS, without the network."""

from dtmf_server.core.backoff import Verdict
from dtmf_server.operations import deliver, forward
from dtmf_server.operations.deliver import Work
from dtmf_server.storage.db import Tx
from dtmf_server.storage.delivery_log import Attempt

LEASE_US = 60_000_000
# What comes of an attempt: the carrier took it, refused it for good, is busy; or our worker died before it knew.
OUTCOMES = ["sent", "failed", "busy", "died"]


def claim(tx: Tx, *, now_us: int, wall_us: int, limit: int) -> list[Work]:
    """What is due."""
    return deliver.claim(tx, now_us=now_us, wall_us=wall_us, lease_us=LEASE_US, limit=limit, except_destinations=[])


def posted(tx: Tx, work: Work, *, now_us: int) -> None:
    """The webhook took it."""
    deliver.delivered(tx, [(work, _attempt("", now_us, 200))], now_us=now_us)


def conclude(tx: Tx, work: Work, message_id: int, outcome: str, *, now_us: int, rest_us: int) -> str | None:
    """Writes what came of the attempt; what has become of the message, None if it is on its way still."""
    attempt = _attempt(outcome, now_us, None)
    if outcome == "sent":
        forward.handed_over(
            tx,
            work,
            message_id,
            carrier="carrier",
            refs=[str(message_id)],
            attempt=attempt,
            now_us=now_us,
            wall_us=now_us,
            rest_us=rest_us,
        )
        return "sent"
    if outcome == "failed":
        forward.refused_for_good(tx, work, message_id, attempt=attempt, now_us=now_us, rest_us=rest_us)
        return "failed"
    if outcome == "busy":
        deliver.not_delivered(
            tx, [deliver.Failed(work, Verdict.RETRY, attempt, None, 0.0)], now_us=now_us, rest_us=rest_us
        )
        return "failed" if _is_parked(tx, work.id) else None  # after three days nobody tries again
    return None


def _is_parked(tx: Tx, delivery_id: int) -> bool:
    return tx.one("SELECT 1 FROM deliveries WHERE id = :id AND state = 'parked'", id=delivery_id) is not None


def _attempt(reason: str, now_us: int, status: int | None) -> Attempt:
    return Attempt(at_us=now_us, duration_us=0, status=status, reason=reason, reply=None)
