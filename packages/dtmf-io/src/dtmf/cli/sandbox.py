"""`dtmf sandbox …`: sandbox-only commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from . import connect, output
from .exit_codes import NOT_FOUND, CommandError
from .formatting import clock_offset, format_int, format_second, sats, seconds
from .message_view import show_message, show_text
from .options import Json, Number
from .topup import unused_address

if TYPE_CHECKING:
    from dtmf import DTMF
    from dtmf.types import SandboxClock

sandbox = App(name="sandbox", help="Simulate SMS and payments, and advance the clock. Only a sandbox supports this.")


@sandbox.command
def receive(
    number: Number,
    sender: Annotated[str, Parameter(help="The sender: a number, a short code or a name.")],
    text: Annotated[str, Parameter(help="The text.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
) -> None:
    """Simulate an SMS to a number you rent."""
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
        str | None, Parameter(help="The address to pay to (default: one of yours).", metavar="ADDRESS")
    ] = None,
    confirmations: Annotated[
        int | None, Parameter(help="The number of confirmations (default: enough to be credited).", metavar="BLOCKS")
    ] = None,
    json: Json = False,
) -> None:
    """Simulate a payment."""
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
def pay(
    invoice: Annotated[str | None, Parameter(help="The invoice (default: your newest open one).")] = None,
    /,
    *,
    amount: Annotated[str | None, Parameter(help="The amount (default: that of the invoice).")] = None,
    json: Json = False,
) -> None:
    """Simulate the payment of a Lightning invoice."""
    asked = None if amount is None else sats(amount)
    with connect.client() as dtmf:
        paid = dtmf.sandbox.pay(invoice or _newest_open(dtmf), asked)
        balance = None if json else dtmf.account()["balance"]
    if json:
        output.json(paid)
    else:
        output.line(f"The invoice is {paid['status']}. The balance is ", (f"{format_int(balance)} sats", "bold"), ".")


def _newest_open(dtmf: DTMF) -> str:
    opened = [each for each in dtmf.invoices() if each["status"] == "open"]
    if not opened:
        raise CommandError(NOT_FOUND, "no invoice is open: create one with dtmf topup AMOUNT")
    return opened[-1]["invoice"]


@sandbox.command
def advance(
    time: Annotated[str, Parameter(help="The duration: 90s, 15m, 2h, 30d, 1w.")], /, *, json: Json = False
) -> None:
    """Advance the clock, and run everything due by then."""
    span = seconds(time)
    with connect.client(timeout_s=90.0) as dtmf:
        advanced = dtmf.sandbox.advance(span)
        if json:
            output.json(advanced)
        else:
            _show(dtmf.sandbox.clock())


@sandbox.command
def clock(*, json: Json = False) -> None:
    """Show the sandbox's time, and how far it is ahead."""
    with connect.client() as dtmf:
        found = dtmf.sandbox.clock()
    if json:
        output.json(found)
    else:
        _show(found)


def _show(clock: SandboxClock) -> None:
    ahead = clock_offset(clock["offset_s"])
    output.line("The sandbox's time is now ", (format_second(clock["now"]), "bold"), f" UTC, {ahead}.")


@sandbox.command
def sent(*, json: Json = False) -> None:
    """List messages sent to other phones."""
    with connect.client() as dtmf:
        found = dtmf.sandbox.sent()
    if json:
        output.json(found)
        return
    for message in found:
        output.line((f"{message['from']} → {message['to']}", "bold"))
        show_text(message["content"])
    if not found:
        output.line(("No messages sent yet.", "dim"))
