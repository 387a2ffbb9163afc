"""`dtmf-server accounts open`: opens accounts on services where customers cannot sign up themselves."""

import argparse
import contextlib
import secrets
from collections.abc import Callable
from typing import TypeAlias

from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.config import Config

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser; `command` creates one with the options that all commands share."""
    text = "open an account for a customer"
    accounts = commands.add_parser("accounts", help=text, description=text[0].upper() + text[1:] + ".")
    actions = accounts.add_subparsers(title="actions", required=True, metavar="ACTION")
    command(
        actions, "open", _open, "open an account: prints its token and a sign-in link that works once, within 24 hours"
    )


def _open(options: argparse.Namespace, configuration: Config) -> int:
    """Print the token alone on the first line, for scripts; the link requires the configuration's public_url."""
    from dtmf_server.core import api_token  # noqa: PLC0415 - the same
    from dtmf_server.operations import account  # noqa: PLC0415 - the same
    from dtmf_server.server import startup  # noqa: PLC0415 - only where it is used

    runtime = startup.attach_runtime(configuration, require_current_schema(options, configuration))
    new_token = api_token.mint(secrets.token_bytes(32))
    with contextlib.closing(runtime.db) as db:
        db.write_blocking(
            lambda tx: account.open_account(
                tx, token_sha256=api_token.sha256(new_token), now_us=runtime.clock.now_us(tx)
            )
        )
        print(new_token)
        if configuration.server.public_url is not None:
            path = startup.sign_in_link(db, runtime.clock, new_token)
            print(f"{configuration.server.public_url.rstrip('/')}{path}")
    return 0
