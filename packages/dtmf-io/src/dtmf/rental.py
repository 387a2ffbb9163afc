"""dtmf.rental(group_id), for both clients: rents a number for a block and always ends the rental.

1. The start has one idempotency key. If its response is lost, the same request is retried for as long as the client's
   timeout allows. The service responds with the number it rented the first time, so a lost response leaves no rental
   behind. If the start is interrupted after its request may have reached the service, the number is requested with the
   same key and its rental is ended.
2. The end is retried for as long as the client's timeout allows, regardless of max_retries. A number that is no longer
   rented counts as ended.
3. An exception raised by the block is never replaced: a failed end is added to it as a note.
4. Ctrl-C during the start or the end doesn't stop them. A second Ctrl-C does; the error then names the rental that may
   still be running.
5. With asyncio, a cancelled task finishes a start or an end in progress before its CancelledError propagates."""

from __future__ import annotations

from . import endpoints
from .e164 import is_e164
from .errors import ConnectionFailedError, DTMFError, NotFoundError, ServerError, TimedOutError
from .sender import new_key
from .settings import persistent

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from asyncio import CancelledError
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from types import TracebackType
    from typing import Any, Literal, TypeVar

    from .async_client import AsyncDTMF
    from .client import DTMF
    from .types import FullMessage, Number
    from .waiters import Match

    Result = TypeVar("Result")

ANSWER_LOST = (ConnectionFailedError, TimedOutError, ServerError)
_UNDOING_S = 10.0  # a user who pressed Ctrl-C is waiting


class RentedNumber(dict[str, "Any"]):
    """The dict that start_rental() returns, with methods for the number."""

    def __init__(self, dtmf: DTMF, number: Number) -> None:
        super().__init__(number)
        self._dtmf = dtmf

    def __reduce__(self) -> tuple[object, ...]:
        return RentedNumber, (self._dtmf, dict(self))

    @property
    def e164(self) -> str:
        """The phone number."""
        return str(self["e164"])

    def wait_for_code(self, *, timeout: float = 180, match: Match | None = None, after: int | None = None) -> str:
        """Wait for the next code; see DTMF.wait_for_code()."""
        return self._dtmf.wait_for_code(self.e164, timeout=timeout, match=match, after=after)

    def wait_for_message(
        self, *, timeout: float = 180, match: Match | None = None, after: int | None = None
    ) -> FullMessage:
        """Wait for the next message; see DTMF.wait_for_message()."""
        return self._dtmf.wait_for_message(self.e164, timeout=timeout, match=match, after=after)

    def messages(self, *, after: int = 0) -> Iterator[FullMessage]:
        """Iterate over the messages so far, oldest first. (number["messages"] is from the start, so it is empty.)"""
        return self._dtmf.messages(self.e164, after=after)

    def send_message(self, to: str, content: str) -> FullMessage:
        """Send an SMS to another phone. Returns the queued message."""
        return self._dtmf.send_message(self.e164, to, content)

    def set_sms_action(self, action: Literal["forward", "webhook"] | None, destination: str | None) -> bool:
        """Set what happens to each SMS; see DTMF.set_sms_action()."""
        return self._dtmf.set_sms_action(self.e164, action, destination)


class Rental:
    """The result of DTMF.rental(). Each `with` block rents its own number."""

    def __init__(self, dtmf: DTMF, group_id: str, **limits: int | str | None) -> None:
        self._dtmf = dtmf
        self._group_id = group_id
        self._call = endpoints.start_rental(group_id, **limits)
        self._settings = persistent(dtmf._settings)
        self._running: list[str] = []

    def __enter__(self) -> RentedNumber:
        key = new_key()
        try:
            number = self._started(key)
            self._running.append(e164_of(number))
            return RentedNumber(self._dtmf, number)
        except Exception:
            raise
        except BaseException as interruption:  # Ctrl-C, when the request may have reached the service
            self._undo(key, interruption)
            raise

    def __exit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        e164 = self._running.pop()
        if failure := self._end(e164):
            report_failed_end(e164, failure, raised)

    def _started(self, key: str) -> Number:
        try:
            return self._dtmf._perform(self._call, key=key)
        except ANSWER_LOST as failure:
            if not failure.sent:
                raise
            try:  # the same request: it returns a number that was rented the first time, not another one
                return self._dtmf._perform(self._call, key=key, settings=self._settings)
            except ANSWER_LOST as again:
                raise unknown_start(again, self._group_id) from failure

    def _undo(self, key: str, interruption: BaseException) -> None:
        """End the rental that an interrupted start may have begun."""
        quick = persistent(self._dtmf._settings, at_most_s=_UNDOING_S)
        try:
            e164 = e164_of(self._dtmf._perform(self._call, key=key, settings=quick))
        except ANSWER_LOST as failure:
            interruption.add_note(str(unknown_start(failure, self._group_id)))
        except DTMFError:
            return  # the service rejected the request: nothing was rented
        else:
            self._running = [other for other in self._running if other != e164]
            failed = self._end_once(e164)
            if failed:
                interruption.add_note(end_failed(e164, failed))

    def _end(self, e164: str) -> DTMFError | None:
        """End the rental; return the error if it failed. Ctrl-C doesn't stop this; a second Ctrl-C does."""
        try:
            return self._end_once(e164)
        except BaseException as interruption:
            interruption.add_note(f"the rental of {e164} may still be running: end it with dtmf.end_rental({e164!r})")
            if failure := self._end_once(e164):
                interruption.add_note(end_failed(e164, failure))
            else:
                interruption.__notes__.pop()
            raise

    def _end_once(self, e164: str) -> DTMFError | None:
        try:
            self._dtmf._perform(endpoints.end_rental(e164), settings=self._settings)
        except NotFoundError:
            return None  # the balance ran out, or it was ended elsewhere
        except DTMFError as failure:
            return failure
        return None


def e164_of(number: Number) -> str:
    """Return the number that was rented. Raises ServerError if the response has none."""
    e164 = number.get("e164")
    if is_e164(e164):
        return e164
    raise ServerError("the service returned a rental without a number: dtmf.numbers() lists your rentals")


def unknown_start(failure: DTMFError, group_id: str) -> DTMFError:
    """Extend the error of a start with an unknown outcome: say how to check for the rental."""
    failure.args = (
        f"{failure}. A number of {group_id} may have been rented anyway and may be charged:"
        " look for it with dtmf.numbers() and end it with dtmf.end_rental()",
    )
    return failure


def end_failed(e164: str, failure: DTMFError) -> str:
    """Return the message for a rental that could not be ended."""
    return f"the rental of {e164} could not be ended and may still be charged: {failure}"


def report_failed_end(e164: str, failure: DTMFError, raised: BaseException | None) -> None:
    """Raise the failure of an end, or add it as a note to the exception that the block raised."""
    message = end_failed(e164, failure)
    if raised is not None:
        raised.add_note(message)
        return
    failure.args = (message,)
    raise failure


class AsyncRentedNumber(dict[str, "Any"]):
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

    def __init__(self, dtmf: AsyncDTMF, group_id: str, **limits: int | str | None) -> None:
        self._dtmf = dtmf
        self._group_id = group_id
        self._call = endpoints.start_rental(group_id, **limits)
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

    async def _undo(self, started: Number | DTMFError, cancelled: CancelledError) -> None:
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


async def _uncancelled(work: Coroutine[Any, Any, Result]) -> tuple[Result, CancelledError | None]:
    """Finish the work even if this task is cancelled. Returns its result and the cancellation, if any."""
    import asyncio  # noqa: PLC0415  # 30 ms that a blocking client does not need

    task = asyncio.ensure_future(work)
    cancelled: CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
    return task.result(), cancelled
