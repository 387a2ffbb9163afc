"""`dtmf wait` and `dtmf events`: what comes in, as it comes in."""

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
    code: Annotated[bool, Parameter(help="Wait for a code, and print it alone.")] = False,
    timeout: Annotated[str, Parameter(help="How long, like 90 or 5m (default: 3m).", metavar="TIME")] = "3m",
    match: Annotated[
        str | None, Parameter(help="Only a text in which this regular expression is found.", metavar="PATTERN")
    ] = None,
    new: Annotated[bool, Parameter(help="Only what comes from now on.")] = False,
    after: Annotated[int | None, Parameter(help="Only what comes after this id.", metavar="ID")] = None,
    json: Json = False,
) -> None:
    """Wait for an SMS, or for the code in it. The first since the rental began counts, unless --new or --after says
    otherwise. Exit status 8 if none comes in time."""
    timeout_s = seconds(timeout)
    with connect.client() as dtmf, spinner(f"waiting for {'a code' if code else 'an SMS'} to {number}", timeout_s):
        first = _newest(dtmf, number) if new and after is None else after
        try:
            if code:
                found: object = dtmf.wait_for_code(number, timeout=timeout_s, match=match, after=first)
            else:
                found = dtmf.wait_for_message(number, timeout=timeout_s, match=match, after=first)
        except TimedOutError as error:
            raise nothing_came(error) from error
    if json:
        output.json(found)
    elif code:
        output.line(str(found))
    else:
        show_message(found)


def nothing_came(error: TimedOutError) -> CommandError:
    """How a command ends whose wait was in vain."""
    is_down = isinstance(error.__cause__, ConnectionFailedError)
    return CommandError(UNREACHABLE if is_down else NO_MESSAGE, str(error))


def _newest(dtmf: DTMF, number: str) -> int:
    dtmf.number(number)  # a number not rented now is refused, whatever it received before
    last = deque(dtmf.messages(number), 1)
    return last[0]["id"] if last else 0


@contextmanager
def spinner(text: str, timeout_s: float) -> Iterator[None]:
    """Shows on a terminal what is waited for, and how much time is left."""
    there = output.console(stderr=True)
    if not there.is_terminal or there.is_dumb_terminal:
        yield
        return
    kind = "dots" if there.encoding.startswith("utf") else "line"
    status = there.status(_Left(text, monotonic() + timeout_s), spinner=kind, spinner_style="dim")
    try:
        with _uninterrupted():  # Ctrl-C may come as soon as the cursor is hidden
            status.start()
        yield
    finally:
        with _uninterrupted():
            status.stop()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Has Ctrl-C wait until the block ends, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Left:
    """A text with the time left, which is another one whenever it is drawn."""

    def __init__(self, text: str, until_s: float) -> None:
        self._text = text
        self._until_s = until_s

    def __rich__(self) -> Text:
        from rich.text import Text  # noqa: PLC0415  # only where there is a spinner

        return Text.assemble(self._text, (f"  {countdown(self._until_s - monotonic())} left", "dim"))
