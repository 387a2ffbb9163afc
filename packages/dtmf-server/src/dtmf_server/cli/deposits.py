"""The operator's commands about deposits: `dtmf-server deposits …`, and the recovery of `dtmf-server init`."""

import argparse
import contextlib
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from dtmf_server.cli import operator
from dtmf_server.cli.database_options import make_folder, require_current_schema, translating_open_errors, url_of
from dtmf_server.config import Config, ConfigError

GAP = 1000  # unused addresses in a row
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser; `command` creates one with the options that all commands share."""
    text = "manage deposits: list them, explain one, assign those in suspense, rescan blocks"
    deposits = commands.add_parser("deposits", help=text, description=text[0].upper() + text[1:] + ".")
    actions = deposits.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = command(actions, "list", _deposits, "list every deposit, oldest first")
    listing.add_argument("--suspense", action="store_true", help="only deposits whose owner is not known")
    listing.set_defaults(action="list")
    text = "explain whether a transaction or Lightning payment arrived, and its state; exit 1 if nothing is known"
    explain = command(actions, "explain", _deposits, text)
    explain.add_argument(
        "outpoint", metavar="TXID", help="a transaction ID, an output (TXID:VOUT), or the payment hash of an invoice"
    )
    explain.add_argument("--json", action="store_true", help="print one JSON object")
    explain.set_defaults(action="explain")
    assign = command(
        actions,
        "assign",
        _deposits,
        "assign what is in suspense for an address or a deleted account to the account it belongs to",
    )
    assign.add_argument(
        "address",
        metavar="ADDRESS",
        help="an address, the number of a deleted account, or the payment hash of an unclaimed sign-up",
    )
    assign.add_argument("--to", required=True, metavar="ADDRESS", help="any address of the receiving account")
    operator.add_options(assign)
    assign.set_defaults(action="assign")
    rescan = command(actions, "rescan", _deposits, "make the running service read blocks again")
    rescan.add_argument("--from", dest="from_height", type=_count, required=True, metavar="HEIGHT")
    operator.add_options(rescan)
    rescan.set_defaults(action="rescan")
    skip = command(actions, "skip", _deposits, "skip blocks that the node pruned unread; finds unspent coins")
    skip.add_argument(
        "--to", dest="to_height", type=_count, required=True, metavar="HEIGHT", help="the last block to skip"
    )
    operator.add_options(skip)
    skip.set_defaults(action="skip")


def add_recovery_options(init: argparse.ArgumentParser) -> None:
    """Add the options of `init` that recover deposits."""
    group = init.add_argument_group("recovering deposits, with bitcoin.rpc and a descriptor")
    group.add_argument("--descriptor", metavar="DESCRIPTOR", help="overrides bitcoin.descriptor of the configuration")
    group.add_argument(
        "--gap", type=_count, metavar="N", help=f"stop after N unused addresses in a row (default {GAP})"
    )
    group.add_argument(
        "--index", type=_count, metavar="N", help="scan at least up to this index; `backup` prints the highest one"
    )
    group.add_argument("--from-height", type=_count, metavar="HEIGHT", help="also find spent deposits, from HEIGHT on")
    group.add_argument(
        "--replace-descriptor",
        action="store_true",
        help="do only this: derive new addresses from this descriptor; addresses already issued are still watched",
    )


def is_recovery(options: argparse.Namespace) -> bool:
    """Return True if an option of the recovery is given."""
    given = (options.descriptor, options.gap, options.index, options.from_height)
    return options.replace_descriptor or any(option is not None for option in given)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 999999999")
    return int(text)


def _deposits(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.cli import deposit_commands, explain_payment, skip_commands  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))
    with contextlib.closing(runtime.db):
        if options.action == "explain":
            return explain_payment.explain(runtime, options.outpoint, json_=options.json)
        if options.action == "rescan":
            deposit_commands.ask_rescan(runtime, options.from_height, by=operator.acting(options))
        elif options.action == "skip":
            skip_commands.skip_to(runtime, options.to_height, by=operator.acting(options))
        elif options.action == "assign":
            deposit_commands.assign(runtime, options.address, options.to, by=operator.acting(options))
        else:
            deposit_commands.list_deposits(runtime, suspense_only=options.suspense)
    return 0


def recover(options: argparse.Namespace, configuration: Config) -> int:
    """Recover deposits from the chain into an empty database. Returns the exit status."""
    from dtmf_server.cli import deposit_commands  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    if options.descriptor is not None:
        bitcoin = msgspec.structs.replace(configuration.bitcoin, descriptor=options.descriptor)
        configuration = msgspec.structs.replace(configuration, bitcoin=bitcoin)
    if configuration.bitcoin.descriptor is None or configuration.bitcoin.rpc is None:
        raise ConfigError("init needs bitcoin.rpc, and a descriptor from the configuration or --descriptor")
    url = url_of(options, configuration)
    make_folder(url)
    with contextlib.ExitStack() as held:
        with translating_open_errors(url):
            held.enter_context(startup.exclusive_file_lock(url))
            if options.replace_descriptor:
                startup.replace_descriptor(configuration, url, by=operator.acting(options))
                print("new addresses are now derived from this descriptor")
                return 0
            runtime = startup.open_runtime(configuration, url)
        held.enter_context(contextlib.closing(runtime.db))
        deposit_commands.restore(
            runtime,
            descriptor=configuration.bitcoin.descriptor,
            gap=GAP if options.gap is None else options.gap,
            index=options.index or 0,
            from_height=options.from_height,
        )
    return 0
