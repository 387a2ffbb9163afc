"""`dtmf-server supply`: shows the numbers bought on demand and their costs, and stops or starts buying."""

import argparse
import contextlib
import json
from typing import Any

from dtmf_server.cli import operator
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.number_supply import price_text
from dtmf_server.operations import audit, supply_status
from dtmf_server.runtime.clock import Clock
from dtmf_server.server.startup import settings_of
from dtmf_server.storage import supply_numbers
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Any) -> None:
    """Add the commands to the parser."""
    actions = commands.add_parser("supply", help="show, stop or start buying numbers on demand").add_subparsers(
        required=True
    )
    text = "show each group's supply: numbers by state, what was spent, costs and earnings, and why nothing is bought"
    status = command(actions, "status", status_command, text)
    status.add_argument("--json", action="store_true", help="print one JSON object")
    stop = command(actions, "stop", stop_command, "buy no more numbers; those not needed are still given back")
    start = command(actions, "start", stop_command, "buy numbers again")
    operator.add_options(stop)
    operator.add_options(start)
    stop.set_defaults(stopped=True)
    start.set_defaults(stopped=False)


def stop_command(options: argparse.Namespace, configuration: Config) -> int:
    """Stop or start buying. Returns the exit status."""
    by, action = operator.acting(options), "supply stop" if options.stopped else "supply start"

    def stop(tx: Tx) -> None:
        supply_numbers.stop(tx, stopped=options.stopped)
        audit.record(tx, by, action, "every supply")

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        db.write_blocking(stop)
    print_line("no more numbers are bought" if options.stopped else "numbers are bought again")
    return 0


def status_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show the state of every supply. Returns the exit status."""
    settings, clock = settings_of(configuration), Clock(sandbox=configuration.mode == "sandbox")
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        found = db.read_blocking(
            lambda tx: supply_status.status(
                tx, now_us=clock.now_us(tx), cooldown_us=settings.cooldown_us, rules=settings.supply
            )
        )
    if options.json:
        print_line(json.dumps(_as_json(found)))
        return 0
    print_line("numbers are bought" if found.is_buying else "no numbers are bought: dtmf-server supply start")
    for group in found.groups:
        states = ", ".join(f"{count} {state}" for state, count in group.states.items()) or "no numbers"
        print_line(f"{group.group_id}: {states}; from {group.carrier or 'no carrier any more'}")
        if group.trouble:
            print_line(f"  nothing is bought: {group.trouble}")
        if group.cost:
            sats = "" if group.cost_sats is None else f" ({group.cost_sats} satoshis)"
            print_line(f"  cost {price_text(group.cost)} {group.currency}{sats}, earned {group.earned_sats} satoshis")
    for currency, spent in found.spent.items():
        print_line(
            f"spent in the last hour {price_text(spent.hour)}, in the last day {price_text(spent.day)} {currency}"
        )
    return 0


def _as_json(found: supply_status.Status) -> dict[str, Any]:
    return {
        "is_buying": found.is_buying,
        "groups": [
            {
                "group_id": group.group_id,
                "carrier": group.carrier,
                "states": dict(group.states),
                "trouble": group.trouble,
                "currency": group.currency,
                "cost": price_text(group.cost),
                "cost_sats": group.cost_sats,
                "earned_sats": group.earned_sats,
            }
            for group in found.groups
        ],
        "spent": {
            currency: {"hour": price_text(spent.hour), "day": price_text(spent.day)}
            for currency, spent in found.spent.items()
        },
    }
