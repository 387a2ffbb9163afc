"""When something that ended is started again: a worker, a link, a process.

Rules:
1. The first pause is `first_s`; each one after it is twice the last, and `max_s` at most.
2. What ran longer than `steady_s` begins again with the first pause.

Pure: the caller measures how long it ran, and waits.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The pauses between a failure and the next start."""

    first_s: float
    max_s: float
    steady_s: float

    def pause_s(self, last_s: float, *, ran_s: float) -> float:
        """The pause after a run that lasted `ran_s` and had begun after a pause of `last_s`, 0 if it was the first."""
        if last_s == 0 or ran_s > self.steady_s:
            return self.first_s
        return min(2 * last_s, self.max_s)

    def up_to(self, max_s: float) -> "RestartPolicy":
        """The same with other longest pauses."""
        return replace(self, max_s=max_s)
