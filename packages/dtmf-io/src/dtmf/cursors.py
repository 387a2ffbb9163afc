"""The position of a client's waits in the messages of each number."""

from __future__ import annotations

from _thread import allocate_lock  # saves `import dtmf` from loading `threading`

_NUMBERS_MAX = 10_000


class Cursors:
    """The id of the newest message that a wait has returned, per number. Threads may share it.

    Ids ascend across rentals, and a wait asks only for messages of the current rental, so a number that is rented
    again starts with the first message of its new rental. Beyond 10,000 numbers, the one that moved longest ago is
    dropped."""

    __slots__ = ("_ids", "_lock")

    def __init__(self, ids: dict[str, int] | None = None) -> None:
        self._ids = dict(ids or {})
        self._lock = allocate_lock()

    def after(self, e164: str) -> int:
        """Return the id after which a wait starts, initially 0."""
        return self._ids.get(e164, 0)

    def move(self, e164: str, message_id: int) -> None:
        """Record that a wait returns this message. A cursor never moves back."""
        with self._lock:
            self._ids[e164] = max(self._ids.pop(e164, 0), message_id)
            if len(self._ids) > _NUMBERS_MAX:
                del self._ids[next(iter(self._ids))]

    def all(self) -> dict[str, int]:
        """Return a copy of all cursors."""
        with self._lock:
            return dict(self._ids)
