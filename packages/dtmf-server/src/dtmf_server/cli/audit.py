"""`dtmf-server audit list|show`: shows what operators did."""

import argparse
import contextlib
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.timestamps import iso

LIMIT, LIMIT_MAX = 50, 1000
_NEWEST = 2**62
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    text = "show the audit log of operators' actions"
    audit = commands.add_parser("audit", help=text, description=text[0].upper() + text[1:] + ".")
    actions = audit.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = command(actions, "list", list_command, "list the actions of operators, newest first")
    listing.add_argument("--account", type=row_id, metavar="ID", help="only actions that concern this account")
    listing.add_argument("--before", type=row_id, default=_NEWEST, metavar="ID", help="only actions with lower IDs")
    add_limit(listing)
    showing = command(actions, "show", show_command, "show one action; exit 1 if there is none with this ID")
    showing.add_argument("id", type=row_id, metavar="ID", help="its ID in the list")
    showing.add_argument("--json", action="store_true", help="print one JSON object")


def add_limit(command: argparse.ArgumentParser) -> None:
    """Add --limit and --json."""
    command.add_argument(
        "--limit", type=limit, default=LIMIT, metavar="N", help=f"how many (default {LIMIT}, up to {LIMIT_MAX})"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")


def row_id(text: str) -> int:
    """Return an ID given as an option."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is not an ID")
    return int(text)


def limit(text: str) -> int:
    """Return the number of rows given as an option."""
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LIMIT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {LIMIT_MAX}")
    return int(text)


def list_command(options: argparse.Namespace, configuration: Config) -> int:
    """List a page of actions. Returns the exit status."""
    from dtmf_server.storage import operator_actions  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage.db import Row, Tx  # noqa: PLC0415 - the same
    from dtmf_server.storage.open import open_database  # noqa: PLC0415 - the same

    page = {"before": options.before, "limit": options.limit}

    def read(tx: Tx) -> list[Row]:
        if options.account is not None:
            return operator_actions.newest_of_account(tx, options.account, **page)
        return operator_actions.newest(tx, **page)

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        rows = db.read_blocking(read)
    has_more = len(rows) == options.limit
    if options.json:
        following = rows[-1]["id"] if has_more else None
        print_line(json.dumps({"actions": [action_json(row) for row in rows], "before": following}))
        return 0
    for row in rows:
        print_line(action_line(row))
    if has_more:
        print_line(f"older actions: dtmf-server audit list --before {rows[-1]['id']}")
    return 0


def show_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show one action. Returns the exit status."""
    from dtmf_server.storage import operator_actions  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage.open import open_database  # noqa: PLC0415 - the same

    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=options.id + 1, limit=1))
    found = next((row for row in rows if row["id"] == options.id), None)
    if options.json:
        print_line(json.dumps({"action": action_json(found) if found else None}))
    else:
        print_line(action_line(found) if found else f"there is no action {options.id}")
    return 0 if found else 1


def action_json(row: Any) -> dict[str, Any]:
    """Return an action as the commands print it with --json."""
    names = ("id", "operator", "action", "object", "account_id", "sats", "reason")
    return {"timestamp": iso(row["at_wall_us"])} | {name: row[name] for name in names}


def action_line(row: Any) -> str:
    """Return an action as a line."""
    sats = "" if row["sats"] is None else f", {row['sats']} satoshis"
    reason = f": {row['reason']}" if row["reason"] else ""
    return f"{row['id']}  {iso(row['at_wall_us'])}  {row['operator']}  {row['action']} {row['object']}{sats}{reason}"
