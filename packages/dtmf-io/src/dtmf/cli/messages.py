"""`dtmf messages` and `dtmf send`: what numbers received and sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from . import connect, output
from .exit_codes import USAGE, Ending
from .formatting import clock_time, figure
from .options import Json, Last, Number, newest, rented_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 25
_LONGEST_TEXT = 10_000


def messages(
    number: Annotated[
        str | None, Parameter(help="Only those of this number; without it those of all.", completer=rented_numbers)
    ] = None,
    /,
    *,
    last: Last = None,
    after: Annotated[int, Parameter(help="Only those after this id.", metavar="ID")] = 0,
    json: Json = False,
) -> None:
    """What your numbers received and sent, the newest last. Shows the last 25; with --json all, one object a line."""
    with connect.client() as dtmf:
        found = dtmf.messages(number, after=after)
        if json:
            output.json_lines(newest(found, last, else_last=None))
            return
        show_messages(newest(found, last, else_last=_SHOWN), nothing="No messages.")


def send(
    number: Number,
    to: Annotated[str, Parameter(help="The phone it goes to, like +447700900123.")],
    text: Annotated[str, Parameter(help="What it says; - reads it from standard input.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
) -> None:
    """Send an SMS from a number you rent. It is paid per segment, and refunded if no carrier takes it."""
    if text == "-":
        text = _from_stdin()
    with connect.client() as dtmf:
        sent = dtmf.send_message(number, to, text)
    if json:
        output.json(sent)
    else:
        output.line(
            "On its way to ", (to, "bold"), f", {figure(sent['cost'])} sats.", (f" Message {sent['id']}", "dim")
        )


def show_messages(found: Iterable[Any], *, nothing: str, number: str | None = None) -> None:
    """Messages as a conversation: who and when, the text below. `number` is theirs if they don't say so."""
    is_first = True
    for message in found:
        if not is_first:
            output.blank()
        is_first = False
        show_message(message, number)
    if is_first:
        output.line((nothing, "dim"))


def show_message(message: Any, number: str | None = None) -> None:
    """One message; a received one stands out."""
    is_received = message.get("inbound", message["to"] == number)
    who = f"{message['from']} → {message['to']}"
    told = [clock_time(message["timestamp"]), _fate(message), f"#{message['id']}" if "id" in message else ""]
    output.line((who, "bold" if is_received else ""), ("  " + "  ".join(filter(None, told)), "dim"))
    show_text(message["content"])


def show_text(content: str | None) -> None:
    """The text of a message, or that it has none, or none any more."""
    output.texts("(erased)" if content is None else content or "(empty)", indent=2)


def _fate(message: Any) -> str:
    if message.get("status") not in {None, "received"}:
        return str(message["status"])
    return {None: "on its way", False: "refused"}.get(message["success"], "")


def _from_stdin() -> str:
    if sys.stdin is None:
        raise Ending(USAGE, "there is no standard input to read the text from")
    return sys.stdin.read(_LONGEST_TEXT).removesuffix("\n")
