"""`dtmf-server money`: what the service owes and holds, and what each group earned and cost."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.deposit_commands import open_chain
from dtmf_server.cli.journal import month
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.days import day_name, parse_day
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.number_supply import price_text
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import money
from dtmf_server.operations.money import GroupDay, GroupTotal, Position
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.server.startup import attach_runtime
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser; `command` creates one with the options that all commands share."""
    text = "show what is owed and held, and revenue, cost and margin by group and day (default: today, in UTC)"
    parser = command(commands, "money", money_command, text)
    span = parser.add_mutually_exclusive_group()
    span.add_argument("--day", type=_day, metavar="DAY", help="the day to show, like 2026-11-30")
    span.add_argument("--month", type=month, metavar="MONTH", help="the month to show, like 2026-11")
    span.add_argument("--since", type=_day, metavar="DAY", help="the first day to show")
    parser.add_argument(
        "--ask-node",
        action="store_true",
        help="count the coins on the descriptor's addresses; on the main chain, the node takes minutes for this",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _day(text: str) -> int:
    try:
        return parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def money_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show the figures. Returns the exit status: 1 if less is held than is owed."""
    runtime = attach_runtime(configuration, require_current_schema(options, configuration))
    with contextlib.closing(runtime.db) as db:

        def read(tx: Tx) -> tuple[Position, list[GroupDay]]:
            now_us = runtime.clock.now_us(tx)
            first, after = _span(options, now_us // DAY_US)
            rules = runtime.settings.supply
            days = money.group_days(tx, from_day=first, before_day=after, now_us=now_us, rules=rules)
            return money.position(tx), list(days)

        try:
            position, days = db.read_blocking(read)
        except ValueError as error:
            raise CannotStart(f"{error}: choose a shorter time") from error
        onchain = _ask_node(runtime, configuration) if options.ask_node else None
    held = (position.onchain_booked_sats if onchain is None else onchain) + position.lightning_booked_sats
    if options.json:
        print_line(json.dumps(_as_json(position, days, onchain=onchain, held=held)))
    else:
        _show(position, days, onchain=onchain, held=held)
    return 0 if position.owed_sats <= held else 1


def _span(options: argparse.Namespace, today: int) -> tuple[int, int]:
    """Return the first day to show, and the day after the last."""
    if options.month is not None:
        return (options.month[0], options.month[1])
    if options.since is not None:
        return options.since, max(options.since, today) + 1
    day = today if options.day is None else options.day
    return day, day + 1


def _ask_node(runtime: Runtime, configuration: Config) -> int:
    """Return the satoshis on the descriptor's addresses. Raises CannotStart."""
    descriptor = (configuration.bitcoin.descriptor or "").partition("#")[0]

    async def ask() -> int:
        async with open_chain(runtime) as chain:
            unspent = await chain.unspent(descriptor, await runtime.db.read(deposits.last_index))
        return sum(output.amount for output, _ in unspent)

    try:
        return asyncio.run(ask())
    except ChainUnavailable as error:
        raise CannotStart(f"--ask-node: {error}") from error


def _show(position: Position, days: Sequence[GroupDay], *, onchain: int | None, held: int) -> None:
    rows = [
        ("owed", position.owed_sats, "balances of renters, and what is in suspense"),
        (
            "  balances",
            position.balances_sats,
            "minutes that started since an account's last booking are still included",
        ),
        ("  suspense", position.suspense_sats, "belongs to no account: dtmf-server deposits list --suspense"),
        ("held", held, "as booked; --ask-node counts the coins" if onchain is None else "coins found, and Lightning"),
        ("  on-chain, booked", position.onchain_booked_sats, "deposits credited, less those that were reversed"),
        *([] if onchain is None else [("  on-chain, found", onchain, "unspent on the descriptor's addresses")]),
        ("  Lightning, booked", position.lightning_booked_sats, "payments credited, and their rounding, without fees"),
        (
            "debt",
            position.debt_sats,
            "owed by renters: a reorganization took back what they had spent, or it was debited as debt",
        ),
        *(
            []
            if position.promotion_sats is None
            else [("promotion", -position.promotion_sats, "credits of operators, less their debits")]
        ),
        ("revenue", position.revenue_sats, "since the beginning"),
    ]
    for name, sats, meaning in rows:
        print_line(f"{name:<20}{sats:>18,}  {meaning}")
    if position.owed_sats <= held:
        print_line("owed <= held: every balance is covered")
    else:
        print_line(
            f"owed > held: {position.owed_sats - held:,} satoshis are not covered, unless they are in other wallets"
        )
    print_line("")
    print_line(f"{'day':<11} {'group':<20} {'rentals':>8} {'SMS':>8} {'revenue':>12} {'cost':>12} {'margin':>12}")
    for each in days:
        cost, margin = _known(each.cost_sats), _known(each.margin_sats)
        print_line(
            f"{day_name(each.day):<11} {each.group_id:<20} {each.rentals:>8,} {each.messages:>8,} {each.revenue_sats:>12,}"
            f" {cost:>12} {margin:>12}"
        )
    if not days:
        print_line("no group earned or cost anything")
        return
    _show_totals(money.group_totals(days), several_days=len({each.day for each in days}) > 1)


def _show_totals(totals: Sequence[GroupTotal], *, several_days: bool) -> None:
    """Print the sums of each group, and which groups lose money."""
    if several_days:
        print_line("")
        for each in totals:
            print_line(
                f"{'total':<11} {each.group_id:<20} {each.rentals:>8,} {each.messages:>8,} {each.revenue_sats:>12,}"
                f" {_known(each.cost_sats):>12} {_known(each.margin_sats):>12}"
            )
    losing = [f"{each.group_id} ({each.margin_sats:,})" for each in totals if each.is_loss]
    print_line(f"groups that lose money: {', '.join(losing) or 'none'}")
    if unknown := [each.group_id for each in totals if each.margin_sats is None]:
        print_line(f"not known, because no rate is known for their costs: {', '.join(unknown)}")


def _known(sats: int | None) -> str:
    return "unknown" if sats is None else f"{sats:,}"


def _as_json(position: Position, days: Sequence[GroupDay], *, onchain: int | None, held: int) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(position),
        "onchain_found_sats": onchain,
        "held_sats": held,
        "is_covered": position.owed_sats <= held,
        "groups": [{**msgspec.to_builtins(each), "loses_money": each.is_loss} for each in money.group_totals(days)],
        "days": [
            {
                **msgspec.to_builtins(each),
                "day": day_name(each.day),
                "costs": {currency: price_text(amount) for currency, amount in each.costs.items()},
                "revenue_sats": each.revenue_sats,
                "margin_sats": each.margin_sats,
            }
            for each in days
        ],
    }
