"""`dtmf wait`: wait for a message or a code."""

from __future__ import annotations

import signal
from collections import deque
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf.errors import ConnectionFailedError, TimedOutError

from . import connect, output
from .exit_codes import NO_MESSAGE, UNREACHABLE, CommandError
from .formatting import countdown, seconds
from .message_view import show_message
from .options import Json, Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from dtmf import DTMF


def wait(
    number: Number,
    /,
    *,
    code: Annotated[bool, Parameter(help="Wait for a code, and print only the code.")] = False,
    timeout: Annotated[str, Parameter(help="How long to wait, like 90 or 5m (default: 3m).", metavar="TIME")] = "3m",
    match: Annotated[
        str | None, Parameter(help="Accept only messages that match this regular expression.", metavar="PATTERN")
    ] = None,
    new: Annotated[bool, Parameter(help="Ignore messages that have already arrived.")] = False,
    after: Annotated[int | None, Parameter(help="Ignore messages up to this id.", metavar="ID")] = None,
    json: Json = False,
) -> None:
    """Wait for an SMS, or for the code in it. The wait starts with the first SMS of the rental, unless --new or --after
    is set. The exit code is 8 if none arrives in time."""
    timeout_s = seconds(timeout)
    with connect.client() as dtmf, spinner(f"waiting for {'a code' if code else 'an SMS'} to {number}", timeout_s):
        first = _newest(dtmf, number) if new and after is None else after
        try:
            if code:
                found: object = dtmf.wait_for_code(number, timeout=timeout_s, match=match, after=first)
            else:
                found = dtmf.wait_for_message(number, timeout=timeout_s, match=match, after=first)
        except TimedOutError as error:
            raise timed_out(error) from error
    if json:
        output.json(found)
    elif code:
        output.line(str(found))
    else:
        show_message(found)


def timed_out(error: TimedOutError) -> CommandError:
    """Return the error for a wait that timed out."""
    is_down = isinstance(error.__cause__, ConnectionFailedError)
    return CommandError(UNREACHABLE if is_down else NO_MESSAGE, str(error))


def _newest(dtmf: DTMF, number: str) -> int:
    dtmf.number(number)  # raises NotFoundError if the number isn't rented now
    last = deque(dtmf.messages(number), 1)
    return last[0]["id"] if last else 0


@contextmanager
def spinner(text: str, timeout_s: float) -> Iterator[None]:
    """On a terminal, show what the command waits for and the time left."""
    there = output.console(stderr=True)
    if not there.is_terminal or there.is_dumb_terminal:
        yield
        return
    kind = "dots" if there.encoding.startswith("utf") else "line"
    status = there.status(_Left(text, monotonic() + timeout_s), spinner=kind, spinner_style="dim")
    try:
        with _uninterrupted():  # Ctrl-C may arrive as soon as the cursor is hidden
            status.start()
        yield
    finally:
        with _uninterrupted():
            status.stop()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Defer Ctrl-C until the block ends, if the system supports it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Left:
    """A text with the time left, computed each time it is drawn."""

    def __init__(self, text: str, until_s: float) -> None:
        self._text = text
        self._until_s = until_s

    def __rich__(self) -> Text:
        from rich.text import Text  # noqa: PLC0415  # only needed for a spinner

        return Text.assemble(self._text, (f"  {countdown(self._until_s - monotonic())} left", "dim"))
