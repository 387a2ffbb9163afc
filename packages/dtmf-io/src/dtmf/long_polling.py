"""Long polling: fetch incoming items page by page, and survive outages of the service.

Pure, like retry.py, which has the rules for a single call. The rules for polls:

1. A poll asks for items after the last one seen. The service holds the request for at most 25 s, which is less than
   the timeout of any common proxy, and responds at once if it has items. Nothing is lost or repeated between polls.
2. All polls of a wait, including pauses and failures, share one deadline. Temporary failures are retried until then,
   without a limit on their number: a restart of the service only costs the wait time.
3. A stream of events has no deadline. Its first page is an ordinary call, so a wrong address or token is reported at
   once. After that, failures are retried indefinitely.
4. A poll may take 25 s plus the timeout of an ordinary call, so that a peer that has disappeared is detected.
5. The last poll of a wait lasts until the deadline, and its response may arrive up to a second later: a message that
   arrives at the last moment is found. A pause that reaches the deadline is followed by one more poll, which doesn't
   wait. A wait ends only after such a last poll, whether or not it got a response.
6. If the service responds with nothing long before the requested time (it is about to stop), the next poll follows
   after a pause that grows as after failures."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import endpoints, pagination
from .errors import DTMFError, TimedOutError
from .retry import RetryState, backoff_cap_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cursors import Cursors
    from .operation import Call
    from .settings import Settings
    from .transport import Request
    from .types import Event
    from .waiters import WaitSpec

Item = TypeVar("Item")

_POLL_MAX_S = 25.0
_SPAN_MAX_S = 2.0  # a restarted service is back within seconds
_ROUND_TRIP_S = 1.0  # how long after the deadline the last response may arrive


class LongPoll(RetryState, Generic[Item]):
    """The polls of one wait or stream, as one series of attempts."""

    __slots__ = (
        "_after",
        "_ask",
        "_asked_at_s",
        "_early",
        "_failure",
        "_is_last",
        "_patient",
        "_poll_s",
        "_timeout_message",
        "read",
    )

    def __init__(
        self,
        ask: Callable[[int, float], Call[list[Item]]],
        settings: Settings,
        *,
        after: int,
        now_s: float,
        timeout_s: float | None = None,
        timeout_message: str = "",
    ) -> None:
        operation, self.read = ask(after, 0.0)
        super().__init__(operation, settings, key="", now_s=now_s)
        self._ask, self._after = ask, after
        self._asked_at_s = self._poll_s = 0.0
        self._early = 0  # consecutive polls that ended early with no items
        self._failure: DTMFError | None = None  # of the last attempt; None if it got a response
        self._patient = timeout_s is not None  # retry failures for as long as there is time
        self._is_last = False  # whether the latest poll lasts until the deadline
        self._timeout_message = timeout_message
        if timeout_s is not None:
            self._deadline_s = now_s + timeout_s
            self._timeout_message = f"{timeout_message} within {timeout_s:g} s"

    def request(self, *, now_s: float) -> Request:
        """Return the next poll, limited to the time left. Raises TimedOutError after the last poll."""
        if not self._patient:
            return super().request(now_s=now_s)
        left_s = self._deadline_s - now_s
        if left_s <= 0 and self._is_last:
            raise self._in_vain()
        self._asked_at_s = now_s
        self._poll_s = max(0.0, min(_POLL_MAX_S, left_s))
        self._is_last = left_s <= _POLL_MAX_S
        operation, _ = self._ask(self._after, self._poll_s)
        timeout_s = self._poll_s + self._settings.timeout_s
        return self._request(operation, timeout_s=min(max(0.0, left_s) + _ROUND_TRIP_S, timeout_s))

    def pause_after_answer_s(self, answer: Any, *, now_s: float, uniform: float) -> float | None:
        """Return None if there are items, else the seconds to wait before the next poll.
        Raises ServerError if ids don't ascend, because items would repeat without end."""
        self._made, self._failure = 0, None
        self._note_early_end(now_s)
        if not self._patient:  # after its first page, a stream survives every failure
            self._patient, self._deadline_s = True, inf
            self._asked_at_s = now_s
        if answer:
            self._after = pagination.last_id(answer, self._after)
            self._early = 0
            return None
        if now_s >= self._asked_at_s + self._poll_s / 2:
            self._early = 0
            return 0.0
        self._early += 1
        return self._within_deadline_s(backoff_cap_s(self._early, longest_s=_SPAN_MAX_S) * uniform, now_s=now_s)

    def _pause_s(self, error: DTMFError, least_s: float, *, now_s: float, uniform: float) -> float:
        if not self._patient:
            return super()._pause_s(error, least_s, now_s=now_s, uniform=uniform)
        self._failure = error
        self._note_early_end(now_s)
        if now_s + least_s >= self._deadline_s:
            raise self._in_vain()
        pause_s = max(least_s, backoff_cap_s(self._made, longest_s=_SPAN_MAX_S) * uniform)
        return self._within_deadline_s(pause_s, now_s=now_s)

    def _note_early_end(self, now_s: float) -> None:
        """Clear `_is_last` if the poll ended before the deadline: another one must follow."""
        self._is_last = self._is_last and now_s >= self._deadline_s

    def _within_deadline_s(self, pause_s: float, *, now_s: float) -> float:
        return max(0.0, min(pause_s, self._deadline_s - now_s))

    def _in_vain(self) -> TimedOutError:
        if self._failure is None:
            return TimedOutError(self._timeout_message)
        error = TimedOutError(f"{self._timeout_message}; the last attempt failed: {self._failure}")
        error.__cause__ = self._failure
        return error


def of_messages(awaited: WaitSpec, settings: Settings, cursors: Cursors, *, now_s: float) -> LongPoll[Any]:
    """Return the polls of a wait. By default it starts where the last wait for the number ended."""
    return LongPoll(
        awaited.ask,
        settings,
        after=cursors.after(awaited.key) if awaited.after is None else awaited.after,
        now_s=now_s,
        timeout_s=awaited.timeout_s,
        timeout_message=awaited.timeout_message,
    )


def of_events(after: int, settings: Settings, *, now_s: float) -> LongPoll[Event]:
    """Return the polls of an event stream."""
    return LongPoll(endpoints.events, settings, after=after, now_s=now_s)
