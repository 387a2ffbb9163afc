"""The operator's settings, what each may be, and how they must agree with each other.

A TOML file, environment variables over it (DTMF_SERVER__PORT beats `port` of `[server]`; loader.py has the rule),
the sandbox's defaults under it.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from dtmf_server.config.carrier import CarrierSettings, SettingsOf, no_kinds
from dtmf_server.config.loader import read
from dtmf_server.config.section import Section, setting
from dtmf_server.config.source import ConfigError, KeyPath, dotted
from dtmf_server.config.types import Host, Port
from dtmf_server.core.money import SATS_MAX


def _url(value: str) -> SplitResult | None:
    """The parts of a URL whose port, if any, is one."""
    try:
        parts = urlsplit(value)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _is_database_url(value: str) -> bool:
    if value.startswith("sqlite:///"):
        return value.removeprefix("sqlite:///") not in ("", "/", ":memory:") and not set("?#") & set(value)
    parts = _url(value)
    return parts is not None and parts.scheme == "postgresql" and len(parts.path) > 1


def _is_public_url(value: str) -> bool:
    parts = _url(value)
    return _is_rpc_url(value) and parts is not None and "@" not in parts.netloc


def _is_rpc_url(value: str) -> bool:
    parts = _url(value)
    if parts is None or not value.isascii() or any(mark in value for mark in " ?#\\"):
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_path(value: str) -> bool:
    return value.startswith("/") and "\0" not in value


def _is_public_descriptor(value: str) -> bool:
    return re.match(r"[a-z]+\(", value) is not None and not re.search(r"(^|[^0-9A-Za-z])[A-Za-z]prv", value)


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


# At most the depth to which the scanner can roll back.
Confirmations = Annotated[int, Meta(ge=1, le=144, description="a whole number from 1 to 144")]
Count = Annotated[int, Meta(ge=0, le=1_000_000, description="a whole number from 0 to 1000000")]


class Server(Section, frozen=True):
    """Where the HTTP server listens and how it is reached."""

    host: Host = "127.0.0.1"
    port: Port = 8000
    public_url: Annotated[
        str | None, setting("an http:// or https:// address without user, query or fragment", _is_public_url)
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...], setting("a list of IP addresses and networks like 10.0.0.0/8", _is_network)
    ] = ()


class Database(Section, frozen=True):
    """Where the books are; without a URL, a SQLite file in the data directory."""

    url: Annotated[
        str | None,
        setting("sqlite:///path or postgresql://user@host/database", _is_database_url, secret=True),
    ] = None


class Larger(Section, frozen=True):
    """A deposit of so many satoshis or more needs more confirmations."""

    from_sats: Annotated[int, Meta(ge=1, le=SATS_MAX, description="satoshis, a whole number from 1")]
    confirmations: Confirmations


class Bitcoin(Section, frozen=True):
    """The chain deposits are watched on; without a descriptor, the simulated one."""

    network: Annotated[
        Literal["main", "test", "testnet4", "signet", "regtest"],
        Meta(description="'main', 'test', 'testnet4', 'signet' or 'regtest'"),
    ] = "regtest"
    descriptor: Annotated[
        str | None,
        setting("a descriptor like wpkh(…)#… without private keys", _is_public_descriptor, secret=True),
    ] = None
    rpc: Annotated[str | None, setting("http://user:password@host:port", _is_rpc_url, secret=True)] = None
    rpc_cookie: Annotated[str | None, setting("the path of the node's cookie file", _is_path)] = None
    poll_seconds: Annotated[float, Meta(ge=0.1, le=600, description="seconds from 0.1 to 600")] = 5.0
    confirmations: Confirmations = 2
    larger: tuple[Larger, ...] = ()


class Messages(Section, frozen=True):
    """What is done with SMS on their way in."""

    parts_wait_s: Annotated[int, Meta(ge=5, le=86_400, description="whole seconds from 5 to 86400")] = 300


class Signup(Section, frozen=True):
    """Who may open an account: 'open', everybody; 'invite' and 'closed', the operator: `dtmf-server accounts open`."""

    mode: Annotated[Literal["open", "invite", "closed"], Meta(description="'open', 'invite' or 'closed'")] = "open"


class Retention(Section, frozen=True):
    """How long texts are kept after their rental has ended."""

    message_days: Annotated[int, Meta(ge=0, le=36_500, description="whole days from 0 to 36500")] = 30


class Rest(Section, frozen=True):
    """How long a number rests before others can rent it."""

    hours: Annotated[int, Meta(ge=0, le=876_000, description="whole hours from 0 to 876000")] = 24


class Limits(Section, frozen=True):
    """What one token, one address and one account may do at most; the sandbox has no limits on requests."""

    requests_per_second: Annotated[float, Meta(gt=0, le=1_000_000, description="a number above 0, at most 1000000")] = (
        20.0
    )
    request_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")] = 100
    sends_per_day: Count = 1000


class Metrics(Section, frozen=True):
    """Where Prometheus finds `/metrics`; without a port, nowhere."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")] = 0


class Config(Section, frozen=True):
    """Every setting."""

    mode: Annotated[Literal["sandbox", "production"], Meta(description="'sandbox' or 'production'")] = "sandbox"
    server: Server = Server()
    database: Database = Database()
    bitcoin: Bitcoin = Bitcoin()
    carrier: tuple[CarrierSettings, ...] = ()  # each of its kind's own class
    messages: Messages = Messages()
    signup: Signup = Signup()
    retention: Retention = Retention()
    rest: Rest = Rest()
    limits: Limits = Limits()
    metrics: Metrics = Metrics()


def load(path: Path | None, environ: Mapping[str, str], *, settings_of: SettingsOf = no_kinds) -> Config:
    """The configuration of a file (None: the sandbox's) and the environment; raises ConfigError.
    `settings_of` gives the settings class of a kind of carrier, or raises ConfigError: carriers/registry.py has it."""
    config, source = read(Config, path, environ, settings_of=settings_of)
    for keys, complaint in _disagreements(config):
        raise ConfigError(f"{source.where(keys)}: {dotted(keys)} {complaint}")
    return config


def warnings(config: Config) -> list[str]:
    """What works with some carriers only."""
    return [f"carrier {carrier.name}: {warning}" for carrier in config.carrier for warning in carrier.warnings()]


def _disagreements(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Settings that are right alone and can't work together."""
    yield from _disagreements_about_bitcoin(config)
    names: set[str] = set()
    for index, carrier in enumerate(config.carrier):
        if carrier.name in names:
            yield ("carrier", index, "name"), f"is {carrier.name!r}, the name of an earlier carrier"
        names.add(carrier.name)
        if carrier.name == "simulator":
            yield ("carrier", index, "name"), "is 'simulator', which is the sandbox's own: choose another"
        for key, complaint in carrier.disagreements(is_sandbox=config.mode == "sandbox"):
            yield ("carrier", index, key), complaint


def _disagreements_about_bitcoin(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """The same within `[bitcoin]`."""
    bitcoin = config.bitcoin
    if config.mode == "sandbox" and bitcoin.network == "main":
        yield ("bitcoin", "network"), "is 'main': a sandbox never takes real coins; set mode = \"production\""
    if bitcoin.descriptor is not None and bitcoin.rpc is None:
        yield ("bitcoin", "descriptor"), "needs bitcoin.rpc, the node that sees its deposits"
    if bitcoin.rpc_cookie is not None and (bitcoin.rpc is None or "@" in bitcoin.rpc):
        yield ("bitcoin", "rpc_cookie"), "needs bitcoin.rpc without user and password, which the cookie file has"
    if bitcoin.rpc is not None and bitcoin.descriptor is None:
        yield ("bitcoin", "rpc"), "needs bitcoin.descriptor, from which deposit addresses come"
    for index, (less, more) in enumerate(pairwise((Larger(1, bitcoin.confirmations), *bitcoin.larger))):
        if more.from_sats <= less.from_sats or more.confirmations < less.confirmations:
            yield (
                ("bitcoin", "larger", index, "from_sats"),
                "must ascend, and confirmations with it, from table to table",
            )
