"""Long polls: what comes in, asked for page after page, through whatever happens to the service meanwhile.

Pure, as retry.py, whose rules hold for a single call. For polls they are these:

1. A poll asks for what came after the last item seen, and waits for it at the service for at most 25 s: less than any
   proxy on the way allows. What the service has it answers at once, so nothing is lost or repeated between two polls.
2. All polls of a wait, with the pauses and failures between them, share one deadline. Failures that time can mend are
   tried again until then, however many they are: a restart of the service costs the wait only time.
3. A stream of events has no deadline. Its first page is an ordinary call, which tells a wrong address or token at
   once; from then on failures are tried again for ever.
4. One poll may take 25 s and the time an ordinary call may take: a peer that vanished without a word is found out.
5. The last poll of a wait lasts until the deadline, and its answer may take a second more on its way: a message that
   arrives in the last moment is found. A pause that reaches the deadline is followed by one more poll, which waits for
   nothing. A wait ends only after such a last poll, answered or not.
6. A service that answers with nothing long before it was asked to (it is about to stop) is asked again after a pause
   that grows as after failures."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import endpoints
from .errors import DTMFError, TimedOutError
from .retry import RetryState, backoff_cap_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cursors import Cursors
    from .endpoints import Call
    from .settings import Settings
    from .transport import Request
    from .types import Event, FullMessage
    from .waiters import WaitSpec

Item = TypeVar("Item")

_POLL_MAX_S = 25.0
_SPAN_MAX_S = 2.0  # a restarted service is back within seconds
_ROUND_TRIP_S = 1.0  # how much later than the deadline the answer to the last poll may come


class LongPoll(RetryState, Generic[Item]):
    """The polls of one wait, or of one stream, as one long run of attempts."""

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
        self._early = 0  # how many polls in a row were answered with nothing before their time
        self._failure: DTMFError | None = None  # of the last attempt, None if it was answered
        self._patient = timeout_s is not None  # failures are tried again for as long as there is time
        self._is_last = False  # whether the latest poll lasts until the deadline
        self._timeout_message = timeout_message
        if timeout_s is not None:
            self._deadline_s = now_s + timeout_s
            self._timeout_message = f"{timeout_message} within {timeout_s:g} s"

    def request(self, *, now_s: float) -> Request:
        """The next poll, for no longer than there is time. Raises TimedOutError once the last has been made."""
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
        """None when there is something, else seconds to wait before the next poll.
        Raises ServerError when ids do not ascend: something would be told twice, or for ever."""
        self._made, self._failure = 0, None
        self._note_early_end(now_s)
        if not self._patient:  # the first page of a stream is there: from now on it outlasts everything
            self._patient, self._deadline_s = True, inf
            self._asked_at_s = now_s
        if answer:
            self._after = endpoints.last_id(answer, self._after)
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
        """A poll that is over before the deadline was not the last one, whatever it was asked to be."""
        self._is_last = self._is_last and now_s >= self._deadline_s

    def _within_deadline_s(self, pause_s: float, *, now_s: float) -> float:
        return max(0.0, min(pause_s, self._deadline_s - now_s))

    def _in_vain(self) -> TimedOutError:
        if self._failure is None:
            return TimedOutError(self._timeout_message)
        error = TimedOutError(f"{self._timeout_message}; the last attempt failed: {self._failure}")
        error.__cause__ = self._failure
        return error


def of_messages(awaited: WaitSpec, settings: Settings, cursors: Cursors, *, now_s: float) -> LongPoll[FullMessage]:
    """The polls of a wait, from where the last wait for this number ended unless it says where."""
    after = cursors.after(awaited.e164) if awaited.after is None else awaited.after
    return LongPoll(
        lambda after, wait_s: endpoints.received(awaited.e164, after, wait_s),
        settings,
        after=after,
        now_s=now_s,
        timeout_s=awaited.timeout_s,
        timeout_message=awaited.timeout_message,
    )


def of_events(after: int, settings: Settings, *, now_s: float) -> LongPoll[Event]:
    """The polls of a stream of events."""
    return LongPoll(endpoints.events, settings, after=after, now_s=now_s)
