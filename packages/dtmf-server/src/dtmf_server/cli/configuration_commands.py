"""`dtmf-server config check|show|example`: validates the configuration, shows it, and prints a commented file."""

import argparse
import json
import os
import stat
from pathlib import Path
from typing import TypeAlias

import msgspec

from dtmf_server import config
from dtmf_server.carriers import registry as carriers
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config, ConfigError
from dtmf_server.config.effective import EffectiveSetting, effective, secrets_in_file
from dtmf_server.config.example import example
from dtmf_server.config.schema import load_with_source
from dtmf_server.config.source import Source
from dtmf_server.config.toml import toml_value
from dtmf_server.payments.lightning import registry as lightning

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands) -> None:
    """Add the commands to the parser. They read the configuration themselves, also an invalid one."""
    text = "check, show or print a configuration"
    parser = commands.add_parser("config", help=text, description=f"{text.capitalize()}.")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "check the file and the environment; report the file and line of an invalid setting, and exit 1"
    _add_options(actions.add_parser("check", help=text, description=_sentence(text)), check_command)
    text = "show every setting with its value and where it comes from; secrets are hidden"
    show = actions.add_parser("show", help=text, description=_sentence(text))
    show.add_argument("--set", action="store_true", dest="only_set", help="only settings that differ from the default")
    _add_options(show, show_command)
    text = "print a commented configuration file with every setting"
    made = actions.add_parser("example", help=text, description=_sentence(text))
    made.set_defaults(command=example_command, needs_config=False, config=None, log_level="warning")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _add_options(parser: argparse.ArgumentParser, command: object) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: none, a sandbox)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=command, needs_config=False, log_level="warning")


def check_command(options: argparse.Namespace, _: Config) -> int:
    """Validate the configuration. Returns the exit status: 1 if it is invalid."""
    name = "the environment" if options.config is None else str(options.config)
    try:
        configuration, source = _load(options)
        warnings = [*config.warnings(configuration), *_exposed(options.config, configuration, source)]
        error = ""
    except ConfigError as invalid:
        warnings, error = [], str(invalid)
    if options.json:
        print_line(json.dumps({"valid": not error, "error": error or None, "warnings": warnings}, ensure_ascii=False))
        return 1 if error else 0
    for warning in warnings:
        print_line(f"warning: {warning}")
    print_line(error or f"{name}: the configuration is valid, for {_mode(configuration.mode)}")
    return 1 if error else 0


def _mode(mode: str) -> str:
    return "production" if mode == "production" else "a sandbox"


def _exposed(path: Path | None, configuration: Config, source: Source) -> list[str]:
    """Return a warning if other users of this machine can read a file that contains secrets."""
    if path is None or not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return []
    return [
        f"{path}: other users can read {key}: chmod 600 {path}" for key in secrets_in_file(configuration, source)[:1]
    ]


def show_command(options: argparse.Namespace, _: Config) -> int:
    """Show every setting. Returns the exit status."""
    configuration, source = _load(options)
    settings = [each for each in effective(configuration, source) if each.source != "default" or not options.only_set]
    if options.json:
        print_line(json.dumps({"settings": msgspec.to_builtins(settings)}, ensure_ascii=False))
        return 0
    rows = [(f"{each.key} = {_value(each)}", each.source) for each in settings]
    width = min(60, max((len(text) for text, _ in rows), default=0))
    for text, origin in rows:
        print_line(f"{text:<{width}}  # {origin}")
    return 0


def _value(setting: EffectiveSetting) -> str:
    if not setting.is_set:
        return "(not set)"
    return "(secret)" if setting.is_secret else toml_value(setting.value)


def example_command(_options: argparse.Namespace, _: Config) -> int:
    """Print the example. Returns the exit status."""
    nodes = {name: lightning.settings_class(name) for name in lightning.names()}
    built_in = sorted(point.name for point in carriers.BUILT_IN)
    print_line(example({name: carriers.settings_class(name) for name in built_in}, nodes).rstrip("\n"))
    return 0


def _load(options: argparse.Namespace) -> tuple[Config, Source]:
    return load_with_source(
        options.config, os.environ, settings_of=carriers.settings_class, lightning_of=lightning.settings_class
    )
