"""`dtmf-server accounts suspend|resume|close`: what an operator does to a customer's account, each with an audit row."""

import argparse
import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from dtmf_server.cli import operator
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config

if TYPE_CHECKING:
    from dtmf_server.runtime.context import Settings
    from dtmf_server.storage.db import Tx

T = TypeVar("T")
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command: TypeAlias = Callable[[Commands, str, object, str], argparse.ArgumentParser]


def add(actions: Commands, command: Command) -> None:
    """Add the commands beside `accounts list`."""
    text = "suspend an account: it can be read and topped up, and nothing else; its rentals are held"
    suspending = add_command(actions, command, "suspend", _suspend, text)
    suspending.add_argument(
        "--end-rentals", action="store_true", help="end its rentals now, also those of an account suspended before"
    )
    text = "resume a suspended account: webhooks of SMS that arrived meanwhile are delivered"
    add_command(actions, command, "resume", _resume, text)
    text = "close an account for good: its tokens stop working, its rentals end, and its texts are erased"
    closing = add_command(actions, command, "close", _close, text)
    closing.add_argument(
        "--forfeit", action="store_true", help="also with a balance, which goes to the service: pay it out first"
    )


def add_command(
    actions: Commands, command: Command, name: str, do: Callable[[argparse.Namespace, Config], int], text: str
) -> argparse.ArgumentParser:
    """Add a command about one account, with --json, --as and --reason, which is required."""
    parser = command(actions, name, do, text)
    parser.add_argument("account", type=account_id, metavar="ACCOUNT", help="its ID; `accounts show` finds it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    operator.add_options(parser, requires_reason=True)
    return parser


def account_id(text: str) -> int:
    """Return an account ID from the command line."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is not an account ID, like 1000: `accounts show` finds it")
    return int(text)


def run(options: argparse.Namespace, configuration: Config, act: Callable[["Tx", int, "Settings"], T]) -> T:
    """Run `act` with the time by the service's clock and its settings, in one transaction."""
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))
    with contextlib.closing(runtime.db) as db:
        return db.write_blocking(lambda tx: act(tx, runtime.clock.now_us(tx), runtime.settings))


def _suspend(options: argparse.Namespace, configuration: Config) -> int:
    """Suspend an account. Returns the exit status."""
    from dtmf_server.operations import audit, suspend  # noqa: PLC0415 - only where it is used

    by, account_id, ends_rentals = operator.acting(options), options.account, options.end_rentals

    def act(tx: "Tx", now_us: int, _settings: "Settings") -> suspend.Suspended:
        done = suspend.suspend(tx, account_id, now_us=now_us, ends_rentals=ends_rentals)
        what = f"account {account_id}, rentals {'ended' if ends_rentals else 'held'}"
        audit.record(tx, by, "accounts suspend", what, account_id=account_id)
        return done

    done = run(options, configuration, act)
    if options.json:
        counts = {"rentals_held": done.held, "rentals_ended": done.ended, "messages_refunded": done.unsent}
        print_line(json.dumps({"id": account_id, "state": "suspended", **counts}))
        return 0
    rentals = f"{done.ended} rentals ended" if ends_rentals else f"{done.held} rentals held"
    print_line(f"account {account_id} is suspended: {rentals}, {done.unsent} unsent messages refunded")
    return 0


def _resume(options: argparse.Namespace, configuration: Config) -> int:
    """Resume an account. Returns the exit status."""
    from dtmf_server.operations import audit, suspend  # noqa: PLC0415 - only where it is used

    by, account_id = operator.acting(options), options.account

    def act(tx: "Tx", now_us: int, _settings: "Settings") -> suspend.Resumed:
        done = suspend.resume(tx, account_id, now_us=now_us)
        audit.record(tx, by, "accounts resume", f"account {account_id}", account_id=account_id)
        return done

    done = run(options, configuration, act)
    if options.json:
        print_line(json.dumps({"id": account_id, "state": "open", "deliveries": done.deliveries}))
        return 0
    print_line(f"account {account_id} is resumed: {done.deliveries} deliveries are queued again")
    return 0


def _close(options: argparse.Namespace, configuration: Config) -> int:
    """Close an account. Returns the exit status."""
    from dtmf_server.operations import audit, close_account, suspend  # noqa: PLC0415 - only where it is used
    from dtmf_server.runtime.clock import wall_us  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - the same

    by, account_id, forfeit = operator.acting(options), options.account, options.forfeit
    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))

    def close(tx: "Tx") -> int:
        suspend.require_customer(tx, account_id)
        now_us = runtime.clock.now_us(tx)
        given_up = close_account.close_by_operator(tx, account_id, forfeit=forfeit, now_us=now_us, wall_us=wall_us())
        audit.record(tx, by, "accounts close", f"account {account_id}", account_id=account_id, sats=given_up)
        return given_up

    with contextlib.closing(runtime.db) as db:
        given_up = db.write_blocking(close)
        while db.write_blocking(close_account.go_on):  # a running service would continue, too
            pass
    if options.json:
        print_line(json.dumps({"id": account_id, "state": "closed", "forfeited_sats": given_up}))
        return 0
    print_line(f"account {account_id} is closed: {given_up} satoshis were forfeited")
    return 0
