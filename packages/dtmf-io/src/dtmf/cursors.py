"""How far the waits of one client have come with each number."""

from __future__ import annotations

from _thread import allocate_lock  # `import dtmf` does not load `threading` otherwise

_NUMBERS_MAX = 10_000


class Cursors:
    """By number, the id of the newest message that a wait has returned. Threads may share it.

    Ids ascend over all rentals and a wait asks only for messages of the rental that runs, so a number that is rented
    again begins with the first message of its new rental. Bounded: beyond 10,000 numbers the one that moved longest
    ago is forgotten."""

    __slots__ = ("_ids", "_lock")

    def __init__(self, ids: dict[str, int] | None = None) -> None:
        self._ids = dict(ids or {})
        self._lock = allocate_lock()

    def after(self, e164: str) -> int:
        """The id after which a wait begins, 0 at first."""
        return self._ids.get(e164, 0)

    def move(self, e164: str, message_id: int) -> None:
        """Notes that a wait returns this message. A cursor never moves back."""
        with self._lock:
            self._ids[e164] = max(self._ids.pop(e164, 0), message_id)
            if len(self._ids) > _NUMBERS_MAX:
                del self._ids[next(iter(self._ids))]

    def all(self) -> dict[str, int]:
        """A copy of them all."""
        with self._lock:
            return dict(self._ids)
