"""`dtmf-server`: runs the service and maintains its database."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import dtmf_server
from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli import (
    accounts,
    alerts,
    audit,
    canary,
    completion,
    configuration_commands,
    deposits,
    explanations,
    imports,
    init,
    journal,
    money_commands,
    operator_commands,
    phones,
    privacy,
    requests,
    supply,
)
from dtmf_server.cli import trace as traces
from dtmf_server.cli.backup_schedule import KEEP, every, keep
from dtmf_server.cli.carrier_check import check_command
from dtmf_server.cli.carriers import carriers_command, doctor_command
from dtmf_server.cli.database import backup_command, migrate_command, restore_command, verify_command
from dtmf_server.cli.run import run_command
from dtmf_server.config import ConfigError
from dtmf_server.core.errors import CannotStart, Refusal
from dtmf_server.payments.lightning import registry
from dtmf_server.runtime.logging import setup

DEFAULT_PORT = 8000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Return its exit status: 0 success, 1 a check or an operation failed, 2 the command can't be run as
    given."""
    options = _parser().parse_args(arguments)
    setup(options.log_level, json=not sys.stderr.isatty())
    try:
        is_new = options.creates_config and options.config is not None and not os.path.lexists(options.config)
        path = None if is_new or not options.needs_config else options.config
        environ = os.environ if options.needs_config else {}
        configuration = config.load(path, environ, settings_of=settings_class, lightning_of=registry.settings_class)
        result: int = options.command(options, configuration)
    except (ConfigError, CannotStart) as error:
        print(f"dtmf-server: {error}", file=sys.stderr)
        return 2
    except Refusal as refusal:
        print(f"dtmf-server: {refusal.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dtmf-server",
        description="Rent out phone numbers by the minute and deliver every SMS to the renter. Without a configuration it is"
        " a complete sandbox: fictional numbers, test coins, and a clock you can fast-forward.",
    )
    parser.add_argument("--version", action="version", version=f"dtmf-server {dtmf_server.__version__}")
    parser.set_defaults(creates_config=False, needs_config=True)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    _add_run(commands)
    _command(commands, "migrate", migrate_command, "upgrade the database to the latest schema")
    _command(commands, "verify", verify_command, "recompute every balance from the ledger; exit 1 if anything differs")
    backup = _command(
        commands,
        "backup",
        backup_command,
        "back up everything to a new file; the service can keep running; an existing file is never overwritten",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist; with --every, a folder")
    backup.add_argument(
        "--every",
        type=every,
        metavar="TIME",
        help="run until stopped, and write a new file into the folder at this interval: 30m, 6h, …",
    )
    backup.add_argument(
        "--keep", type=keep, default=KEEP, metavar="N", help=f"with --every, keep the newest N files (default {KEEP})"
    )
    restore = _command(commands, "restore", restore_command, "restore a backup into an empty database, and verify it")
    restore.add_argument("file", type=Path, metavar="FILE")
    for part in (accounts, alerts, audit, deposits, explanations, init):
        part.add(commands, _command)
    configuration_commands.add(commands)
    imports.add(commands, _command)
    money_commands.add(commands, _command)
    operator_commands.add(commands, _command)
    privacy.add(commands, _command)
    requests.add(commands, _command)
    journal.add(commands, _command)
    supply.add(commands, _command)
    _add_carriers(commands)
    text = "check carriers, catalog and addresses, and say how to fix problems; exit 1 if there are any"
    _add_json(_command(commands, "doctor", doctor_command, text))
    _add_completion(commands, parser)
    return parser


def _add_completion(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", parser: argparse.ArgumentParser
) -> None:
    text = "print a completion script for a shell"
    completing = commands.add_parser("completion", help=text, description=f"{text.capitalize()}. {completion.HOW_TO}")
    completing.add_argument("shell", choices=[*completion.SHELLS])
    completing.set_defaults(command=lambda options, _: completion.show(parser, options.shell), config=None)
    completing.set_defaults(log_level="warning", needs_config=False)


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = _command(commands, "run", run_command, "serve the API and the website, and run every worker, in one process")
    api = _command(commands, "api", run_command, "serve only the API and the website; needs PostgreSQL and a worker")
    for command in (run, api):
        command.add_argument("--host", help="address to listen on (default 127.0.0.1)")
        command.add_argument("--port", type=_port, help=f"port to listen on (default {DEFAULT_PORT}; 0: any free port)")
        command.add_argument(
            "--sandbox", action="store_true", help="allow a sandbox on an address that other machines can reach"
        )
        command.add_argument(
            "--stop-with-stdin",
            action="store_true",
            help="exit when stdin closes",
        )
    run.set_defaults(api=True, workers=True)
    api.set_defaults(api=True, workers=False)
    worker = _command(commands, "worker", run_command, "run only the workers (any number); needs PostgreSQL")
    worker.set_defaults(api=False, workers=True, host=None, port=None, sandbox=True, stop_with_stdin=False)


def _add_carriers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "show the state of every carrier link; exit 1 if one is not up"
    carriers = _command(commands, "carriers", carriers_command, text)
    _add_json(carriers)
    actions = carriers.add_subparsers(title="actions", metavar="ACTION")
    text = "test a carrier live: links, numbers, callback URL, clock, credentials; exit 1 if a test fails"
    check = _command(actions, "check", check_command, text)
    check.add_argument("name", metavar="NAME", help="the name of the [[carrier]]")
    _add_json(check)
    canary.add_options(check)
    text = "show live what the running service exchanges with a carrier; texts and secrets are masked"
    trace = _command(actions, "trace", traces.trace_command, text)
    traces.add_options(trace)
    trace.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_phone = _command(
        actions, "add-phone", phones.add_phone_command, "connect an Android phone, and print its settings"
    )
    shared = {option.dest for option in carriers._actions} - {"help"}
    for option in [*check._actions, *trace._actions, *add_phone._actions]:
        if option.dest in shared:  # an option before the action's name must not be reset
            option.default = argparse.SUPPRESS
    phones.add_options(add_phone)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: object, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: none, a sandbox)")
    command.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of the database (default ./data)",
    )
    command.add_argument(
        "--database", metavar="URL", help="sqlite:///path or postgresql://… instead of a file in --data"
    )
    command.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    command.set_defaults(command=run, creates_config=False)
    return command


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)
