"""Log throttling for persistent faults: the first occurrence with its reason, a new reason immediately, a repeated one
at most once a minute with its count and duration, and the recovery. Pure: the time is an argument.

A fault that keeps failing and recovering is a persistent fault too: beyond OUTAGES_MAX outages a minute, it is logged
like one.
"""

from collections import deque

EVERY_S = 60.0
OUTAGES_MAX = 3  # each takes two lines
REASONS_MAX = 16


class Repeats:
    """One fault that may persist or recur, such as a link that is down. Each method returns the line to log, or
    None."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._reason: str | None = None
        self._since_s = 0.0
        self._times = 0
        self._is_logged = False  # this outage
        self._logged_s: dict[str, float] = {}  # when each reason was last logged: reasons may alternate
        self._outages: deque[float] = deque(maxlen=OUTAGES_MAX)

    @property
    def reason(self) -> str | None:
        """The reason of the current failure, or None while there is none."""
        return self._reason

    def failed(self, reason: str, *, now_s: float) -> str | None:
        """Record a failure."""
        if not self._times:
            self._since_s = now_s
        is_new = self._reason is None
        self._reason = reason
        self._times += 1
        if is_new and self._flaps(now_s):
            is_new = False
        if not is_new and reason in self._logged_s and now_s - self._logged_s[reason] < self._every_s:
            return None
        if is_new:
            self._outages.append(now_s)
        while len(self._logged_s) >= REASONS_MAX:
            del self._logged_s[next(iter(self._logged_s))]
        self._logged_s.pop(reason, None)
        self._logged_s[reason], self._is_logged = now_s, True
        return reason if self._times == 1 else f"{reason} ({self._lasted(now_s)})"

    def worked(self, *, now_s: float) -> str | None:
        """Record a success. Return how long the failure lasted, or None if there was none or it was never logged."""
        if self._reason is None:
            return None
        self._reason = None
        if not self._is_logged:
            return None
        lasted = self._lasted(now_s)
        self._is_logged, self._times = False, 0
        return lasted

    def _flaps(self, now_s: float) -> bool:
        return len(self._outages) == OUTAGES_MAX and now_s - self._outages[0] < self._every_s

    def _lasted(self, now_s: float) -> str:
        times = f"{self._times} failure" + ("s" if self._times > 1 else "")
        return f"{times} in {duration(now_s - self._since_s)}"


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: '3 d 4 h', '2 min 5 s', '7 s'."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours or minutes:
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
    return f"{whole} s"
