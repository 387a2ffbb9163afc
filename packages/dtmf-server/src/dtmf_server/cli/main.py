"""`dtmf-server`: runs the service and looks after its database."""

import argparse
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import dtmf_server
from dtmf_server import config
from dtmf_server.cli import accounts, deposits
from dtmf_server.cli.database_options import current, existing, make_folder, opening, url_of, using
from dtmf_server.config import Config, ConfigError
from dtmf_server.core.errors import CannotStart, Refusal
from dtmf_server.core.hosts import is_loopback
from dtmf_server.runtime.logging import setup
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

DEFAULT_PORT = 8000


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit status: 0 done, 1 something differs or failed, 2 can't be done as asked."""
    options = _parser().parse_args(arguments)
    setup(options.log_level, json=not sys.stderr.isatty())
    try:
        configuration = config.load(options.config, os.environ)
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
        description="Rents phone numbers by the minute and hands the renter every SMS. Without a configuration it is"
        " a complete sandbox: fictional numbers, simulated coins, a clock you can put forward.",
    )
    parser.add_argument("--version", action="version", version=f"dtmf-server {dtmf_server.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "serve the API and run every worker, in one process")
    api = _command(commands, "api", _run, "serve the API alone; needs PostgreSQL and a worker somewhere")
    for command in (run, api):
        command.add_argument("--host", help="address to listen on (default 127.0.0.1)")
        command.add_argument("--port", type=_port, help=f"port to listen on (default {DEFAULT_PORT}; 0: any free one)")
        command.add_argument("--sandbox", action="store_true", help="allow a sandbox on an address others can reach")
        command.add_argument(
            "--stop-with-stdin",
            action="store_true",
            help="stop when standard input ends, as it does with who started it",
        )
    run.set_defaults(api=True, workers=True)
    api.set_defaults(api=True, workers=False)
    worker = _command(commands, "worker", _run, "run the workers alone; needs PostgreSQL, any number may run")
    worker.set_defaults(api=False, workers=True, host=None, port=None, sandbox=True, stop_with_stdin=False)

    _command(commands, "migrate", _migrate, "bring the database to the newest tables")
    _command(commands, "verify", _verify, "recompute every balance from the ledger; exit 1 if anything differs")
    backup = _command(
        commands,
        "backup",
        _backup,
        "write everything to one new file, beside a running service; an existing file is never replaced",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = _command(commands, "restore", _restore, "fill an empty database from a backup, and verify it")
    restore.add_argument("file", type=Path, metavar="FILE")
    accounts.add(commands, _command)
    deposits.add(commands, _command)
    _add_imports(commands)
    _command(commands, "carriers", _carriers, "show how every carrier's link stands; exit 1 if one is not up")
    _command(
        commands, "doctor", _doctor, "say what is wrong with carriers and stock, and what to do; exit 1 if anything"
    )
    return parser


def _add_imports(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for kind in ("groups", "numbers", "prices"):
        actions = commands.add_parser(kind, help=f"import {kind} from CSV or TOML").add_subparsers(required=True)
        text = f"take {kind} from a CSV or TOML file: every line is checked, all are taken or none"
        importing = _command(actions, "import", _import, text)
        importing.add_argument("file", type=Path, metavar="FILE")
        importing.set_defaults(kind=kind, allow_free=False)
        if kind != "numbers":
            importing.add_argument(
                "--allow-free", action="store_true", help="take prices of 0, which are refused otherwise"
            )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: object, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: none, a sandbox)")
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
    command.set_defaults(command=run)
    return command


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, a number from 0 to 65535")
    return int(text)


def _migrate(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

    url = existing(options, configuration)
    with opening(url):
        before = migrate.current(url)
        migrate.upgrade(url)
        after = migrate.current(url)
    _say(f"the database was at {before or 'nothing'} and is at {after}")
    return 0


def _verify(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.operations import verify  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(current(options, configuration))) as db:
        summary, differences = db.read_now(lambda tx: (verify.summary(tx), verify.differences(tx)))
    for difference in differences:
        _say(difference)
    _say(f"{summary}: {f'{len(differences)} differences' if differences else 'the books are right'}")
    return 1 if differences else 0


def _backup(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.storage import backup as backups  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import deposits as deposits_  # noqa: PLC0415 - the same
    from dtmf_server.storage import files, migrate

    with using(options.file):
        files.refuse_existing(options.file)  # before the database is read for it
    with contextlib.closing(open_database(current(options, configuration))) as db, using(options.file):
        rows, last = db.read_now(
            lambda tx: (backups.write(tx, options.file, revision=migrate.head()), deposits_.last_index(tx))
        )
    _say(f"{rows} rows in {options.file}")
    _say(f"highest address index: {last} (for `dtmf-server init --index {last}`, should this backup be lost too)")
    return 0


def _restore(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.operations import verify  # noqa: PLC0415 - only where it is used
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import backup as backups  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import migrate

    def restore(tx: Tx) -> tuple[int, str]:
        rows = backups.read(tx, options.file)
        if differences := verify.differences(tx):
            raise backups.NotABackup("nothing was restored, its books are wrong:\n" + "\n".join(differences))
        return rows, verify.summary(tx)

    url = url_of(options, configuration)
    try:
        with using(options.file):
            revision = backups.revision_of(options.file)
        make_folder(url)
        with startup.only_process(url):
            with opening(url):
                found = migrate.current(url)
            if found is not None:  # before its tables are touched
                with contextlib.closing(open_database(url)) as db:
                    db.read_now(backups.refuse_in_use)
            with opening(url):
                migrate.upgrade(url, revision)
            with contextlib.closing(open_database(url)) as db:
                rows, summary = db.write_now(restore)
            migrate.upgrade(url)
    except backups.NotABackup as error:
        raise CannotStart(str(error)) from error
    _say(f"{rows} rows restored; {summary}: the books are right")
    return 0


def _import(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.cli import carriers as commands  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(current(options, configuration))) as db:
        return _said(*commands.import_file(db, options.kind, options.file, allow_free=options.allow_free))


def _carriers(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.cli import carriers as commands  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(current(options, configuration))) as db:
        code, lines = commands.carriers(db)
    return _said(code, [*lines, *config.warnings(configuration)])


def _doctor(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.cli import carriers as commands  # noqa: PLC0415 - only where it is used

    with contextlib.closing(open_database(current(options, configuration))) as db:
        return _said(*commands.doctor(db, configuration))


def _said(code: int, lines: Sequence[str]) -> int:
    for line in lines:
        _say(line)
    return code


def _run(options: argparse.Namespace, configuration: Config) -> int:
    from dtmf_server.server import (
        process,  # noqa: PLC0415 - `--help` does not wait for the whole service
        startup,  # noqa: PLC0415 - the same
    )
    from dtmf_server.storage import files  # noqa: PLC0415 - the same

    host = options.host or configuration.server.host
    if configuration.mode == "sandbox" and not is_loopback(host) and not options.sandbox:
        raise CannotStart(
            f"a sandbox on {host} would give anyone who reaches it numbers and coins: add --sandbox if that is"
            ' meant, or set mode = "production" in a configuration'
        )
    url = url_of(options, configuration)
    if url.startswith("sqlite:///") and not (options.api and options.workers):
        raise CannotStart("one process has a SQLite file: use dtmf-server run, or PostgreSQL for several processes")
    carriers = startup.carriers_of(configuration) if options.workers else []
    for warning in config.warnings(configuration):
        logging.getLogger("dtmf").warning("%s", warning)
    make_folder(url)
    with contextlib.ExitStack() as held:
        with opening(url):
            held.enter_context(startup.only_process(url))
            runtime = startup.open_runtime(configuration, url)
        held.enter_context(contextlib.closing(runtime.db))
        listener, lines = None, [f"DTMF {configuration.mode} worker"]
        if options.api:
            asked = options.port if options.port is not None else configuration.server.port
            listener = held.enter_context(process.bind(host, asked, may_move=configuration.mode == "sandbox"))
            lines = _where(configuration.mode, _url_of(host, listener), asked, listener.getsockname()[1])
            if configuration.mode == "sandbox":
                with opening(f"the token file {options.data / 'token'}"):
                    options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
                    token = startup.sandbox_token(runtime.db, runtime.clock, options.data / "token")
                    files.put(options.data / "url", f"{_url_of(host, listener)}\n", begins="http")
                link = startup.sign_in_link(runtime.db, runtime.clock, token)
                lines.insert(-1, f"  Sign in    {_url_of(host, listener)}{link}   (once, today)")
                lines.append(f"  export DTMF_TOKEN={token}")
        if options.stop_with_stdin:
            process.stop_with_stdin()
        process.listen_for_metrics(runtime, configuration)
        process.allow_many_sockets()
        process.serve(
            runtime, listener, workers=options.workers, carriers=carriers, ready=lambda: _say("\n".join(lines))
        )
    _say("stopped; everything acknowledged is stored")
    return 0


def _url_of(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _where(mode: str, url: str, asked: int, port: int) -> list[str]:
    """The first lines people see: where the service answers."""
    moved = [] if asked in (0, port) else [f"port {asked} is busy: using {port}"]
    return [
        *moved,
        f"DTMF {mode} on {url}",
        f"  Website    {url}/",
        f"  API docs   {url}/docs",
        f"  export DTMF_URL={url}",
    ]


def _say(line: str) -> None:
    print(line, flush=True)
