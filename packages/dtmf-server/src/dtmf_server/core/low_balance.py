"""Low-balance warnings: the instants at which an account has 24 hours, then 1 hour, until a minute can't be paid.

Rules (docs/internals/billing.md#warnings):
1. The runway is the time until the first minute that the balance can't pay. It is over a threshold or it is not:
   at exactly 24 hours it no longer is.
2. A warning is due at the instant the runway comes down to its threshold, whoever looks at the account and whenever.
3. Each is given once. More runway takes it back, so that it can be given again.
4. What brings the runway below both thresholds at once (a new rental, a charge) is told by the nearer one alone.

Between two changes of an account the instant its money runs out stands still, whatever minutes are booked: so the
instants are computed, never looked out for. Pure; times are microseconds since 1970 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.units import DAY_US, HOUR_US

THRESHOLDS_US = (DAY_US, HOUR_US)  # the nth of them is reached when n warnings describe the account


@dataclass(frozen=True, slots=True)
class LowBalance:
    """A warning that has become due."""

    hours: int
    at_us: int
    depletes_at_us: int


def thresholds_reached(runway_us: int | None) -> int:
    """How many thresholds the runway has come down to: 0, 1 or 2; None is a runway without end."""
    return 0 if runway_us is None else sum(runway_us <= threshold_us for threshold_us in THRESHOLDS_US)


def due(given: int, depletions: Sequence[int | None], *, from_us: int, until_us: int) -> tuple[list[LowBalance], int]:
    """The warnings due after `from_us` until `until_us`, oldest first, and how many then describe the account.

    `depletions`: the instants at which the money ran out in that time, ascending, then when it will next (None: never).
    Something may have changed at `from_us` itself, and with each rental that ended: what that means is told at once.
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
    """When the account is to be looked at: for its next warning, or as its money runs out."""
    if depletes_at_us is None:
        return None
    return depletes_at_us - (THRESHOLDS_US[given] if given < len(THRESHOLDS_US) else 0)


def _warning(number: int, at_us: int, depletes_at_us: int) -> LowBalance:
    return LowBalance(THRESHOLDS_US[number - 1] // HOUR_US, at_us, depletes_at_us)
