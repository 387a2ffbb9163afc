"""When to restart a worker, a link or a process that ended.

Rules:
1. The first pause is `first_s`; each later one is twice the previous one, at most `max_s`.
2. After a run longer than `steady_s`, the pauses start again from the first.

Pure: the caller measures the run time, and waits.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The pauses between a failure and the next start."""

    first_s: float
    max_s: float
    steady_s: float

    def pause_s(self, last_s: float, *, ran_s: float) -> float:
        """Return the pause after a run of `ran_s` that was started after a pause of `last_s` (0 for the first run)."""
        if last_s == 0 or ran_s > self.steady_s:
            return self.first_s
        return min(2 * last_s, self.max_s)

    def up_to(self, max_s: float) -> "RestartPolicy":
        """Return the same policy with a different maximum pause."""
        return replace(self, max_s=max_s)
