"""Which occurrences of a fault that lasts are logged: the first with its reason, a new reason at once, the same one at
most once a minute with how often and how long, and the end. Pure: the time is an argument."""

EVERY_S = 60.0


class Repeats:
    """One fault that may last or come again, such as a link that is down. Each method returns the line to log, or None."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._reason: str | None = None
        self._since_s = self._logged_s = 0.0
        self._times = 0

    @property
    def reason(self) -> str | None:
        """Why it fails, None while it does not."""
        return self._reason

    def failed(self, reason: str, *, now_s: float) -> str | None:
        """It failed (again)."""
        if self._reason is None:
            self._since_s, self._times = now_s, 0
        self._times += 1
        if reason == self._reason and now_s - self._logged_s < self._every_s:
            return None
        self._reason, self._logged_s = reason, now_s
        return reason if self._times == 1 else f"{reason} ({self._lasted(now_s)})"

    def worked(self, *, now_s: float) -> str | None:
        """It works; how long it did not, None if it did before too."""
        if self._reason is None:
            return None
        self._reason = None
        return self._lasted(now_s)

    def _lasted(self, now_s: float) -> str:
        times = f"{self._times} failure" + ("s" if self._times > 1 else "")
        return f"{times} in {duration(now_s - self._since_s)}"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: '3 d 4 h', '2 min 5 s', '7 s'."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours or minutes:
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"
    return f"{whole} s"
