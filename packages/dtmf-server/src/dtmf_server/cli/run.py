"""`dtmf-server run`, `api` and `worker`."""

import argparse
import contextlib
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from dtmf_server import config
from dtmf_server.cli import readiness
from dtmf_server.cli.database_options import make_folder, translating_open_errors, url_of
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.hosts import is_loopback

if TYPE_CHECKING:
    from dtmf_server.runtime.context import Runtime
    from dtmf_server.server.process import Server


def run_command(options: argparse.Namespace, configuration: Config) -> int:
    """Run the API, the workers, or both until a signal. Returns the exit status."""
    from dtmf_server.server import lightning, process, startup  # noqa: PLC0415 - only where it is used

    host = options.host or configuration.server.host
    _refuse_open_sandbox(options, configuration, host)
    url = url_of(options, configuration)
    if url.startswith("sqlite:///") and not (options.api and options.workers):
        raise CannotStart("SQLite supports only one process: use dtmf-server run, or PostgreSQL for several processes")
    for warning in config.warnings(configuration):
        logging.getLogger("dtmf").warning("%s", warning)
    carrier_database = startup.CarrierDatabase()
    carriers = startup.build_carriers(configuration, carrier_database, only_callbacks=not options.workers)
    lightning.refuse_spending_credentials(configuration)
    make_folder(url)
    with contextlib.ExitStack() as held:
        with translating_open_errors(url):
            held.enter_context(startup.exclusive_file_lock(url))
            runtime = startup.open_runtime(configuration, url)
        held.enter_context(contextlib.closing(runtime.db))
        carrier_database.db, runtime.traces = runtime.db, carrier_database.traces
        listener, lines = None, [f"DTMF {configuration.mode} worker"]
        console = _console(held, runtime, configuration) if options.api else None
        if options.api:
            asked = options.port if options.port is not None else configuration.server.port
            listener = held.enter_context(process.bind(host, asked, may_move=configuration.mode == "sandbox"))
            lines = _where(configuration.mode, _url_of(host, listener), asked, listener.getsockname()[1])
            if console is not None:
                at = configuration.operator.url or f"{_url_of(console[1].getsockname()[0], console[1])}/operator"
                lines.insert(-1, f"  Console    {at}   (dtmf-server operator link NAME)")
            lines += runtime.db.read_blocking(
                lambda tx: readiness.missing(tx, configuration, config_name=str(options.config))
            )
            if configuration.mode == "sandbox":
                _add_token(lines, _url_of(host, listener), runtime, options.data)
        if options.stop_with_stdin:
            process.stop_with_stdin()
        process.listen_for_metrics(runtime, configuration)
        process.allow_many_sockets()
        process.serve(
            runtime,
            listener,
            workers=options.workers,
            carriers=carriers,
            ready=lambda: print_line("\n".join(lines)),
            console=console,
        )
    print_line("stopped; everything acknowledged is stored")
    return 0


def _add_token(lines: list[str], url: str, runtime: "Runtime", folder: Path) -> None:
    """Store the sandbox's token and URL in the folder, and add the token and a sign-in link to the output."""
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used
    from dtmf_server.storage import files  # noqa: PLC0415 - the same

    with translating_open_errors(f"the token file {folder / 'token'}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = startup.sandbox_token(runtime.db, runtime.clock, folder / "token")
        files.put(folder / "url", f"{url}\n", begins="http")
    link = startup.sign_in_link(runtime.db, runtime.clock, token)
    lines.insert(-1, f"  Sign in    {url}{link}   (works once, for 24 hours)")
    lines.append(f"  export DTMF_TOKEN={token}")


def _console(
    held: contextlib.ExitStack, runtime: "Runtime", configuration: Config
) -> "tuple[Server, socket.socket] | None":
    """Return the server of the console and its socket, if it is configured. Raises CannotStart."""
    from dtmf_server.cli import carriers  # noqa: PLC0415 - only where it is used
    from dtmf_server.server import process  # noqa: PLC0415 - the same

    address = configuration.operator.address
    if address is None:
        return None

    def diagnose() -> tuple[list[str], list[str]]:
        found = carriers.diagnose(runtime.db, configuration)
        return found.problems, found.warnings

    listener = held.enter_context(process.bind(*address, may_move=False, setting="listen of [operator]"))
    return process.console_server(runtime, origin=configuration.operator.origin, diagnose=diagnose), listener


def _refuse_open_sandbox(options: argparse.Namespace, configuration: Config, host: str) -> None:
    """Raise CannotStart for a sandbox that other machines can reach, unless that is intended."""
    if configuration.mode == "sandbox" and not is_loopback(host) and not options.sandbox:
        raise CannotStart(
            f"a sandbox on {host} gives numbers and test coins to anyone who can reach it: add --sandbox if that is"
            ' intended, or set mode = "production" in a configuration file'
        )


def _url_of(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _where(mode: str, url: str, asked: int, port: int) -> list[str]:
    """Return the first lines of output: where the service can be reached."""
    moved = [] if asked in (0, port) else [f"port {asked} is in use: using {port}"]
    return [
        *moved,
        f"DTMF {mode} on {url}",
        f"  Website    {url}/",
        f"  Docs       {url}/docs",
        f"  export DTMF_URL={url}",
    ]
