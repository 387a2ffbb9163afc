"""`dtmf-server groups list|set`, `numbers list|retire|explain` and `prices show|set`."""

import argparse
import contextlib
import json
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TypeAlias

from dtmf_server.cli import confirm, explanations, operator, rate_text
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.import_text import free_lines
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.amounts import SATS
from dtmf_server.core.pegged import Peg
from dtmf_server.operations import audit, catalog_edit, pegged_columns
from dtmf_server.operations.catalog_edit import GROUP_COLUMNS, OF_DESTINATIONS, PRICE_COLUMNS, CannotRetire, Edit
from dtmf_server.operations.catalog_entries import ImportErrors
from dtmf_server.operations.import_catalog import FreePrices
from dtmf_server.operations.price_jumps import Change, PriceJump, PriceJumps
from dtmf_server.runtime.context import Runtime
from dtmf_server.server.startup import attach_runtime
from dtmf_server.storage.catalog_lists import STATES
from dtmf_server.storage.db import Tx

OTHERS = "every other destination"
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
NewCommand: TypeAlias = Callable[[Commands, str, object, str], argparse.ArgumentParser]


def add(kind: str, actions: Commands, command: NewCommand) -> None:
    """Add the commands for groups, numbers or prices, beside `import`."""
    {"groups": _add_groups, "numbers": _add_numbers, "prices": _add_prices}[kind](actions, command)


def _add_groups(actions: Commands, command: NewCommand) -> None:
    listing = command(actions, "list", list_groups, "list the groups with their prices, terms and numbers")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    changing = command(actions, "set", set_values, "change one column of a group; the value is checked as in an import")
    changing.add_argument("key", metavar="GROUP", help="the ID of the group")
    changing.add_argument("column", choices=GROUP_COLUMNS, metavar="COLUMN", help=f"one of {', '.join(GROUP_COLUMNS)}")
    changing.set_defaults(kind="groups", currency=None)
    _add_change_options(changing)


def _add_numbers(actions: Commands, command: NewCommand) -> None:
    listing = command(actions, "list", list_numbers, "list the numbers with their group and state")
    listing.add_argument("--group", metavar="GROUP", help="only numbers of this group")
    listing.add_argument("--state", choices=STATES, help="only numbers in this state")
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    text = "take numbers out of stock; if one of them is rented, none is retired; an import restores them"
    retiring = command(actions, "retire", retire, text)
    retiring.add_argument("numbers", nargs="+", metavar="NUMBER", help="a number like +447700900000")
    retiring.add_argument("--json", action="store_true", help="print one JSON object")
    explanations.add_to_numbers(actions, command)
    operator.add_options(retiring)


def _add_prices(actions: Commands, command: NewCommand) -> None:
    showing = command(actions, "show", show_prices, "show the prices of groups, and the live rentals at other prices")
    showing.add_argument("group", nargs="?", metavar="GROUP", help="only this group")
    showing.add_argument("--json", action="store_true", help="print one JSON object")
    text = "list the live rentals in groups with prices in a currency: their prices, until when, and the next ones"
    listing = command(actions, "list", list_prices, text)
    listing.add_argument("group", nargs="?", metavar="GROUP", help="only this group")
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    text = "change a price, and show how many live rentals keep the prices that they started with"
    changing = command(actions, "set", set_values, text)
    changing.add_argument("key", metavar="GROUP", help=f"the ID of a group, or for {OF_DESTINATIONS} a prefix like +49")
    changing.add_argument("column", choices=PRICE_COLUMNS, metavar="COLUMN", help=f"one of {', '.join(PRICE_COLUMNS)}")
    changing.set_defaults(kind="prices")
    changing.add_argument(
        "--currency",
        type=str.upper,
        metavar="CODE",
        help="VALUE is in this currency, or in SATS; the group's other prices are converted at the current rate",
    )
    _add_change_options(changing)


def _add_change_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("value", metavar="VALUE", help="the new value; '' for none")
    confirm.add_yes(parser)
    parser.add_argument("--allow-free", action="store_true", help="allow a price of 0")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    operator.add_options(parser)


@contextlib.contextmanager
def _attached(options: argparse.Namespace, configuration: Config) -> Iterator[Runtime]:
    runtime = attach_runtime(configuration, require_current_schema(options, configuration))
    with contextlib.closing(runtime.db):
        yield runtime


def list_groups(options: argparse.Namespace, configuration: Config) -> int:
    """Print the groups. Returns the exit status."""
    with _attached(options, configuration) as runtime:
        cooldown_us = runtime.settings.cooldown_us
        found = runtime.db.read_blocking(
            lambda tx: catalog_edit.groups(tx, now_us=runtime.clock.now_us(tx), cooldown_us=cooldown_us)
        )
    if options.json:
        print_line(json.dumps({"groups": found}, ensure_ascii=False))
        return 0
    for group in found:
        print_line(
            f"{group['id']}: {group['name']} ({group['country_code']}), {group['type']}; {group['numbers']} numbers,"
            f" {group['free']} free, {group['rented']} rented; {_group_prices(group)}"
        )
    return 0


def _group_prices(group: dict[str, object]) -> str:
    sms = group["cost_per_inbound_message"]
    cap = f", at most {group['monthly_cap']} in 30 days" if group["monthly_cap"] else ""
    message = "no SMS" if sms in ("", None) else f"{sms} an SMS"
    return f"{group['setup_cost']} satoshis at the start, {group['rental_cost_per_minute']} a minute{cap}, {message}"


def list_numbers(options: argparse.Namespace, configuration: Config) -> int:
    """Print the numbers. Returns the exit status."""
    with _attached(options, configuration) as runtime:

        def show(tx: Tx) -> None:
            for row in catalog_edit.list_numbers(
                tx,
                group_id=options.group,
                state=options.state,
                now_us=runtime.clock.now_us(tx),
                cooldown_us=runtime.settings.cooldown_us,
            ):
                shown = json.dumps(dict(row)) if options.json else f"{row['e164']}  {row['group_id']}  {row['state']}"
                print_line(shown)

        runtime.db.read_blocking(show)
    return 0


def retire(options: argparse.Namespace, configuration: Config) -> int:
    """Retire numbers. Returns the exit status: 1 if none was retired."""
    e164s, by = sorted(set(options.numbers)), operator.acting(options)
    wrong: dict[str, str] = {}
    with _attached(options, configuration) as runtime:

        def run(tx: Tx) -> None:
            catalog_edit.retire(tx, e164s, now_us=runtime.clock.now_us(tx))
            for e164 in e164s:
                audit.record(tx, by, "numbers retire", e164)

        try:
            runtime.db.write_blocking(run)
        except CannotRetire as refused:
            wrong = dict(refused.wrong)
    retired = [] if wrong else e164s
    if options.json:
        print_line(json.dumps({"retired": retired, "errors": wrong}))
    else:
        for e164, why in wrong.items():
            print_line(f"{e164} {why}")
        print_line("nothing was retired" if wrong else f"{len(retired)} numbers retired")
    return 1 if wrong else 0


def show_prices(options: argparse.Namespace, configuration: Config) -> int:
    """Print the prices of groups. Returns the exit status."""
    with _attached(options, configuration) as runtime:
        try:
            found = runtime.db.read_blocking(partial(catalog_edit.prices, group_id=options.group))
        except catalog_edit.UnknownKey as unknown:
            return _refused(options, [str(unknown)])
    if options.json:
        print_line(json.dumps({"prices": found}))
        return 0
    for group in found:
        others = group["live_rentals_at_other_prices"]
        announced = group["announced_changes"]
        print_line(
            f"{group['group']}: {_group_prices(group)}{_cents(group)}; {group['live_rentals']} live rentals"
            f"{f', {others} at other prices' if others else ''}{f', {announced} with an announced change' if announced else ''}"
        )
    return 0


def _cents(group: dict[str, object]) -> str:
    """Return the prices of a pegged group in its currency."""
    if group["currency"] is None:
        return ""
    cents = [f"{name} {group[name]}" for name in pegged_columns.PRICES if group[name] is not None]
    return f"; {group['currency']} at a rate of {group['rate']} ({group['rate_at']}): {', '.join(cents)}"


def list_prices(options: argparse.Namespace, configuration: Config) -> int:
    """Print the rentals whose prices follow a currency. Returns the exit status."""
    with _attached(options, configuration) as runtime:

        def show(tx: Tx) -> None:
            for row in catalog_edit.rental_prices_of(tx, options.group):
                print_line(json.dumps(row) if options.json else _rental_text(row))

        runtime.db.read_blocking(show)
    return 0


def _rental_text(row: dict[str, object]) -> str:
    now, new = (_rental_prices(row, prefix) for prefix in ("", "next_"))
    if row["until"] is None:
        return f"{row['e164']}  {row['group']}  account {row['account']}: {now}, without a change"
    then = f"then {new}" if row["is_announced"] else f"not announced yet; at today's rate, then {new}"
    return f"{row['e164']}  {row['group']}  account {row['account']}: {now} until {row['until']}, {then}"


def _rental_prices(row: dict[str, object], prefix: str) -> str:
    sms = row[f"{prefix}cost_per_inbound_message"]
    return f"{row[f'{prefix}cost_per_minute']} a minute, {'no SMS' if sms is None else f'{sms} an SMS'}"


def set_values(options: argparse.Namespace, configuration: Config) -> int:
    """Change a column. Returns the exit status: 1 if the value is refused."""
    by, action = operator.acting(options), f"{options.kind} set"
    try:
        column, value = _column_and_value(options)
    except ValueError as error:
        return _refused(options, [str(error)])
    peg = rate_text.current_peg(configuration)

    def change(accepted: Collection[PriceJump]) -> Edit:
        def run(tx: Tx) -> Edit:
            edit = _edit(tx, options, accepted, values={column: value}, peg=peg)
            for each in edit.difference.changed:
                audit.record(tx, by, action, f"{each.key or OTHERS} {each.column} {_from_to(each)}")
            for key in edit.difference.added:
                audit.record(tx, by, action, f"{key or OTHERS} {options.column} {options.value}")
            return edit

        return runtime.db.write_blocking(run)

    with _attached(options, configuration) as runtime:
        try:
            edit = confirm.confirmed(change, yes=options.yes, asks=not options.json)
        except catalog_edit.UnknownKey as unknown:
            return _refused(options, [str(unknown)])
        except ImportErrors as wrong:
            return _refused(options, [each.message for each in wrong.found])
        except FreePrices as free:
            return _refused(options, [*free_lines(free.prices)[:-1], "if that is intended, add --allow-free"])
        except PriceJumps as jumps:
            return _refused(options, confirm.refusal_lines(jumps))
    _show_edit(options, edit)
    return 0


def _column_and_value(options: argparse.Namespace) -> tuple[str, str]:
    """Return what to set: with a currency, the column in cents. Raises ValueError."""
    column, value, currency = options.column, options.value, options.currency
    if currency in (None, SATS) or not value:
        return column, value
    names = {sats: cents for cents, (_, sats) in pegged_columns.PRICES.items()}
    if column not in names:
        raise ValueError(f"--currency is for {', '.join(names)}, not for {column}")
    try:
        return names[column], f"{(Decimal(value) * 100).normalize():f}"
    except InvalidOperation:
        raise ValueError(f"{column} must be an amount of {currency} like 0.05, not {value!r}") from None


def _edit(
    tx: Tx,
    options: argparse.Namespace,
    accepted: Collection[PriceJump],
    *,
    values: dict[str, str],
    peg: Peg | None,
) -> Edit:
    if options.column == OF_DESTINATIONS:
        return catalog_edit.set_destination(
            tx, options.key, options.value, accepted=accepted, allow_free=options.allow_free
        )
    return catalog_edit.set_group(
        tx,
        options.key,
        values,
        accepted=accepted,
        allow_free=options.allow_free,
        peg=peg,
        currency=options.currency,
    )


def _from_to(change: Change) -> str:
    return f"from {change.before or 'empty'} to {change.after or 'empty'}"


def _show_edit(options: argparse.Namespace, edit: Edit) -> None:
    changed = edit.difference.changed
    if options.json:
        rows = [{"key": each.key, "column": each.column, "from": each.before, "to": each.after} for each in changed]
        shown = {"changed": rows, "added": edit.difference.added, "live_rentals": edit.live_rentals, "errors": []}
        print_line(json.dumps(shown, ensure_ascii=False))
        return
    for change in changed:
        name = change.key or OTHERS
        print_line(f"{name}: {change.column} {_from_to(change)}")
    for key in edit.difference.added:
        print_line(f"{key or OTHERS}: {options.column} is {options.value}")
    if not changed and not edit.difference.added:
        print_line("nothing changed: this is already the value")
    elif edit.live_rentals and options.column in PRICE_COLUMNS:
        print_line(f"{edit.live_rentals} live rentals keep the prices that they started with")


def _refused(options: argparse.Namespace, lines: list[str]) -> int:
    if options.json:
        print_line(json.dumps({"changed": [], "added": [], "errors": lines}, ensure_ascii=False))
        return 1
    for line in (*lines, "nothing was changed"):
        print_line(line)
    return 1
