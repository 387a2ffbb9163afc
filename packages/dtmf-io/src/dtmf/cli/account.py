"""`dtmf account`, `transactions`, `deposits`: the balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf.errors import NotFoundError

from . import connect, output
from .formatting import (
    MINUTES_A_DAY,
    clock_offset,
    format_duration,
    format_int,
    format_minute,
    format_second,
    signed,
)
from .options import Format, Json, Last, Quiet, newest
from .output import Column
from .templates import printer

if TYPE_CHECKING:
    from dtmf import DTMF
    from dtmf.types import Deposit, Number, SandboxClock, Transaction, Usage

_SHOWN = 25
_KINDS = {
    "deposit": "deposit",
    "deposit_reversed": "deposit reversed",
    "lightning_deposit": "Lightning deposit",
    "debt": "debt",
    "debt_paid": "debt paid",
    "rental_setup": "set-up",
    "rental_minutes": "minutes",
    "message_received": "SMS received",
    "message_sent": "SMS sent",
    "message_refunded": "SMS refunded",
    "rental_refunded": "rental refunded",
    "operator_credit": "credit from the operator",
    "operator_debit": "debit by the operator",
    "moved_in": "from a deleted account",
    "moved_out": "moved to another account",
}


def account(*, json: Json = False) -> None:
    """Show your balance, what your numbers cost, and how long the balance lasts."""
    with connect.client() as dtmf:
        if json:
            output.json(dtmf.account())
            return
        place, usage, numbers, clock = connect.find_place(), dtmf.usage(), dtmf.numbers(), _sandbox_clock(dtmf)
    output.line((f"{format_int(usage['balance'])} sats", "bold"))
    output.blank()
    lasts = [("Lasts", _lasts(usage))] if usage["runs_out_at"] is not None else []
    debt = usage.get("debt", 0)  # older services don't report it
    owed = [("Debt", f"{format_int(debt)} sats; paid first from the next credit")] if debt else []
    if usage.get("suspended"):
        owed = [("Suspended", "you can only read and top up; ask the operator"), *owed]
    ahead = []
    if clock is not None and clock["offset_s"]:
        ahead = [("Clock", f"{format_minute(clock['now'])} UTC, {clock_offset(clock['offset_s'])}")]
    output.key_values([*owed, ("Numbers", _running(numbers, usage)), *lasts, *ahead, ("Service", place.url)])


def transactions(
    *,
    last: Last = None,
    after: Annotated[int, Parameter(help="Show only items after this id.", metavar="ID")] = 0,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List all changes of your balance, newest last. Shows the last 25; with --json or --format all, one per line."""
    show_items = printer(json=json, form=form, quiet=quiet)
    with connect.client() as dtmf:
        found = dtmf.transactions(after)
        if show_items:
            show_items(newest(found, last, else_last=None))
            return
        _table(list(newest(found, last, else_last=_SHOWN)))


def deposits(*, json: Json = False, form: Format = None, quiet: Quiet = False) -> None:
    """List the payments to your addresses, including those waiting for confirmations."""
    show_items = printer(json=json, form=form, quiet=quiet, identity="{txid}:{vout}", lines=False)
    with connect.client() as dtmf:
        found = dtmf.deposits()
    if show_items:
        show_items(found)
    elif not found:
        output.line("No deposits yet.")
    else:
        columns = [Column("Sats", figures=True), Column("Status"), Column("Confirmations", figures=True)]
        columns += [Column("Address", wraps=True), Column("Transaction", style="dim", wraps=True)]
        output.table(columns, [_deposit(each) for each in found])


def _deposit(found: Deposit) -> tuple[str, ...]:
    amount, confirmations = format_int(found["amount"]), format_int(found["confirmations"])
    return amount, found["status"], confirmations, found["address"], f"{found['txid']}:{found['vout']}"


def _sandbox_clock(dtmf: DTMF) -> SandboxClock | None:
    """The clock of a sandbox; None for a service in production."""
    try:
        return dtmf.sandbox.clock()
    except NotFoundError:
        return None


def _short(reference: str) -> str:
    """Shorten a transaction id. --json shows it in full."""
    return reference if len(reference) <= 20 else f"{reference[:10]}…{reference[-4:]}"


def _running(numbers: list[Number], usage: Usage) -> str:
    if not numbers:
        return "none rented"
    minute = usage["cost_per_minute"]
    return f"{format_int(len(numbers))} rented, {format_int(minute)} sats a minute, {format_int(minute * MINUTES_A_DAY)} a day"


def _lasts(usage: Usage) -> str:
    # Computed from the cost, not the clock: the service's clock may be ahead, as it often is in a sandbox.
    left = format_duration(usage["balance"] // max(usage["cost_per_minute"], 1) * 60)
    return f"{left}, until {format_minute(usage['runs_out_at'] or '')} UTC"


def _table(found: list[Transaction]) -> None:
    if not found:
        output.line("No transactions yet.")
        return
    columns = [
        Column("Id", figures=True, style="dim"),
        Column("When (UTC)"),
        Column("What"),
        Column("Sats", figures=True),
        Column("Balance", figures=True),
        Column("Reference", style="dim", wraps=True),
    ]
    output.table(
        columns,
        [
            (
                str(each["id"]),
                format_second(each["timestamp"]),
                _KINDS.get(each["kind"], each["kind"].replace("_", " ")),
                signed(each["amount"]),
                format_int(each["balance"]),
                _short(each["reference"]),
            )
            for each in found
        ],
    )
