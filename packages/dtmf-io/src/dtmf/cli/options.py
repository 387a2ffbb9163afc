"""Arguments that several commands share, and their shell completion."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, TypeVar

from cyclopts import Parameter

from dtmf.errors import DTMFError

from . import connect
from .exit_codes import FAILED, CommandError

Item = TypeVar("Item")

_COMPLETION_TIMEOUT_S = 2.0  # the user is waiting for TAB


def rented_numbers(_context: object) -> list[tuple[str, str]]:
    """Return the rented numbers for shell completion; none if the service doesn't respond."""
    with (
        suppress(DTMFError, CommandError, ValueError),
        connect.client(timeout_s=_COMPLETION_TIMEOUT_S, max_retries=0) as dtmf,
    ):
        return [(number["e164"], number["group_id"]) for number in dtmf.numbers()]
    return []


def group_ids(_context: object) -> list[tuple[str, str]]:
    """Return the groups for shell completion."""
    with (
        suppress(DTMFError, CommandError, ValueError),
        connect.client(timeout_s=_COMPLETION_TIMEOUT_S, max_retries=0) as dtmf,
    ):
        return [(group["id"], group["name"]) for group in dtmf.groups("mobile") + dtmf.groups("local")]
    return []


Json = Annotated[bool, Parameter(help="Print the result of the Python client as JSON.")]
Format = Annotated[
    str | None,
    Parameter(
        name="--format",
        help="Print each item as json, as tsv, or by a template like '{id} {status}'.",
        metavar="FORMAT",
    ),
]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], help="Print only what identifies each item.")]
Number = Annotated[str, Parameter(help="A number you rent, like +12025550100.", completer=rented_numbers)]
GroupId = Annotated[str, Parameter(help="The id of a group, like us-mobile.", completer=group_ids)]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="Don't ask for confirmation.")]
MaxMinutes = Annotated[int | None, Parameter(help="End the rental after so many minutes.", metavar="MINUTES")]
MaxSats = Annotated[int | None, Parameter(help="End it before it costs more, messages included.", metavar="SATS")]
Label = Annotated[str | None, Parameter(help="Your name for the rental.", metavar="NAME")]
Last = Annotated[int | None, Parameter(help="Show only the newest COUNT items.", metavar="COUNT")]


def newest(found: Iterable[Item], last: int | None, *, else_last: int | None) -> Iterable[Item]:
    """Return the last items: `last` of them, or `else_last` by default. None means all."""
    most = else_last if last is None else not_negative(last)
    return found if most is None else deque(found, most)


def not_negative(last: int) -> int:
    """Return the value of --last. Raises ValueError if it is negative."""
    if last < 0:
        raise ValueError(f"--last must be a whole number of at least 0, not {last}")
    return last


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation on a terminal; in a script, proceed. Raises CommandError if the user declines."""
    if yes or sys.stdin is None or not sys.stdin.isatty():
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError(FAILED, "cancelled; nothing was changed")
