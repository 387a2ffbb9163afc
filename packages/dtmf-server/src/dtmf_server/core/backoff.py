"""When to retry a failed webhook, and what a response means.

Rules:
1. The first attempt is due immediately. After each failed attempt, the next one follows in 5 s, 1 min, 5 min, 30 min,
   2 h, 5 h, and then every 10 h, counted from the end of the failed attempt.
2. Jitter only adds to a delay, up to a tenth of it: a receiver that recovers does not get every retry at once, and no
   attempt is early.
3. A Retry-After moves the next attempt later, never earlier, by at most 10 h: a receiver can slow deliveries down, but
   it can neither trigger a flood nor stop them.
4. If other deliveries are queued behind this one, the next attempt is at most 30 min away.
5. An attempt that would fall later than 72 h after the first is made at 72 h. If it fails too, or if a Retry-After asks
   for more, the delivery is parked.
6. A webhook that was down is found to be up again within 60 s: the oldest delivery that waits for it is attempted at
   least every 45 s, ahead of its schedule. Such a probe does not use up an attempt of the schedule. A refusal (4xx) or
   a Retry-After does not mean that the webhook is down.

Every function here is pure; times are microseconds since 1970 UTC.
"""

from enum import StrEnum

from dtmf_server.core.units import SECOND_US

DELAYS_S = (5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)  # the last one repeats
LIFE_S = 72 * 3600
JITTER = 0.1
RETRY_AFTER_MAX_S = 10 * 3600
HEAD_RETRY_MAX_S = 30 * 60
PROBE_S = 45  # 60 s minus the 15 s that an attempt may take: one may start just before the receiver is back
REFUSALS_BEFORE_PARKING = 5
POLL_INTERVAL_S = 5  # workers poll for due deliveries at least this often, besides being woken
# 4xx responses that mean "not now" rather than "never": timeout, too early, too many requests.
_PASSING_4XX = frozenset({408, 425, 429})


class Verdict(StrEnum):
    """The fate of a delivery after an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PARKED = "parked"  # visible, and retried only by hand
    GONE = "gone"  # the receiver wants no more requests: its action is switched off and its renter is notified


def verdict(status: int | None, *, attempts: int) -> Verdict:
    """Return what the response `status` means after `attempts` attempts, including this one. None means no response.

    Redirects are never followed, so a 3xx is a failure like any other.
    """
    assert attempts >= 1, "a verdict needs an attempt"
    if status is None:
        return Verdict.RETRY
    if 200 <= status <= 299:
        return Verdict.DELIVERED
    if status == 410:
        return Verdict.GONE
    if 400 <= status <= 499 and status not in _PASSING_4XX and attempts >= REFUSALS_BEFORE_PARKING:
        return Verdict.PARKED
    return Verdict.RETRY


def is_down(status: int | None, *, retry_after_s: int | None) -> bool:
    """Return True if the receiver looks unavailable rather than refusing the request: it may recover at any moment."""
    refused = status is not None and 400 <= status <= 499 and status not in _PASSING_4XX
    return retry_after_s is None and not refused


def may_be_long(attempts: int, *, retry_after_s: int | None) -> bool:
    """Return True if the next attempt may be later than rule 4 allows when other deliveries are queued behind it."""
    return retry_after_s is not None or DELAYS_S[min(attempts, len(DELAYS_S)) - 1] >= HEAD_RETRY_MAX_S


def next_due_us(
    attempts: int,
    *,
    first_attempt_us: int,
    now_us: int,
    uniform: float,
    retry_after_s: int | None = None,
    others_wait: bool = False,
) -> int | None:
    """Return when the next attempt is due after `attempts` failed ones, or None if it is time to park the delivery.

    `uniform` is a random number in [0, 1). `retry_after_s` is what the response asked for. `others_wait` is True if
    other deliveries are queued behind this one.
    """
    assert attempts >= 0 and 0 <= uniform < 1, "attempts must not be negative, and jitter is drawn from [0, 1)"
    if attempts == 0:
        return now_us
    delay_s = DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
    if retry_after_s is not None:
        delay_s = max(delay_s, min(retry_after_s, RETRY_AFTER_MAX_S))
    delay_us = delay_s * SECOND_US
    due_us = now_us + delay_us + int(delay_us * JITTER * uniform)
    if others_wait:
        due_us = min(due_us, now_us + HEAD_RETRY_MAX_S * SECOND_US)
    end_us = first_attempt_us + LIFE_S * SECOND_US
    if due_us <= end_us:
        return due_us
    return end_us if now_us < end_us and retry_after_s is None else None
