"""When a webhook that failed is tried again, and what an answer means.

Rules:
1. The first attempt is due at once. Each failed attempt is followed by the next after 5 s, 1 min, 5 min,
   30 min, 2 h, 5 h, and then 10 h each time, counted from the end of the failed attempt.
2. Jitter only ever adds: up to a tenth of the delay, so that a receiver that comes back is not met by
   everything at once, and no attempt comes before its time.
3. A Retry-After moves the next attempt later, never sooner, and by at most 10 h: a receiver can ask for rest,
   but neither for a flood nor to be forgotten.
4. Where others wait behind a delivery, the next attempt comes after 30 min at the latest.
5. An attempt that would fall later than 72 h after the first is made at 72 h; if that fails too, or if a Retry-After
   asks for more, the delivery is parked.
6. A webhook that is down is found to be back within 60 s: something is attempted there every 45 s at least, the
   oldest delivery that waits for it, before its time. Such an attempt takes none of its programme.
   An answer that refuses (4xx) or asks for rest (Retry-After) does not mean down.

Every function here is pure; times are microseconds since 1970 UTC.
"""

from enum import StrEnum

from dtmf_server.core.units import SECOND_US

DELAYS_S = (5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)  # the last one repeats
LIFE_S = 72 * 3600
JITTER = 0.1
RETRY_AFTER_MAX_S = 10 * 3600
HEAD_RETRY_MAX_S = 30 * 60
PROBE_S = 45  # 60 s less the 15 s that an attempt may take: one may begin just before the receiver is back
REFUSALS_BEFORE_PARKING = 5
POLL_INTERVAL_S = 5  # workers look for what is due at least that often, whatever wakes them meanwhile
# 4xx answers that say "not now" rather than "never": timeout, too early, too many requests.
_PASSING_4XX = frozenset({408, 425, 429})


class Verdict(StrEnum):
    """What becomes of a delivery after an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PARKED = "parked"  # visible, and tried again only by hand
    GONE = "gone"  # the receiver wants no more: the action is switched off, with a notice


def verdict(status: int | None, *, attempts: int) -> Verdict:
    """What the answer `status` means after `attempts` attempts, this one included; None is no answer at all.

    A 3xx is a failure like any other, since redirects are never followed.
    """
    assert attempts >= 1, "a verdict follows an attempt"
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
    """Whether the receiver is down rather than of another opinion: it may be back any moment, unasked."""
    refused = status is not None and 400 <= status <= 499 and status not in _PASSING_4XX
    return retry_after_s is None and not refused


def may_be_long(attempts: int, *, retry_after_s: int | None) -> bool:
    """Whether the next attempt may come later than where others wait behind it."""
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
    """When the next attempt is due after `attempts` failed ones, None once it is time to park.

    `uniform` is a random number in [0, 1); `retry_after_s` what a 429 or 503 asked for; `others_wait` behind it.
    """
    assert attempts >= 0 and 0 <= uniform < 1, "attempts are counted, and jitter is drawn from [0, 1)"
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
