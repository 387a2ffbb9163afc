"""`dtmf messages` and `dtmf send`: list messages, and send one."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf.cli.message_view import show_messages

from . import connect, output
from .exit_codes import USAGE, CommandError
from .formatting import format_int
from .options import Format, Json, Last, Number, Quiet, not_negative, rented_numbers
from .templates import printer

if TYPE_CHECKING:
    pass

_SHOWN = 25
_TEXT_MAX = 10_000


def messages(
    number: Annotated[
        str | None, Parameter(help="Show only messages of this number (default: all).", completer=rented_numbers)
    ] = None,
    /,
    *,
    last: Last = None,
    after: Annotated[int, Parameter(help="Show only items after this id.", metavar="ID")] = 0,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List received and sent messages, newest last. Shows the last 25; with --json or --format all, one per line."""
    show_items = printer(json=json, form=form, quiet=quiet)
    with connect.client() as dtmf:
        most = last if show_items or last is not None else _SHOWN
        found = dtmf.messages(number, after=after, newest_first=most is not None)
        if most is not None:
            found = reversed(list(islice(found, not_negative(most))))
        if show_items:
            show_items(found)
            return
        show_messages(found, nothing="No messages.")


def send(
    number: Number,
    to: Annotated[str, Parameter(help="The recipient, like +447700900123.")],
    text: Annotated[str, Parameter(help="The text; - reads it from standard input.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send an SMS from a number you rent. It is charged per segment, and refunded if no carrier accepts it."""
    if text == "-":
        text = _from_stdin()
    with connect.client() as dtmf:
        sent = dtmf.send_message(number, to, text)
    if quiet:
        print(sent["id"])
    elif json:
        output.json(sent)
    else:
        output.line(
            "Queued for ", (to, "bold"), f", {format_int(sent['cost'])} sats.", (f" Message {sent['id']}", "dim")
        )


def _from_stdin() -> str:
    if sys.stdin is None:
        raise CommandError(USAGE, "there is no standard input to read the text from")
    return sys.stdin.read(_TEXT_MAX).removesuffix("\n")
