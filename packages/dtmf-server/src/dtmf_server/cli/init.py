"""`dtmf-server init`: sets up a service, adds a carrier to one, or recovers deposits after the database was lost."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

from dtmf_server.cli import deposits, operator
from dtmf_server.cli.setup import command as setup
from dtmf_server.config import Config

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser; `command` creates one with the options that all commands share."""
    text = (
        "set up a service, or add a carrier to one: asks what you have, tests it, and writes dtmf.toml; or recover deposits"
        " from the chain into an empty database"
    )
    init = command(commands, "init", _init, text)
    init.set_defaults(creates_config=True)
    setup.add_options(init)
    deposits.add_recovery_options(init)
    operator.add_options(init)


def _init(options: argparse.Namespace, configuration: Config) -> int:
    if deposits.is_recovery(options) or (_can_recover(configuration) and not setup.is_wanted(options)):
        return deposits.recover(options, configuration)
    return setup.setup(options)


def _can_recover(configuration: Config) -> bool:
    """Return True if the configuration has a chain, which `init` then recovers deposits from."""
    return configuration.bitcoin.descriptor is not None and configuration.bitcoin.rpc is not None
