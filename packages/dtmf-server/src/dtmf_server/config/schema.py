"""The operator's settings, their valid values, and how they must agree with each other.

A TOML file, overridden by environment variables (DTMF_SERVER__PORT overrides `port` of `[server]`; see loader.py), on
top of the sandbox's defaults.
"""

import ipaddress
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from dtmf_server.config.carrier import CarrierSettings, SettingsOf, no_kinds
from dtmf_server.config.lightning import LightningSettings, LightningSettingsOf, no_lightning
from dtmf_server.config.loader import read
from dtmf_server.config.operator import Operator
from dtmf_server.config.section import Section, setting
from dtmf_server.config.source import ConfigError, KeyPath, Source, dotted
from dtmf_server.config.types import Host, Port, YesNo
from dtmf_server.core import webhook_url
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.money import SATS_MAX


def _url(value: str) -> SplitResult | None:
    """Return the parts of a URL whose port, if any, is valid."""
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


def _is_rate_url(value: str) -> bool:
    parts = _url(value)
    works = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    return works and value.isascii() and not set(" #\\") & set(value)


def _is_path(value: str) -> bool:
    return value.startswith("/") and "\0" not in value


def _is_public_descriptor(value: str) -> bool:
    return re.match(r"[a-z]+\(", value) is not None and not re.search(r"(^|[^0-9A-Za-z])[A-Za-z]prv", value)


def _is_webhook_secret(value: str) -> bool:
    try:
        key = b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return value.startswith("whsec_") and 24 <= len(key) <= 64


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
    """Where the ledger is stored; without a URL, in a SQLite file in the data directory."""

    url: Annotated[
        str | None,
        setting("sqlite:///path or postgresql://user@host/database", _is_database_url, secret=True),
    ] = None


class Larger(Section, frozen=True):
    """Deposits of at least `from_sats` need this many confirmations."""

    from_sats: Annotated[int, Meta(ge=1, le=SATS_MAX, description="satoshis, a whole number from 1")]
    confirmations: Confirmations


class Bitcoin(Section, frozen=True):
    """The chain that is watched for deposits; without a descriptor, the simulated one."""

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


Rate = Annotated[float, Meta(gt=0, le=1e15, description="a number above 0")]


class Prices(Section, frozen=True):
    """The currency in which renters may give amounts and groups may have prices, and where the price of one bitcoin in it
    comes from."""

    currency: Annotated[str | None, setting("a code of ISO 4217 like EUR", re.compile(r"[A-Z]{3}\Z").match)] = None
    rate_file: Annotated[str | None, setting("an absolute path", _is_path)] = None
    rate_url: Annotated[str | None, setting("an http:// or https:// URL", _is_rate_url, secret=True)] = None
    rate_pointer: Annotated[str | None, setting("a JSON pointer like /eur/last", _is_path)] = None
    rate_min: Rate = 1e-3
    rate_max: Rate = 1e15
    rate_max_age_s: Annotated[int, Meta(ge=60, le=604_800, description="whole seconds from 60 to 604800")] = 3600
    price_days: Annotated[int, Meta(ge=7, le=366, description="whole days from 7 to 366")] = 30
    grace_s: Annotated[int, Meta(ge=60, le=604_800, description="whole seconds from 60 to 604800")] = 21_600


class Messages(Section, frozen=True):
    """How incoming SMS are handled."""

    parts_wait_s: Annotated[int, Meta(ge=5, le=86_400, description="whole seconds from 5 to 86400")] = 300


class Signup(Section, frozen=True):
    """Permission to open accounts: 'open' for anyone; 'invite' and 'closed' only for the operator, with `dtmf-server accounts
    open`. `paid`: whatever the mode, a Lightning payment opens an account with the amount as its balance."""

    mode: Annotated[Literal["open", "invite", "closed"], Meta(description="'open', 'invite' or 'closed'")] = "open"
    paid: YesNo = False


class Retention(Section, frozen=True):
    """How long messages are stored after their rental has ended, and how long the record of an API request."""

    message_days: Annotated[int, Meta(ge=0, le=36_500, description="whole days from 0 to 36500")] = 30
    request_days: Annotated[int, Meta(ge=0, le=3650, description="whole days from 0 to 3650")] = 30


class Rest(Section, frozen=True):
    """The cooldown of a number before other accounts can rent it."""

    hours: Annotated[int, Meta(ge=0, le=876_000, description="whole hours from 0 to 876000")] = 24


class Limits(Section, frozen=True):
    """Limits per token, IP address and account; the sandbox does not limit requests."""

    requests_per_second: Annotated[float, Meta(gt=0, le=1_000_000, description="a number above 0, at most 1000000")] = (
        20.0
    )
    request_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")] = 100
    sends_per_day: Count = 1000


class Supply(Section, frozen=True):
    """Limits on buying numbers for groups with a `supply`. Prices are in the provider's currency."""

    enabled: YesNo = True
    spend_per_hour: Annotated[float, Meta(ge=0, le=1_000_000, description="a price from 0 to 1000000")] = 20.0
    spend_per_day: Annotated[float, Meta(ge=0, le=1_000_000, description="a price from 0 to 1000000")] = 50.0
    numbers_per_account: Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10000")] = 5
    sats_per_unit: Annotated[int, Meta(ge=0, le=SATS_MAX, description="satoshis, a whole number from 0")] = 0


class Refunds(Section, frozen=True):
    """The most that is refunded on a UTC day for rentals that received nothing, in groups with such terms."""

    network_sats_per_day: Annotated[int, Meta(ge=0, le=SATS_MAX, description="satoshis, a whole number from 0")] = (
        20_000
    )
    group_sats_per_day: Annotated[int, Meta(ge=0, le=SATS_MAX, description="satoshis, a whole number from 0")] = 200_000


class Metrics(Section, frozen=True):
    """Where `/metrics` is served for Prometheus; without a port, it is not served."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")] = 0


class Alerts(Section, frozen=True):
    """Where alerts are posted, for operators without Prometheus."""

    webhook: Annotated[str | None, setting("an https:// URL", _is_rate_url, secret=True)] = None
    secret: Annotated[str | None, setting("whsec_ and 24 to 64 bytes in base64", _is_webhook_secret, secret=True)] = (
        None
    )
    allow_loopback: YesNo = False


class Config(Section, frozen=True):
    """All settings."""

    mode: Annotated[Literal["sandbox", "production"], Meta(description="'sandbox' or 'production'")] = "sandbox"
    server: Server = Server()
    database: Database = Database()
    bitcoin: Bitcoin = Bitcoin()
    lightning: LightningSettings = LightningSettings()  # of its own kind's class
    carrier: tuple[CarrierSettings, ...] = ()  # each of its own kind's class
    prices: Prices = Prices()
    messages: Messages = Messages()
    signup: Signup = Signup()
    retention: Retention = Retention()
    rest: Rest = Rest()
    limits: Limits = Limits()
    supply: Supply = Supply()
    refunds: Refunds = Refunds()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    operator: Operator = Operator()

    @property
    def takes_payments(self) -> bool:
        """Whether renters can pay, on-chain or by Lightning."""
        return self.bitcoin.descriptor is not None or self.lightning.kind is not None


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    settings_of: SettingsOf = no_kinds,
    lightning_of: LightningSettingsOf = no_lightning,
) -> Config:
    """Return the configuration of a file (None: the sandbox's) and the environment. Raises ConfigError. `settings_of`
    returns the settings class of a kind of carrier, and `lightning_of` that of a kind of Lightning node, or they raise
    ConfigError; see carriers/registry.py and payments/lightning/registry.py."""
    return load_with_source(path, environ, settings_of=settings_of, lightning_of=lightning_of)[0]


def load_with_source(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    settings_of: SettingsOf = no_kinds,
    lightning_of: LightningSettingsOf = no_lightning,
) -> tuple[Config, Source]:
    """Return the configuration as `load` does, and the source of each setting. Raises ConfigError."""
    config, source = read(Config, path, environ, settings_of=settings_of, lightning_of=lightning_of)
    for keys, complaint in _disagreements(config):
        raise ConfigError(f"{source.where(keys)}: {dotted(keys)} {complaint}")
    return config, source


def warnings(config: Config) -> list[str]:
    """Return warnings about settings that only work with some carriers."""
    return [f"carrier {carrier.name}: {warning}" for carrier in config.carrier for warning in carrier.warnings()]


def _disagreements(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield settings that are valid alone but not together."""
    yield from _disagreements_about_bitcoin(config)
    if config.lightning.kind is None and config.mode == "production" and config.lightning != LightningSettings():
        yield ("lightning",), "needs kind, the kind of Lightning node, like 'phoenixd'"
    for key, complaint in config.lightning.disagreements(is_sandbox=config.mode == "sandbox"):
        yield ("lightning", key), complaint
    yield from _disagreements_about_prices(config.prices)
    yield from _disagreements_about_alerts(config.alerts)
    for key, complaint in config.operator.disagreements(config.server.public_url):
        yield ("operator", key), complaint
    names: set[str] = set()
    for index, carrier in enumerate(config.carrier):
        if carrier.name in names:
            yield ("carrier", index, "name"), f"is {carrier.name!r}, the name of an earlier carrier"
        names.add(carrier.name)
        if carrier.name == "simulator":
            yield ("carrier", index, "name"), "is 'simulator', which is reserved for the sandbox: choose another name"
        for key, complaint in carrier.disagreements(is_sandbox=config.mode == "sandbox"):
            yield ("carrier", index, key), complaint


def _disagreements_about_bitcoin(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield the conflicts within `[bitcoin]`."""
    bitcoin = config.bitcoin
    if config.mode == "sandbox" and bitcoin.network == "main":
        yield ("bitcoin", "network"), "is 'main': a sandbox never takes real coins; set mode = \"production\""
    if bitcoin.descriptor is not None and bitcoin.rpc is None:
        yield ("bitcoin", "descriptor"), "needs bitcoin.rpc, the node used to find deposits"
    if bitcoin.rpc_cookie is not None and (bitcoin.rpc is None or "@" in bitcoin.rpc):
        yield ("bitcoin", "rpc_cookie"), "needs bitcoin.rpc without user and password: the cookie file contains them"
    if bitcoin.rpc is not None and bitcoin.descriptor is None:
        yield ("bitcoin", "rpc"), "needs bitcoin.descriptor, from which deposit addresses are derived"
    for index, (less, more) in enumerate(pairwise((Larger(1, bitcoin.confirmations), *bitcoin.larger))):
        if more.from_sats <= less.from_sats or more.confirmations < less.confirmations:
            yield (
                ("bitcoin", "larger", index, "from_sats"),
                "must increase from table to table, and confirmations must not decrease",
            )


def _disagreements_about_prices(prices: Prices) -> Iterator[tuple[KeyPath, str]]:
    """Yield the conflicts within `[prices]`."""
    if prices.currency is not None and prices.rate_file is None and prices.rate_url is None:
        yield ("prices", "currency"), "needs rate_file or rate_url, the source of its rate"
    for key in ("rate_file", "rate_url", "rate_pointer"):
        if prices.currency is None and getattr(prices, key) is not None:
            yield ("prices", key), "needs currency, the currency of the rate"
    url = urlsplit(prices.rate_url or "")
    if url.scheme and prices.rate_file is not None:
        yield ("prices", "rate_url"), "and rate_file are both set: use only one of them"
    elif url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield (
            ("prices", "rate_url"),
            "must begin with https:// unless it is on this machine: others could change the rate",
        )
    if prices.rate_min > prices.rate_max:
        yield ("prices", "rate_min"), "must not be above rate_max"


def _disagreements_about_alerts(alerts: Alerts) -> Iterator[tuple[KeyPath, str]]:
    """Yield the conflicts within `[alerts]`."""
    if (alerts.webhook is None) != (alerts.secret is None):
        yield ("alerts",), "needs both webhook and secret: the secret signs the alerts"
    if alerts.webhook is None:
        return
    try:
        webhook_url.parse(alerts.webhook, sandbox=alerts.allow_loopback)
    except ValueError as error:
        local = "" if alerts.allow_loopback else "; to use an address of this machine, set allow_loopback = true"
        yield ("alerts", "webhook"), f"is refused: {str(error).removesuffix('.')}{local}"
