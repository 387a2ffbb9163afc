"""`dtmf topup`, `dtmf invoices`: pay into the account, by Lightning or to an address."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf import endpoints, waiters
from dtmf.errors import DTMFError, TimedOutError

from . import connect, output, qr
from .exit_codes import one_line
from .formatting import bitcoin, format_int, format_minute, is_in_currency, sats, seconds
from .options import Format, Json, Last, Quiet, newest
from .output import Column
from .templates import printer
from .wait import spinner, timed_out

if TYPE_CHECKING:
    from dtmf import DTMF
    from dtmf.types import Address, Invoice

_SHOWN = 25
_WAIT = "15m"  # on a terminal


def topup(
    amount: Annotated[
        str | None, Parameter(help="The amount, like 50k, 0.001btc or 5eur; with it, also pay by Lightning.")
    ] = None,
    /,
    *,
    new: Annotated[bool, Parameter(help="Create a new address, even if the last one is unused.")] = False,
    wait: Annotated[
        str | None,
        Parameter(help="How long to wait (default: 15m on a terminal, else 0).", metavar="TIME"),
    ] = None,
    json: Json = False,
) -> None:
    """Show a Bitcoin deposit address, with an amount also a Lightning invoice, and their QR code; wait for the deposit.
    Addresses never expire."""
    asked = None if amount is None else amount if is_in_currency(amount) else sats(amount)
    timeout_s = seconds(wait if wait is not None else _WAIT if _is_watched(json=json) else "0")
    with connect.client() as dtmf:
        last = _last_deposit(dtmf) if timeout_s else 0
        address = _address(dtmf, new=new, is_required=asked is None)
        invoice = None if asked is None else _invoice(dtmf, asked, is_required=address is None)
        if json:
            output.json({**(address or {"address": None}), "invoice": invoice} if invoice else address)
        else:
            _show(address, asked, invoice)
        if timeout_s:
            _wait(dtmf, last, timeout_s, json=json)


def invoices(
    *,
    last: Last = None,
    after: Annotated[int, Parameter(help="Show only items after this id.", metavar="ID")] = 0,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List your Lightning invoices, newest last. Shows the last 25; with --json or --format all, one per line."""
    show_items = printer(json=json, form=form, quiet=quiet)
    with connect.client() as dtmf:
        found = dtmf.invoices(after)
        if show_items:
            show_items(newest(found, last, else_last=None))
            return
        rows = list(newest(found, last, else_last=_SHOWN))
    if not rows:
        output.line("No invoices yet.")
        return
    columns = [Column("Id", figures=True), Column("Created (UTC)"), Column("Sats", figures=True), Column("Status")]
    output.table(
        columns,
        [
            (
                str(each["id"]),
                format_minute(each["created_at"]),
                "any" if each["amount"] is None else format_int(each["amount"]),
                each["status"],
            )
            for each in rows
        ],
    )


def unused_address(dtmf: DTMF) -> Address:
    """Return the newest address if it is unused, else a new one: an account may have only 20 unused addresses."""
    addresses = dtmf.addresses()
    if addresses and addresses[-1]["address"] not in {deposit["address"] for deposit in dtmf.deposits()}:
        return addresses[-1]
    return dtmf.new_address()


def _address(dtmf: DTMF, *, new: bool, is_required: bool) -> Address | None:
    """Return an address, or None if the service takes only Lightning payments."""
    try:
        return dtmf.new_address() if new else unused_address(dtmf)
    except DTMFError as error:
        if is_required or error.code != "deposits_unavailable":
            raise
        return None


def _invoice(dtmf: DTMF, amount: int | str, *, is_required: bool) -> Invoice | None:
    """Return an invoice, or None if the service can't create one now, with the reason on stderr unless it takes no Lightning
    payments at all. Only the service can convert a currency."""
    try:
        return dtmf.new_invoice(amount)
    except DTMFError as error:
        if is_required or isinstance(amount, str):
            raise
        if error.code != "lightning_not_configured" and sys.stderr is not None:
            print(f"dtmf: no Lightning invoice: {one_line(str(error))}", file=sys.stderr)
        return None


def _show(address: Address | None, asked: int | str | None, invoice: Invoice | None) -> None:
    if invoice and isinstance(asked, str):
        asked = invoice["amount"]
        output.line(f"{format_int(asked)} sats")
    lightning = f"lightning={invoice['invoice'].upper()}" if invoice else ""
    uri = lightning.replace("=", ":")
    if invoice:
        output.line((invoice["invoice"], "bold"))
        output.blank()
    if address:
        uri = f"bitcoin:{address['address']}" + (f"?amount={bitcoin(asked)}" if isinstance(asked, int) else "")
        uri += f"&{lightning}" if lightning else ""
        output.line((address["address"], "bold"))
        output.blank()
    qr.show(uri)
    output.line((uri, "dim"))
    if address and address["address"].startswith("bcrt1"):
        pay = "dtmf sandbox pay" if invoice else "dtmf sandbox deposit"
        output.line(("A sandbox address: never send real coins. Pay with ", "dim"), pay, (".", "dim"))


def _is_watched(*, json: bool) -> bool:
    there = output.console()
    return not json and there.is_terminal and not there.is_dumb_terminal


def _last_deposit(dtmf: DTMF) -> int:
    """Return the id of the last deposit's event."""
    last = 0
    for event in dtmf._pages(endpoints.credited, endpoints.credited(0), 0):
        last = event["id"]
    return last


def _wait(dtmf: DTMF, last: int, timeout_s: float, *, json: bool) -> None:
    with spinner("waiting for the deposit", timeout_s):
        try:
            event = dtmf._wait(waiters.for_deposit(None, timeout_s, last))
        except TimedOutError as error:
            raise timed_out(error) from error
        balance = dtmf.account()["balance"]
    if json:
        output.json(event)
        return
    by = " by Lightning" if event.get("method") == "lightning" else ""
    output.line(
        f"{format_int(event['amount'])} sats arrived{by}. The balance is ", (f"{format_int(balance)} sats", "bold"), "."
    )
