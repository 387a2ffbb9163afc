"""When a carrier that fails repeatedly is skipped, and when it is tried again. Pure: the time is an argument.

Rules:
1. After FAILURES_MAX failures in a row the breaker is open: the carrier is skipped for a pause.
2. After the pause it is half open: one trial may pass. If that fails, the next pause is twice as long, up to PAUSE_MAX_S.
3. A success closes it.
4. A carrier may also say for how long it wants no requests. A success meanwhile, of a request that was sent before, does
   not shorten that.
"""

from dtmf_server.core.restart_policy import RestartPolicy

FAILURES_MAX = 3
PAUSE_MAX_S = 60.0
_PAUSES = RestartPolicy(first_s=2.0, max_s=PAUSE_MAX_S, steady_s=float("inf"))


class CircuitBreaker:
    """The failures of one carrier."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = 0.0
        self._open_until_s = 0.0
        self._held_until_s = 0.0

    def failed(self, *, now_s: float) -> None:
        """Record that a request failed for a reason that says nothing about the SMS."""
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._pause_s = _PAUSES.pause_s(self._pause_s, ran_s=0.0)
            self._open_until_s = now_s + self._pause_s

    def worked(self) -> None:
        """Record that the carrier answered."""
        self._failures, self._pause_s, self._open_until_s = 0, 0.0, 0.0

    def hold(self, pause_s: float, *, now_s: float) -> None:
        """Skip the carrier for as long as it asked for."""
        self._held_until_s = max(self._held_until_s, now_s + pause_s)

    def is_open(self, *, now_s: float) -> bool:
        """Return whether the carrier is to be skipped now."""
        return now_s < max(self._open_until_s, self._held_until_s)
