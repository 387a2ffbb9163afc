"""`dtmf-server carriers add-phone URL`: connects a phone with android-sms-gateway, and prints its `[[carrier]]` table."""

import argparse
import contextlib
import getpass
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dtmf_server import config
from dtmf_server.carriers.android.replies import Device
from dtmf_server.carriers.android.settings import ANY_SIM, AndroidSettings
from dtmf_server.carriers.base import CarrierRefused
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli import operator
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.imports import import_numbers
from dtmf_server.cli.output import print_line
from dtmf_server.cli.setup.live import connect_phone
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.payments.lightning import registry
from dtmf_server.storage.open import open_database


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "url", metavar="URL", help="the phone, like http://192.168.1.20:8080, or a server's /3rdparty/v1"
    )
    parser.add_argument("--name", default="phone", help="the carrier's name (default phone)")
    parser.add_argument("--user", default="sms", help="the user name that the app shows (default sms)")
    parser.add_argument("--password", help="the password that the app shows (default: asked for)")
    parser.add_argument(
        "--signing-key", metavar="KEY", help="the key that the app shows under Webhooks (default: a new one)"
    )
    parser.add_argument("--device", metavar="ID", help="the device, if the server has several")
    parser.add_argument("--sim", action="append", default=[], metavar="1=+44…", help="the number of a SIM; repeatable")
    parser.add_argument(
        "--public-url", metavar="URL", help="where the phone reaches this service (default server.public_url)"
    )
    parser.add_argument("--group", metavar="GROUP", help="import the numbers into this group")
    parser.add_argument("--write", action="store_true", help="append the table to the --config file")
    operator.add_options(parser)


def add_phone_command(options: argparse.Namespace, configuration: Config) -> int:
    """Connect a phone. Returns the exit status."""
    if options.write and options.config is None:
        raise CannotStart("--write needs --config FILE")
    if any(carrier.name == options.name for carrier in configuration.carrier):
        raise CannotStart(f"the configuration has a carrier {options.name!r} already: choose another --name")
    public_url = (options.public_url or configuration.server.public_url or "").rstrip("/")
    if not public_url.startswith(("https://", "http://127.0.0.1:")):
        raise CannotStart(
            "the app posts only to https:// or http://127.0.0.1: set --public-url (docs/carriers/android.md)"
        )
    values = _values(options)
    sims = _sims(options.sim) or {ANY_SIM: "+10000000"}  # replaced by what the phone says
    checked = _checked(values, sims, configuration, options.config)
    try:
        url = f"{public_url}/callbacks/carriers/{options.name}"
        device, new = connect_phone(checked, url, sets_key=not options.signing_key)
    except CarrierRefused as refused:
        print_line(f"{options.url}: {refused.reason}")
        return 1
    print_line(f"logged in to {device.name} {device.id}; {new} webhooks are new")
    sims = _sims(options.sim) or _known(device)
    if not sims:
        print_line("Android does not know the numbers of the SIMs: add --sim 1=+44… and run this again")
        return 1
    _checked(values, sims, configuration, options.config)
    _show(options, _table(values, sims))
    return _import(options, configuration, sims) if options.group else 0


def _values(options: argparse.Namespace) -> dict[str, str]:
    password = options.password or getpass.getpass("Password that the app shows: ")
    values = {"name": options.name, "kind": "android", "url": options.url.rstrip("/"), "username": options.user}
    values |= {"password": password, "signing_key": options.signing_key or secrets.token_hex(16)}
    return values | ({"device_id": options.device} if options.device else {})


def _sims(given: list[str]) -> dict[str, str]:
    return {sim.strip(): number.strip() for sim, _, number in (one.partition("=") for one in given)}


def _known(device: Device) -> dict[str, str]:
    """Return the numbers that Android knows."""
    cards = device.sim_cards or []
    return {str(card.sim_number): f"+{card.phone_number.lstrip('+')}" for card in cards if card.phone_number}


def _table(values: Mapping[str, str], sims: Mapping[str, str]) -> str:
    """Return the `[[carrier]]` table. A TOML basic string is written like one of JSON."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    numbers = ", ".join(f"{json.dumps(sim)} = {json.dumps(number)}" for sim, number in sims.items())
    return "\n".join(["[[carrier]]", *lines, f"sims = {{ {numbers} }}", ""])


def _checked(
    values: Mapping[str, str], sims: Mapping[str, str], configuration: Config, path: Path | None
) -> AndroidSettings:
    """Return the settings, checked with the rest of the configuration file. Raises ConfigError."""
    before = path.read_text("utf-8-sig") if path else f'mode = "{configuration.mode}"\n'
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dtmf.toml"
        file.write_text(f"{before.rstrip()}\n\n{_table(values, sims)}", "utf-8")
        loaded = config.load(
            file, os.environ, settings_of=settings_class, lightning_of=registry.settings_class
        ).carrier[-1]
    assert isinstance(loaded, AndroidSettings), "its kind says so"
    return loaded


def _show(options: argparse.Namespace, table: str) -> None:
    if options.write:
        with options.config.open("a", encoding="utf-8") as file:
            file.write(f"\n{table}")
        print_line(f"the carrier {options.name} was added to {options.config}")
    else:
        print_line(f"add this to your configuration:\n\n{table}")
    print_line("restart the app on the phone, so that it sends system:ping, and restart dtmf-server")


def _import(options: argparse.Namespace, configuration: Config, sims: Mapping[str, str]) -> int:
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        status, lines = import_numbers(db, list(sims.values()), group_id=options.group, by=operator.acting(options))
    for line in lines:
        print_line(line)
    return status
