"""`dtmf code`: rent a number for one code. The rental ends however the command ends, except by `kill -9`."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf import validation
from dtmf.errors import TimedOutError

from . import connect, output
from .formatting import seconds
from .options import GroupId, Json, Label, MaxMinutes, MaxSats
from .wait import spinner, timed_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal stopped the command."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = number


def code(
    group: GroupId,
    /,
    *,
    timeout: Annotated[str, Parameter(help="How long to wait, like 90 or 5m (default: 3m).", metavar="TIME")] = "3m",
    match: Annotated[
        str | None, Parameter(help="Accept only messages that match this regular expression.", metavar="PATTERN")
    ] = None,
    max_minutes: MaxMinutes = None,
    max_sats: MaxSats = None,
    label: Label = None,
    json: Json = False,
) -> None:
    """Rent a number from a group, print it, wait for a code, print the code, and end the rental.

    The first line of the output is the number, the second the code; with --json both are JSON, one per line. The rental
    ends however the command ends: after the code, after an error or the timeout (exit code 8), and on Ctrl-C, SIGTERM,
    or a closed terminal or pipe."""
    timeout_s = validation.timeout_s(seconds(timeout))
    validation.pattern(match)  # before anything is charged
    with (
        _stopped_once(),
        connect.client() as dtmf,
        dtmf.rental(group, max_minutes=max_minutes, max_sats=max_sats, label=label) as number,
    ):
        if json:
            output.json(dict(number), one_line=True)
        else:
            print(number.e164)
        output.flush()
        with spinner(f"waiting for a code to {number.e164}", timeout_s):
            try:
                found = number.wait_for_code(timeout=timeout_s, match=match)
            except TimedOutError as error:
                raise timed_out(error) from error
        if json:
            output.json(found, one_line=True)
        else:
            output.line(found)
        output.flush()


@contextmanager
def _stopped_once() -> Iterator[None]:
    """Turn the first stop signal into an exception and ignore later ones, so that the rental is always ended.
    Signals that the caller ignores, like SIGHUP under nohup, stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise Stopped(number)

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    heeded = [each for each, handler in before.items() if handler not in {signal.SIG_IGN, None}]
    try:
        for each in heeded:
            signal.signal(each, stop)
        yield
    finally:
        for each in heeded:
            signal.signal(each, before[each])
