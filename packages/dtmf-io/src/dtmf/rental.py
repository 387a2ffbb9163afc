"""dtmf.rental(group_id): a number for the length of a block, whose rental always ends.

1. The start has one idempotency key. If its answer is lost, the same request is sent again for as long as the client's
   timeout allows: the service answers it with the number that it rented the first time, so a lost answer leaves no rental
   behind. If the start is interrupted once its request may be with the service, the number is asked for with the same
   key, and its rental ended.
2. The end is retried for as long as the client's timeout allows, whatever max_retries says. That the number is not
   rented any more is as good as an end.
3. What the block raised is never replaced: a failure of the end becomes a note on it.
4. Ctrl-C during the start or the end does not stop them; a second Ctrl-C does, and the error says what may be running."""

from __future__ import annotations

from . import endpoints
from .e164 import is_e164
from .errors import ConnectionFailedError, DTMFError, NotFoundError, ServerError, TimedOutError
from .sender import new_key
from .settings import persistent

TYPE_CHECKING = False  # the name type checkers know; `typing` is not imported for it
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, Literal

    from .client import DTMF
    from .types import FullMessage, Number
    from .waiters import Match

ANSWER_LOST = (ConnectionFailedError, TimedOutError, ServerError)
_UNDOING_S = 10.0  # someone has pressed Ctrl-C and waits


class RentedNumber(dict[str, "Any"]):
    """A number as start_rental() returns it, a dict, with the calls that concern it."""

    def __init__(self, dtmf: DTMF, number: Number) -> None:
        super().__init__(number)
        self._dtmf = dtmf

    def __reduce__(self) -> tuple[object, ...]:
        return RentedNumber, (self._dtmf, dict(self))

    @property
    def e164(self) -> str:
        """The number itself."""
        return str(self["e164"])

    def wait_for_code(self, *, timeout: float = 180, match: Match | None = None, after: int | None = None) -> str:
        """The code in the next message that has one, see DTMF.wait_for_code()."""
        return self._dtmf.wait_for_code(self.e164, timeout=timeout, match=match, after=after)

    def wait_for_message(
        self, *, timeout: float = 180, match: Match | None = None, after: int | None = None
    ) -> FullMessage:
        """The next message received, see DTMF.wait_for_message()."""
        return self._dtmf.wait_for_message(self.e164, timeout=timeout, match=match, after=after)

    def messages(self, *, after: int = 0) -> Iterator[FullMessage]:
        """The messages so far, oldest first; number["messages"] are those of the start, none."""
        return self._dtmf.messages(self.e164, after=after)

    def send_message(self, to: str, content: str) -> FullMessage:
        """The message, on its way to another phone."""
        return self._dtmf.send_message(self.e164, to, content)

    def set_sms_action(self, action: Literal["forward", "webhook"] | None, destination: str | None) -> bool:
        """True, once the action for each SMS is set, see DTMF.set_sms_action()."""
        return self._dtmf.set_sms_action(self.e164, action, destination)


class Rental:
    """What DTMF.rental() returns: each `with` block rents a number of its own."""

    def __init__(self, dtmf: DTMF, group_id: str) -> None:
        self._dtmf = dtmf
        self._group_id = group_id
        self._call = endpoints.start_rental(group_id)
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
        except BaseException as interruption:  # Ctrl-C, while the request may be with the service
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
            try:  # the same request: a number that was rented the first time is returned, not another one
                return self._dtmf._perform(self._call, key=key, settings=self._settings)
            except ANSWER_LOST as again:
                raise unknown_start(again, self._group_id) from failure

    def _undo(self, key: str, interruption: BaseException) -> None:
        """Ends what an interrupted start may have begun."""
        quick = persistent(self._dtmf._settings, at_most_s=_UNDOING_S)
        try:
            e164 = e164_of(self._dtmf._perform(self._call, key=key, settings=quick))
        except ANSWER_LOST as failure:
            interruption.add_note(str(unknown_start(failure, self._group_id)))
        except DTMFError:
            return  # the service refuses: nothing was rented
        else:
            self._running = [other for other in self._running if other != e164]
            failed = self._end_once(e164)
            if failed:
                interruption.add_note(end_failed(e164, failed))

    def _end(self, e164: str) -> DTMFError | None:
        """Why the rental could not be ended. Ctrl-C meanwhile does not stop it; a second Ctrl-C does."""
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
            return None  # it has run out, or was ended by hand
        except DTMFError as failure:
            return failure
        return None


def e164_of(number: Number) -> str:
    """The number that was rented. Raises ServerError if the answer has none."""
    e164 = number.get("e164")
    if is_e164(e164):
        return e164
    raise ServerError("the service answered with a rental without a number: dtmf.numbers() lists what is rented")


def unknown_start(failure: DTMFError, group_id: str) -> DTMFError:
    """The failure of a start of which nobody knows whether it was carried out; says what to look for."""
    failure.args = (
        f"{failure}. A number of {group_id} may have been rented all the same and be charged:"
        " look for it with dtmf.numbers() and end it with dtmf.end_rental()",
    )
    return failure


def end_failed(e164: str, failure: DTMFError) -> str:
    """What to know of a rental that could not be ended."""
    return f"the rental of {e164} could not be ended and may go on being charged: {failure}"


def report_failed_end(e164: str, failure: DTMFError, raised: BaseException | None) -> None:
    """Raises the failure, which says what goes on; only adds a note if the block raised something itself."""
    said = end_failed(e164, failure)
    if raised is not None:
        raised.add_note(said)
        return
    failure.args = (said,)
    raise failure
