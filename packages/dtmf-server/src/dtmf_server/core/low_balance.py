"""Low-balance warnings: 24 hours and 1 hour before an account's balance runs out.

Rules (docs/internals/billing.md#warnings):
1. The runway is the time until the first minute that the balance cannot pay. At exactly 24 hours it no longer exceeds
   the 24-hour threshold.
2. A warning is due at the instant the runway falls to its threshold, independent of when the account is read.
3. Each warning is sent once. If the runway grows beyond the threshold again, the warning is reset and can be sent
   again.
4. A change that takes the runway below both thresholds at once (a new rental, a charge) sends only the 1-hour warning.

Between two changes of an account, the instant at which its balance runs out does not move, whichever minutes are
booked. So the warnings are computed rather than polled for. Pure; times are microseconds since 1970 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.units import DAY_US, HOUR_US

THRESHOLDS_US = (DAY_US, HOUR_US)  # an account with n warnings sent has reached the first n thresholds


@dataclass(frozen=True, slots=True)
class LowBalance:
    """A warning that has become due."""

    hours: int
    at_us: int
    depletes_at_us: int


def thresholds_reached(runway_us: int | None) -> int:
    """Return the number of thresholds that the runway has reached: 0, 1 or 2. None means an unlimited runway."""
    return 0 if runway_us is None else sum(runway_us <= threshold_us for threshold_us in THRESHOLDS_US)


def due(given: int, depletions: Sequence[int | None], *, from_us: int, until_us: int) -> tuple[list[LowBalance], int]:
    """Return the warnings due after `from_us` until `until_us`, oldest first, and the number that apply to the account
    afterwards.

    `depletions` are the instants at which the balance ran out in that time, ascending, followed by the next such
    instant (None: never). A change may have happened at `from_us` itself and with each rental that ended; a warning
    that follows from such a change is due immediately.
    """
    found: list[LowBalance] = []
    for depletes_at_us in depletions:
        reached = thresholds_reached(None if depletes_at_us is None else depletes_at_us - from_us)
        if depletes_at_us is None:
            return found, 0
        if reached > given:
            found.append(_warning(reached, from_us, depletes_at_us))
        given = reached
        for number in range(given + 1, len(THRESHOLDS_US) + 1):
            at_us = depletes_at_us - THRESHOLDS_US[number - 1]
            if at_us > until_us:
                break
            found.append(_warning(number, at_us, depletes_at_us))
            given = number
        from_us = depletes_at_us
    return found, given


def next_due_us(given: int, depletes_at_us: int | None) -> int | None:
    """Return when the account must be checked next: for its next warning, or when its balance runs out."""
    if depletes_at_us is None:
        return None
    return depletes_at_us - (THRESHOLDS_US[given] if given < len(THRESHOLDS_US) else 0)


def _warning(number: int, at_us: int, depletes_at_us: int) -> LowBalance:
    return LowBalance(THRESHOLDS_US[number - 1] // HOUR_US, at_us, depletes_at_us)
