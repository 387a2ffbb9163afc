"""`dtmf groups`, `rent`, `numbers`, `show`, `action`, `end`: number groups and rentals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dtmf.e164 import parse
from dtmf.validation import http_url

from . import connect, output
from .formatting import MINUTES_A_DAY, format_int, format_minute
from .message_view import show_messages
from .options import Format, GroupId, Json, Label, MaxMinutes, MaxSats, Number, Quiet, Yes, confirm
from .output import Column
from .templates import printer

if TYPE_CHECKING:
    from dtmf import DTMF
    from dtmf.types import FullMessage, Group
    from dtmf.types import Number as NumberFound

_TYPES: tuple[Literal["mobile"], Literal["local"]] = ("mobile", "local")


def groups(
    kind: Annotated[Literal["mobile", "local"] | None, Parameter(help="Show only this type:")] = None,
    /,
    *,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List number groups with prices in satoshis."""
    show_items = printer(json=json, form=form, quiet=quiet, lines=False)
    with connect.client() as dtmf:
        found = {kind: dtmf.groups(kind) for kind in ([kind] if kind else _TYPES)}
    every = [group for several in found.values() for group in several]
    if show_items:
        show_items(every)
        return
    columns = [
        Column("Group"),
        Column("Country"),
        *(Column(heading, figures=True) for heading in ("Set-up", "Minute", "Day", "30 days", "SMS in")),
    ]
    for index, (name, several) in enumerate(found.items()):
        if index:
            output.blank()
        output.line((f"{name.capitalize()} numbers", "bold"), (", prices in satoshis" if not index else "", "dim"))
        output.table(columns, map(_prices, several))


def group(group: GroupId, /, *, json: Json = False) -> None:
    """Show a group: terms, free numbers, and how its rentals of the last 30 days went."""
    with connect.client() as dtmf:
        found = dtmf.group(group)
    if json:
        output.json(found)
        return
    cap, reclaim, share = found["monthly_cap"], found["reclaim_days"], found["received_share"]
    minute = found["rental_cost_per_minute"]
    output.line((found["id"], "bold"), (f", {found['name']} {found['type']}", "dim"))
    output.blank()
    output.key_values(
        [
            ("Costs", f"{format_int(found['setup_cost'])} sats set-up, {format_int(minute)} a minute"),
            ("30 days", f"{format_int(minute * MINUTES_A_DAY * 30 if cap is None else cap)} sats at most"),
            ("Free", format_int(found["available"])),
            *(
                [
                    (
                        "Refund",
                        f"{found['refund_share']:.0%} if unused for {found['refund_within_minutes']} minutes at most",
                    )
                ]
                if found["refund_share"]
                else []
            ),
            ("Line", found["line_type"] or "unknown"),
            ("Short codes", _tested(found["short_codes"], found["short_codes_tested_at"])),
            ("One-time codes", _tested(found["one_time_codes"], found["one_time_codes_tested_at"])),
            ("Rentals", "fewer than 20 in 30 days" if share is None else f"{format_int(found['rentals'])} in 30 days"),
            *([] if share is None else [("Got an SMS", f"{share:.0%}, median {found['median_seconds']} s")]),
            *([("Reclaim", f"for {reclaim} days after your balance ran out")] if reclaim else []),
        ]
    )


def available(
    group: GroupId,
    digits: Annotated[str | None, Parameter(help="Only numbers that contain these digits.")] = None,
    /,
    *,
    json: Json = False,
    form: Format = None,
    quiet: Quiet = False,
) -> None:
    """List free numbers of a group. To rent one: dtmf rent GROUP --number NUMBER."""
    show_items = printer(json=json, form=form, quiet=quiet, identity="{e164}", lines=False)
    with connect.client() as dtmf:
        found = dtmf.available(group, digits)
    if show_items:
        show_items(found)
        return
    for number in found:
        output.line(number["e164"])
    if not found:
        output.line("No free numbers match." if digits else "No numbers are free.")


def rent(
    group: GroupId,
    /,
    *,
    number: Annotated[str | None, Parameter(help="Rent exactly this number; dtmf available lists them.")] = None,
    max_minutes: MaxMinutes = None,
    max_sats: MaxSats = None,
    label: Label = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rent a number from a group. The set-up cost and the first minute are charged at once."""
    with connect.client() as dtmf:
        rented = dtmf.start_rental(group, e164=number, max_minutes=max_minutes, max_sats=max_sats, label=label)
    try:
        if quiet:
            print(rented["e164"])
        else:
            _show_rented(rented, group, json=json)
        output.flush()
    except OSError as error:  # a closed pipe or a full disk
        error.add_note(
            f"{rented['e164']} is rented and will be charged: to end the rental, run dtmf end {rented['e164']}"
        )
        raise


def numbers(*, json: Json = False, form: Format = None, quiet: Quiet = False) -> None:
    """List your numbers with their cost, messages and actions."""
    show_items = printer(json=json, form=form, quiet=quiet, identity="{e164}", lines=False)
    with connect.client() as dtmf:
        found = dtmf.numbers()
    if show_items:
        show_items(found)
        return
    if not found:
        output.line("You have no numbers. ", ("To rent one: dtmf groups, then dtmf rent GROUP.", "dim"))
        return
    columns = [
        Column("Number", style="bold"),
        Column("Group"),
        Column("Since (UTC)"),
        Column("A day", figures=True),
        Column("SMS", figures=True),
        Column("Action", style="dim", wraps=True),
    ]
    output.table(columns, map(_row, found))


def show(number: Number, /, *, json: Json = False) -> None:
    """Show a number with all messages of its rental."""
    with connect.client() as dtmf:
        found = dtmf.number(number)
        sent_and_received = [] if json or not found["messages"] else _of_rental(dtmf, found)
    if json:
        output.json(found)
        return
    minute, inbound = found["cost_per_minute"], found["cost_per_inbound_message"]
    output.line((found["e164"], "bold"))
    output.blank()
    output.key_values(
        [
            ("Group", found["group_id"]),
            ("Since", f"{format_minute(found['assignment_start'])} UTC"),
            (
                "Costs",
                f"{format_int(minute)} sats a minute, {format_int(minute * MINUTES_A_DAY)} a day, {format_int(inbound)} an SMS",
            ),
            ("Action", _action(found["sms_forwarded_to"])),
            *([("Label", found["label"])] if "label" in found else []),
            *([("Ends", _limits(found))] if "max_minutes" in found or "max_sats" in found else []),
        ]
    )
    output.blank()
    show_messages(sent_and_received, nothing="No SMS yet.")


def _of_rental(dtmf: DTMF, number: NumberFound) -> list[FullMessage]:
    """Return the full messages of a number's rental: with status, id, and the reason of a failure."""
    return [each for each in dtmf.messages(number["e164"]) if each["timestamp"] >= number["assignment_start"]]


def action(
    number: Number,
    what: Annotated[Literal["forward", "webhook", "none"], Parameter(help="What happens to each SMS:")],
    destination: Annotated[str | None, Parameter(help="The phone number or URL that receives it.")] = None,
    /,
    *,
    template: Annotated[
        Literal["ntfy", "telegram", "matrix", "slack", "discord"] | None,
        Parameter(help="Post it in the form of this service (default: as JSON):"),
    ] = None,
    json: Json = False,
) -> None:
    """Forward each SMS of a number to a phone, post it to a URL, or only store it."""
    if template and what == "webhook" and destination:
        destination += f"#template={template}"
    if what == "forward" and destination is not None:
        parse(destination)
    if what == "webhook" and destination is not None:
        http_url("the destination", destination)
    if what != "none" and destination is None:
        raise ValueError(f"{what} needs a destination: {'+447700900123' if what == 'forward' else 'https://…'}")
    if what == "none" and destination is not None:
        raise ValueError(f"none takes no destination, not {destination!r}")
    with connect.client() as dtmf:
        done = dtmf.set_sms_action(number, None if what == "none" else what, destination)
    if json:
        output.json(done)
    else:
        output.line(f"Each SMS to {number} is {f'posted to {template}' if template else _action(destination)}.")


def limits(number: Number, /, *, max_minutes: MaxMinutes = None, max_sats: MaxSats = None, json: Json = False) -> None:
    """Set limits at which a rental ends by itself. 0 removes a limit; without options, show them."""
    chosen = {"max_minutes": max_minutes, "max_sats": max_sats}
    changes = {name: value or None for name, value in chosen.items() if value is not None}
    with connect.client() as dtmf:
        if changes:
            dtmf.set_limits(number, **changes)
        found = dtmf.number(number)
    if json:
        output.json(found)
    else:
        output.line(f"The rental of {number} ends {_limits(found)}.")


def label(
    number: Number,
    name: Annotated[str | None, Parameter(help="The name; none removes it.")] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Name a rental, to find it in your list."""
    with connect.client() as dtmf:
        done = dtmf.set_label(number, name)
    if json:
        output.json(done)
    else:
        output.line(f"{number} is named {name}." if name else f"{number} has no name.")


def end(number: Number, /, *, yes: Yes = False, json: Json = False) -> None:
    """End a rental. On a terminal, it asks for confirmation."""
    parse(number)
    confirm(f"End the rental of {number}? After a day, anyone can rent this number.", yes=yes)
    with connect.client() as dtmf:
        done = dtmf.end_rental(number)
    if json:
        output.json(done)
    else:
        output.line(f"The rental of {number} has ended.")


def _show_rented(number: NumberFound, group: str, *, json: bool) -> None:
    if json:
        output.json(number)
        return
    output.line((number["e164"], "bold"))
    minute = number["cost_per_minute"]
    output.line((f"{group}, {format_int(minute)} sats a minute, {format_int(minute * MINUTES_A_DAY)} a day", "dim"))


def _tested(result: str, at: str | None) -> str:
    return result if at is None else f"{result}, tested {format_minute(at)} UTC"


def _prices(group: Group) -> tuple[str, ...]:
    minute = group["rental_cost_per_minute"]
    return (
        group["id"],
        group["name"],
        format_int(group["setup_cost"]),
        format_int(minute),
        format_int(minute * MINUTES_A_DAY),
        format_int(minute * MINUTES_A_DAY * 30),
        format_int(group["cost_per_inbound_message"]),
    )


def _row(number: NumberFound) -> tuple[str, ...]:
    return (
        number["e164"],
        f"{number['group_id']} ({number['label']})" if "label" in number else number["group_id"],
        format_minute(number["assignment_start"]),
        format_int(number["cost_per_minute"] * MINUTES_A_DAY),
        format_int(len(number["messages"])),
        "stored" if number["sms_forwarded_to"] is None else f"→ {number['sms_forwarded_to']}",
    )


def _limits(number: NumberFound) -> str:
    parts = []
    if "max_minutes" in number:
        parts.append(f"after {format_int(number['max_minutes'])} minutes")
    if "max_sats" in number:
        parts.append(f"at {format_int(number['max_sats'])} sats ({format_int(number['remaining'])} left)")
    if "ends_at" in number:
        parts.append(f"by {format_minute(number['ends_at'])} UTC")
    return ", ".join(parts) or "when you end it"


def _action(destination: str | None) -> str:
    if destination is None:
        return "stored"
    return f"forwarded to {destination}" if destination.startswith("+") else f"posted to {destination}"
