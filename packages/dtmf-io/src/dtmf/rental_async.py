"""AsyncDTMF.rental(group_id): the asyncio version of rental.py, with the same rules.

A cancelled task finishes a start or end in progress before its CancelledError propagates."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import endpoints
from .errors import DTMFError, NotFoundError
from .rental import ANSWER_LOST, e164_of, end_failed, report_failed_end, unknown_start
from .sender import new_key
from .settings import persistent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from types import TracebackType

    from .async_client import AsyncDTMF
    from .types import FullMessage, Number
    from .waiters import Match

Result = TypeVar("Result")


class AsyncRentedNumber(dict[str, Any]):
    """The dict that start_rental() returns, with methods for the number."""

    def __init__(self, dtmf: AsyncDTMF, number: Number) -> None:
        super().__init__(number)
        self._dtmf = dtmf

    def __reduce__(self) -> tuple[object, ...]:
        return AsyncRentedNumber, (self._dtmf, dict(self))

    @property
    def e164(self) -> str:
        """The phone number."""
        return str(self["e164"])

    async def wait_for_code(
        self,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all its polls, as in the blocking client
        match: Match | None = None,
        after: int | None = None,
    ) -> str:
        """Wait for the next code; see AsyncDTMF.wait_for_code()."""
        return await self._dtmf.wait_for_code(self.e164, timeout=timeout, match=match, after=after)

    async def wait_for_message(
        self,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # as above
        match: Match | None = None,
        after: int | None = None,
    ) -> FullMessage:
        """Wait for the next message; see AsyncDTMF.wait_for_message()."""
        return await self._dtmf.wait_for_message(self.e164, timeout=timeout, match=match, after=after)

    def messages(self, *, after: int = 0) -> AsyncIterator[FullMessage]:
        """Iterate over the messages so far, oldest first. (number["messages"] is from the start, so it is empty.)"""
        return self._dtmf.messages(self.e164, after=after)

    async def send_message(self, to: str, content: str) -> FullMessage:
        """Send an SMS to another phone. Returns the queued message."""
        return await self._dtmf.send_message(self.e164, to, content)

    async def set_sms_action(self, action: Literal["forward", "webhook"] | None, destination: str | None) -> bool:
        """Set what happens to each SMS; see AsyncDTMF.set_sms_action()."""
        return await self._dtmf.set_sms_action(self.e164, action, destination)


class AsyncRental:
    """The result of AsyncDTMF.rental(). Each `async with` block rents its own number."""

    def __init__(self, dtmf: AsyncDTMF, group_id: str) -> None:
        self._dtmf = dtmf
        self._group_id = group_id
        self._call = endpoints.start_rental(group_id)
        self._settings = persistent(dtmf._settings)
        self._running: list[str] = []

    async def __aenter__(self) -> AsyncRentedNumber:
        started, cancelled = await _uncancelled(self._started(new_key()))
        if cancelled is not None:
            await self._undo(started, cancelled)
            raise cancelled
        if isinstance(started, DTMFError):
            raise started
        self._running.append(e164_of(started))
        return AsyncRentedNumber(self._dtmf, started)

    async def __aexit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        e164 = self._running.pop()
        failure, cancelled = await _uncancelled(self._end(e164))
        if failure is not None:
            report_failed_end(e164, failure, raised or cancelled)
        if cancelled is not None:
            raise cancelled

    async def _undo(self, started: Number | DTMFError, cancelled: asyncio.CancelledError) -> None:
        """End the rental that a cancelled start has begun."""
        if isinstance(started, DTMFError):
            cancelled.add_note(str(started))
            return
        e164 = e164_of(started)
        failure, _ = await _uncancelled(self._end(e164))
        if failure is not None:
            cancelled.add_note(end_failed(e164, failure))

    async def _started(self, key: str) -> Number | DTMFError:
        try:
            try:
                return await self._dtmf._perform(self._call, key=key)
            except ANSWER_LOST as failure:
                if not failure.sent:
                    raise
                # The same request: it returns a number that was rented the first time, not another one.
                return await self._dtmf._perform(self._call, key=key, settings=self._settings)
        except ANSWER_LOST as failure:
            return unknown_start(failure, self._group_id) if failure.sent else failure
        except DTMFError as refusal:
            return refusal

    async def _end(self, e164: str) -> DTMFError | None:
        """End the rental; return the error if it failed."""
        try:
            await self._dtmf._perform(endpoints.end_rental(e164), settings=self._settings)
        except NotFoundError:
            return None  # the balance ran out, or it was ended elsewhere
        except DTMFError as failure:
            return failure
        return None


async def _uncancelled(work: Coroutine[Any, Any, Result]) -> tuple[Result, asyncio.CancelledError | None]:
    """Finish the work even if this task is cancelled. Returns its result and the cancellation, if any."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
    return task.result(), cancelled
