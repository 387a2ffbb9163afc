"""Start-up of a process: it opens an exclusive database, its mode, its settings, the sandbox's token."""

import fcntl
import hashlib
import hmac
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from dtmf_server.carriers import registry
from dtmf_server.carriers.base import ReceivesCallbacks, SmsCarrier
from dtmf_server.config import CarrierSettings, Config
from dtmf_server.config.schema import Alerts
from dtmf_server.core import api_token
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.number_supply import SupplyRules, price_units
from dtmf_server.core.refunds import RefundCaps
from dtmf_server.core.trace import Trace
from dtmf_server.core.units import DAY_US, HOUR_US, SECOND_US
from dtmf_server.operations import account, audit, doubt, sandbox, sign_in
from dtmf_server.operations import tokens as token_operations
from dtmf_server.operations.audit import By
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, BadDescriptor, Derive, deriver, prefetching
from dtmf_server.payments.rates import RateSource
from dtmf_server.runtime.clock import Clock, wall_us
from dtmf_server.runtime.context import AlertSettings, Runtime, Settings
from dtmf_server.server import sandbox_seed
from dtmf_server.server.lightning import attach_node
from dtmf_server.storage import chain, deposits, files, instance, numbers, outbox, schema_revision, tokens
from dtmf_server.storage.db import Database, Row, Tx
from dtmf_server.storage.open import open_database, sqlite_path


@contextmanager
def exclusive_file_lock(url: str) -> Iterator[None]:
    """Hold the SQLite file for this process alone. The lock is released whenever the process ends. PostgreSQL needs
    none."""
    if not url.startswith("sqlite:///"):
        yield
        return
    path = sqlite_path(url)
    with path.with_name(path.name + ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            raise CannotStart(
                f"{path} is in use by {holder}: stop it, or choose another folder with --data DIR"
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def open_runtime(config: Config, url: str, clock: Clock | None = None) -> Runtime:
    """Return the runtime for this database. Raises CannotStart if the configuration cannot be satisfied."""
    settings = settings_of(config)
    descriptor = config.bitcoin.descriptor or (SANDBOX_DESCRIPTOR if settings.network == "simulated" else None)
    derive = _deriver(descriptor, "regtest" if settings.network == "simulated" else config.bitcoin.network)
    clock = clock or Clock(sandbox=config.mode == "sandbox")
    db = open_prepared(url, config.mode, clock)
    if settings.network is not None and descriptor is not None:
        _fix_chain(db, settings.network, descriptor)
    if url.startswith("sqlite:///"):
        db.write_blocking(outbox.release_all)  # held by the previous process with this file, which has ended
    runtime = Runtime(db, clock, settings, prefetching(derive) if derive else None)
    if url.startswith("sqlite:///"):
        runtime.folder = sqlite_path(url).parent
    attach_node(config, runtime)
    runtime.rates = RateSource(config.prices, wall_us=wall_us) if config.prices.currency else None
    return runtime


def attach_runtime(config: Config, url: str) -> Runtime:
    """Return the runtime of a short command beside a running service: it takes no lock and changes nothing by
    itself."""
    return Runtime(open_database(url), Clock(sandbox=config.mode == "sandbox"), settings_of(config), None)


def replace_descriptor(config: Config, url: str, *, by: By) -> None:
    """Derive new addresses from the configured descriptor from now on. Raises CannotStart."""
    assert config.bitcoin.descriptor is not None, "the command requires one"
    text = config.bitcoin.descriptor.partition("#")[0]
    _deriver(config.bitcoin.descriptor, config.bitcoin.network)
    db = open_prepared(url, config.mode, Clock(sandbox=config.mode == "sandbox"))
    found = db.write_blocking(partial(_chain_of, network=config.bitcoin.network, descriptor=text))
    if found["network"] == config.bitcoin.network:
        db.write_blocking(partial(_replace_descriptor, text=text, by=by))
    db.close()
    if found["network"] != config.bitcoin.network:
        raise CannotStart(f"this database follows the chain {found['network']!r}, not {config.bitcoin.network!r}")


def _replace_descriptor(tx: Tx, *, text: str, by: By) -> None:
    """Record a digest of the new descriptor: with the descriptor itself, every address of the service could be derived."""
    chain.replace_descriptor(tx, descriptor=text)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    audit.record(tx, by, "init --replace-descriptor", f"a descriptor with SHA-256 {digest}…")


def _deriver(descriptor: str | None, network: str) -> Derive | None:
    """Return the function that derives addresses, or None without a descriptor. Raises CannotStart."""
    if descriptor is None:
        return None
    try:
        return deriver(descriptor, network)
    except BadDescriptor as error:
        raise CannotStart(f"bitcoin.descriptor: {error}") from error


def _fix_chain(db: Database, network: str, descriptor: str) -> None:
    """Bind the database to its chain and descriptor at its first start. Raises CannotStart if they differ later."""
    found = db.write_blocking(partial(_chain_of, network=network, descriptor=descriptor.partition("#")[0]))
    if found["network"] != network:
        trouble = f"this database follows the chain {found['network']!r}, but {network!r} is configured"
    elif found["descriptor"] != descriptor.partition("#")[0]:
        trouble = (
            "bitcoin.descriptor is not the one that this database derived its addresses from; if that is intended, "
            "`dtmf-server init --replace-descriptor` replaces it (old addresses stay watched)"
        )
    else:
        return
    db.close()
    raise CannotStart(trouble)


def _chain_of(tx: Tx, *, network: str, descriptor: str) -> Row:
    """Return the chain this database is bound to. A database older than this record belongs to a sandbox if it has
    addresses."""
    if chain.load(tx) is None and deposits.any_address(tx):
        network, descriptor = "simulated", SANDBOX_DESCRIPTOR.partition("#")[0]
    return chain.fix(tx, network=network, descriptor=descriptor)


class CarrierDatabase:
    """The database as carriers use it. Set `db` before the first call: carriers are built earlier. `traces` has their
    recorders, by name."""

    def __init__(self, db: Database | None = None) -> None:
        self.db, self.traces = db, dict[str, Trace]()

    async def is_ours(self, e164: str) -> bool:
        """True if the E.164 number is in the catalog."""
        return await self._open.read(lambda tx: numbers.exists(tx, e164))

    async def service_key(self) -> bytes:
        """Return a key of this database, for IDs that no other service uses."""
        return hmac.digest(await self._open.read(instance.webhook_key), b"carrier IDs", "sha256")

    @property
    def _open(self) -> Database:
        assert self.db is not None, "carriers connect once the database is open"
        return self.db


def build_carriers(config: Config, database: CarrierDatabase, *, only_callbacks: bool = False) -> list[SmsCarrier]:
    """Build the configured carriers, not connected yet; or only those whose callbacks an API process takes.

    Needs no database, so that a mistake is refused before one is migrated. Raises CannotStart for settings that no carrier
    can be built from, like certificates that can't be read.
    """
    found = []
    for settings in config.carrier:
        kind = registry.find(settings.kind)
        if only_callbacks and not kind.receives_callbacks:
            continue
        carrier = _build(kind, settings, _carrier_context(config, settings.name, database))
        if kind.receives_callbacks and not isinstance(carrier, ReceivesCallbacks):
            raise CannotStart(f"carrier {settings.name}: the plug-in of the kind {kind.name!r} lacks callbacks")
        found.append(carrier)
    return found


def _build(kind: registry.CarrierKind[Any], settings: CarrierSettings, context: registry.CarrierContext) -> SmsCarrier:
    try:
        return kind.build(settings, context)
    except CannotStart:
        raise
    except Exception as error:  # a plug-in may raise anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise CannotStart(f"carrier {settings.name}: the kind {kind.name!r} can't be built: {reason}") from error


def _carrier_context(config: Config, name: str, database: CarrierDatabase) -> registry.CarrierContext:
    public_url = config.server.public_url
    database.traces[name] = Trace()
    return registry.CarrierContext(
        is_sandbox=config.mode == "sandbox",
        callback_url=public_url and f"{public_url.rstrip('/')}/callbacks/carriers/{name}",
        is_ours=database.is_ours,
        service_key=database.service_key,
        new_id=_link_id,
        uniform=random.random,
        wall_us=wall_us,
        trace=database.traces[name],
    )


def _link_id() -> int:
    """Return a number that identifies one connection, even across restarts."""
    return secrets.randbits(62)


def settings_of(config: Config) -> Settings:
    """Return the configuration in the units that operations use."""
    is_sandbox, bitcoin = config.mode == "sandbox", config.bitcoin
    return Settings(
        sandbox=is_sandbox,
        signup=config.signup.mode,
        paid_signup=config.signup.paid,
        cooldown_us=round(config.rest.hours * HOUR_US),
        retention_us=round(config.retention.message_days * DAY_US),
        request_retention_us=config.retention.request_days * DAY_US,
        daily_limit=None if is_sandbox else config.limits.sends_per_day,
        confirmations=(
            (0, bitcoin.confirmations),
            *((larger.from_sats, larger.confirmations) for larger in bitcoin.larger),
        ),
        network=bitcoin.network if bitcoin.descriptor else "simulated" if is_sandbox else None,
        node=bitcoin.rpc,
        node_cookie=Path(bitcoin.rpc_cookie) if bitcoin.rpc_cookie else None,
        poll_interval_s=bitcoin.poll_seconds,
        doubt_us=round(max((doubt.LIFE_H, *(carrier.delivery_max_h() for carrier in config.carrier))) * HOUR_US),
        parts_patience_us=config.messages.parts_wait_s * SECOND_US,
        requests_per_second=None if is_sandbox else config.limits.requests_per_second,
        request_burst=config.limits.request_burst,
        trusted_proxies=tuple(map(ip_network, config.server.trusted_proxies)),
        supply=SupplyRules(
            config.supply.enabled,
            price_units(repr(config.supply.spend_per_hour)),
            price_units(repr(config.supply.spend_per_day)),
            config.supply.numbers_per_account,
            config.supply.sats_per_unit or None,
        ),
        refund_caps=RefundCaps(config.refunds.network_sats_per_day, config.refunds.group_sats_per_day),
        credit_per_day_sats=config.operator.credit_per_day_sats,
        alerts=_alert_settings(config.alerts),
        price_days=config.prices.price_days,
        rate_grace_us=config.prices.grace_s * SECOND_US,
        public_url=config.server.public_url,
    )


def _alert_settings(alerts: Alerts) -> AlertSettings | None:
    if alerts.webhook is None or alerts.secret is None:
        return None
    return AlertSettings(alerts.webhook, alerts.secret, alerts.allow_loopback)


def open_prepared(url: str, mode: str, clock: Clock) -> Database:
    """Return the open database, migrated to the latest schema, with its mode fixed. Raises CannotStart in the other
    mode."""
    if not schema_revision.is_newest(url):
        from dtmf_server.storage import migrate  # noqa: PLC0415 - Alembic only where it is used

        migrate.upgrade(url)
    db = open_database(url)
    found = db.write_blocking(partial(_initialise, mode=mode, clock=clock))
    if found != mode:
        db.close()
        raise CannotStart(
            f"this database belongs to a {found} service and can't be opened as {mode}: "
            f"choose another with --data or --database, or run it in that mode"
        )
    return db


def _initialise(tx: Tx, *, mode: str, clock: Clock) -> str:
    is_new = instance.initialise(tx, mode=mode, webhook_key=secrets.token_bytes(32), now_us=clock.wall_us())
    if is_new and mode == "sandbox":
        sandbox_seed.stock_sandbox(tx)
        sandbox.mine(tx, 1)
    found = instance.mode(tx)
    assert found is not None, "it was initialised above, or by another process"
    return found


def sandbox_token(db: Database, clock: Clock, path: Path) -> str:
    """Return the first account's token from `path`, or write a new one there if the file is missing. Raises CannotStart
    if another program's file is in its place."""
    if path.is_file():
        known = path.read_text(encoding="ascii", errors="replace").strip()
        if api_token.is_well_formed(known) and db.read_blocking(
            lambda tx: tokens.opened_by(tx, api_token.sha256(known), wall_us=clock.wall_us())
        ):
            return known
    new_token = api_token.mint(secrets.token_bytes(32))
    files.put(path, new_token + "\n", begins="dtmf_")
    db.write_blocking(partial(_give_token, sha256=api_token.sha256(new_token), clock=clock))
    return new_token


def sign_in_link(db: Database, clock: Clock, token_: str) -> str:
    """Return the path of a link that signs in with this token, once, within a day."""
    key = secrets.token_urlsafe(32)
    db.write_blocking(
        partial(
            sign_in.make_link,
            token_sha256=api_token.sha256(token_),
            link_sha256=hashlib.sha256(key.encode()).digest(),
            wall_us=clock.wall_us(),
        )
    )
    return f"/sign-in/link?key={key}"


def _give_token(tx: Tx, *, sha256: bytes, clock: Clock) -> None:
    instance.lock(tx)  # several API processes that start at the same time must find one first account
    now_us = clock.now_us(tx)
    first = tokens.first_account(tx)
    if first is None:
        account.open_account(tx, token_sha256=sha256, now_us=now_us)
    else:
        token_operations.add(tx, first, token_sha256=sha256, label="sandbox", now_us=now_us)
