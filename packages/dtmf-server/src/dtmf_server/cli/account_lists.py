"""`dtmf-server accounts spending` and `accounts networks`: who spent how much on what, and accounts that share a network."""

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from dtmf_server.cli import audit, day_option
from dtmf_server.cli.answer_text import as_json, time
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import shared_networks, spending
from dtmf_server.operations.shared_networks import SharedNetwork
from dtmf_server.operations.spending import AccountSpending
from dtmf_server.server.startup import attach_runtime
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[Commands, str, object, str], argparse.ArgumentParser]
ACCOUNTS_MIN = 2


def add(actions: Commands, command: Command) -> None:
    """Add the commands beside `accounts list`."""
    spent = command(actions, "spending", spending_command, "list the accounts that spent most on a day, and on what")
    spent.add_argument("--day", type=day_option.day, metavar="DAY", help=f"{day_option.HELP} (default: today)")
    spent.add_argument(
        "--at-least", type=audit.row_id, default=1, metavar="SATS", help="only accounts that spent so many satoshis"
    )
    audit.add_limit(spent)
    text = "list networks with unpaid deposit addresses of several accounts, as keyed hashes"
    networks = command(actions, "networks", networks_command, text)
    networks.add_argument(
        "--at-least",
        type=audit.row_id,
        default=ACCOUNTS_MIN,
        metavar="N",
        help=f"only networks of so many accounts (default {ACCOUNTS_MIN})",
    )
    audit.add_limit(networks)


def spending_command(options: argparse.Namespace, configuration: Config) -> int:
    """List what accounts spent. Returns the exit status."""
    runtime = attach_runtime(configuration, require_current_schema(options, configuration))

    def read(tx: Tx) -> list[AccountSpending]:
        now_us = runtime.clock.now_us(tx)
        day = day_option.resolve(-1 if options.day is None else options.day, now_us=now_us)
        return spending.spent(
            tx, from_day=day, before_day=day + 1, now_us=now_us, at_least=options.at_least, limit=options.limit
        )

    with contextlib.closing(runtime.db) as db:
        try:
            found = db.read_blocking(read)
        except ValueError as error:
            raise CannotStart(str(error)) from error
    if options.json:
        print_line(json.dumps({"accounts": [_spending_json(each) for each in found]}))
        return 0
    for line in _spending_lines(found):
        print_line(line)
    return 0


def _spending_json(found: AccountSpending) -> dict[str, object]:
    groups = [{**as_json(group), "sats": group.sats} for group in found.groups]
    return {"account_id": found.account_id, "sats": found.sats, "groups": groups}


def _spending_lines(found: Sequence[AccountSpending]) -> Iterator[str]:
    if not found:
        yield "no account spent as much"
    for each in found:
        yield f"account {each.account_id}: {each.sats:,} satoshis"
        for group in each.groups:
            parts = (
                (group.setup_sats, f"for {group.rentals_started} new rentals"),
                (group.minutes_sats, "for minutes"),
                (group.messages_sats, f"for {group.messages} SMS"),
                (-group.refunded_sats, "refunded"),
            )
            listed = ", ".join(f"{sats:,} {what}" for sats, what in parts if sats)
            yield f"  {group.group_id}: {group.sats:,} ({listed}) on {', '.join(group.numbers)}"


def networks_command(options: argparse.Namespace, configuration: Config) -> int:
    """List shared networks. Returns the exit status."""
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        found = db.read_blocking(
            lambda tx: shared_networks.shared(tx, accounts_min=max(1, options.at_least), limit=options.limit)
        )
    if options.json:
        print_line(json.dumps({"networks": as_json(found)}))
        return 0
    for line in _network_lines(found):
        print_line(line)
    return 0


def _network_lines(found: Sequence[SharedNetwork]) -> Iterator[str]:
    if not found:
        yield "no network has unpaid addresses of several accounts"
    for network in found:
        yield (
            f"network {network.network.hex()}: {network.account_count} accounts, {network.unpaid_addresses} unpaid addresses,"
            f" requested {time(network.first_requested_at_us)} to {time(network.last_requested_at_us)}"
        )
        for each in network.accounts:
            yield (
                f"  account {each.account_id}: {each.unpaid_addresses} unpaid addresses, {each.balance} satoshis,"
                f" opened {time(each.created_at_us)}"
            )
