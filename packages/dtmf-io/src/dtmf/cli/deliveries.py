"""`dtmf deliveries`: list deliveries, retry one, test a webhook. `dtmf secret` and `dtmf webhook`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from . import connect, output
from .formatting import format_minute
from .options import Format, Json, Last, Number, Quiet, newest, rented_numbers
from .output import Column
from .templates import printer

if TYPE_CHECKING:
    from dtmf.types import Delivery

_SHOWN = 25
deliveries = App(name="deliveries", help="List the deliveries of forwards, webhooks and sends.")


@deliveries.default
def listed(
    *,
    state: Annotated[
        Literal["waiting", "delivered", "parked", "in_doubt", "unknown"] | None,
        Parameter(help="Show only deliveries in this state:"),
    ] = None,
    number: Annotated[
        str | None, Parameter(help="Show only deliveries of this number.", metavar="NUMBER", completer=rented_numbers)
    ] = None,
    last: Last = None,
    after: Annotated[int, Parameter(help="Show only items after this id.", metavar="ID")] = 0,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List the deliveries of forwards, webhooks and sends, newest last. Shows the last 25; with --json or --format all,
    one per line."""
    show_items = printer(json=json, form=form, quiet=quiet)
    with connect.client() as dtmf:
        found = dtmf.deliveries(state, e164=number, after=after)
        if show_items:
            show_items(newest(found, last, else_last=None))
            return
        _table(list(newest(found, last, else_last=_SHOWN)))


@deliveries.command
def retry(
    delivery: Annotated[int | None, Parameter(help="The id of the delivery.")] = None,
    /,
    *,
    since: Annotated[
        datetime | None,
        Parameter(help="Instead, all parked webhook deliveries of messages since then, in UTC.", metavar="TIME"),
    ] = None,
    json: Json = False,
) -> None:
    """Retry a delivery, even if it was delivered."""
    if (delivery is None) == (since is None):
        raise ValueError(
            "DELIVERY is missing: give its id, or --since" if since is None else "an id and --since don't go together"
        )
    with connect.client() as dtmf:
        again = dtmf.retry_deliveries(since) if since else dtmf.retry_delivery(delivery or 0)
    if json:
        output.json(again)
    elif isinstance(again, int):
        output.line(f"{again} deliveries are queued again.")
    else:
        output.line(f"Delivery {again['id']} to {again['destination']} is queued again.")


@deliveries.command
def test(number: Number, /, *, json: Json = False) -> None:
    """Post a sample SMS with the id 0 to a number's webhook."""
    with connect.client() as dtmf:
        sample = dtmf.test_webhook(number)
    if json:
        output.json(sample)
    else:
        output.line(f"A sample was queued for {sample['destination']}. To see the result: dtmf deliveries")


def secret(
    *,
    rotate: Annotated[bool, Parameter(help="Replace it. For 24 hours, the old one also signs.")] = False,
    json: Json = False,
) -> None:
    """Print the secret that signs your webhooks."""
    with connect.client() as dtmf:
        found = dtmf.rotate_webhook_secret() if rotate else dtmf.webhook_secret()
    if json:
        output.json(found)
    else:
        output.line(found)


def webhook(
    url: Annotated[str | None, Parameter(help="The URL; none removes it (default: show it).")] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Show or set the URL that receives your account's own events, such as balance.low."""
    with connect.client() as dtmf:
        if url is not None:
            dtmf.set_account_webhook(None if url == "none" else url)
        found = dtmf.account_webhook()
    if json:
        output.json(found)
    else:
        output.line(found or "No URL is set.")


def _table(found: list[Delivery]) -> None:
    if not found:
        output.line("No deliveries.")
        return
    columns = [
        Column("Id", figures=True, style="dim"),
        Column("Since (UTC)"),
        Column("What"),
        Column("State"),
        Column("To", wraps=True),
        Column("Last answer", style="dim", wraps=True),
    ]
    output.table(columns, map(_row, found))


def _row(delivery: Delivery) -> tuple[str, ...]:
    attempts = delivery["attempts"]
    tried = "1 try" if len(attempts) == 1 else f"{len(attempts)} tries"
    return (
        str(delivery["id"]),
        format_minute(delivery["created_at"]),
        delivery["kind"],
        delivery["state"],
        delivery["destination"],
        f"{tried}: {delivery['reason'] or attempts[-1]['reason']}" if attempts else delivery["reason"] or "",
    )
