"""`dtmf sandbox …`: what only a sandbox can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from . import connect, output
from .account import unused_address
from .formatting import clock_offset, format_int, format_second, sats, seconds
from .message_view import show_message, show_text
from .options import Json, Number

if TYPE_CHECKING:
    from dtmf.types import SandboxClock

sandbox = App(name="sandbox", help="Let an SMS or coins arrive, let time pass: what only a sandbox can do.")


@sandbox.command
def receive(
    number: Number,
    sender: Annotated[str, Parameter(help="Who it is from: a number, a short code, a name.")],
    text: Annotated[str, Parameter(help="What it says.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
) -> None:
    """An SMS arrives at a number you rent."""
    with connect.client() as dtmf:
        message = dtmf.sandbox.receive(number, sender, text)
    if json:
        output.json(message)
    else:
        show_message(message)


@sandbox.command
def deposit(
    amount: Annotated[str, Parameter(help="Satoshis, like 50,000.")],
    /,
    *,
    address: Annotated[
        str | None, Parameter(help="The address they are paid to (default: one of yours).", metavar="ADDRESS")
    ] = None,
    confirmations: Annotated[
        int | None, Parameter(help="How many blocks confirm it (default: enough for the credit).", metavar="BLOCKS")
    ] = None,
    json: Json = False,
) -> None:
    """Coins arrive from nowhere."""
    asked = sats(amount)
    with connect.client() as dtmf:
        paid = dtmf.sandbox.deposit(address or unused_address(dtmf)["address"], asked, confirmations)
        balance = None if json else dtmf.account()["balance"]
    if json:
        output.json(paid)
    else:
        output.line(
            f"{format_int(asked)} sats are {paid['status']}. The balance is ",
            (f"{format_int(balance)} sats", "bold"),
            ".",
        )


@sandbox.command
def advance(time: Annotated[str, Parameter(help="How long: 90s, 15m, 2h, 30d, 1w.")], /, *, json: Json = False) -> None:
    """Time passes; what is due by then is done."""
    span = seconds(time)
    with connect.client(timeout_s=90.0) as dtmf:
        advanced = dtmf.sandbox.advance(span)
        if json:
            output.json(advanced)
        else:
            _show(dtmf.sandbox.clock())


@sandbox.command
def clock(*, json: Json = False) -> None:
    """What time it is in the sandbox, and how far that is ahead of the real time."""
    with connect.client() as dtmf:
        found = dtmf.sandbox.clock()
    if json:
        output.json(found)
    else:
        _show(found)


def _show(clock: SandboxClock) -> None:
    ahead = clock_offset(clock["offset_s"])
    output.line("It is ", (format_second(clock["now"]), "bold"), f" UTC in the sandbox now, {ahead}.")


@sandbox.command
def sent(*, json: Json = False) -> None:
    """What other phones have received."""
    with connect.client() as dtmf:
        found = dtmf.sandbox.sent()
    if json:
        output.json(found)
        return
    for message in found:
        output.line((f"{message['from']} → {message['to']}", "bold"))
        show_text(message["content"])
    if not found:
        output.line(("Nothing has left yet.", "dim"))
