"""What a process opens before it runs: the database for itself alone, its mode, its settings, the sandbox's token."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from dtmf_server import catalog
from dtmf_server.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.clock import Clock
from dtmf_server.config import Config
from dtmf_server.core import token
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.rental import DAY_US, HOUR_US
from dtmf_server.operations import account, sandbox, sessions
from dtmf_server.operations import tokens as token_operations
from dtmf_server.runtime import Runtime, Settings
from dtmf_server.storage import migrate, outbox, service, tokens
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database, sqlite_path


@contextmanager
def only_process(url: str) -> Iterator[None]:
    """Holds the SQLite file for this process alone; the lock is freed by any death. PostgreSQL needs none."""
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
            raise CannotStart(f"{path} is in use by {holder}: stop it, or choose another with --data DIR") from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def open_runtime(config: Config, url: str, clock: Clock | None = None) -> Runtime:
    """The runtime over this database. Raises CannotStart for what the configuration asks and this version lacks."""
    if config.carrier:
        raise CannotStart(f"carrier.kind = {config.carrier[0].kind!r}: this version has no link to real carriers yet")
    if config.bitcoin.descriptor is not None:
        raise CannotStart("bitcoin.descriptor: this version does not follow a real chain yet, so it takes no coins")
    clock = clock or Clock(sandbox=config.mode == "sandbox")
    db = prepare(url, config.mode, clock)
    if url.startswith("sqlite:///"):
        db.write_now(outbox.release_all)  # of the process that had this file before; it is no more
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest") if config.mode == "sandbox" else None
    return Runtime(db, clock, settings_of(config), derive)


def settings_of(config: Config) -> Settings:
    """The configuration in the units the operations take."""
    is_sandbox = config.mode == "sandbox"
    return Settings(
        sandbox=is_sandbox,
        signup=config.signup.mode,
        rest_us=round(config.rest.hours * HOUR_US),
        kept_us=round(config.retention.message_days * DAY_US),
        daily_limit=None if is_sandbox else config.limits.sends_per_day,
        confirmations=config.bitcoin.confirmations,
        requests_per_second=None if is_sandbox else config.limits.requests_per_second,
        request_burst=config.limits.request_burst,
        trusted_proxies=tuple(map(ip_network, config.server.trusted_proxies)),
        public_url=config.server.public_url,
    )


def prepare(url: str, mode: str, clock: Clock) -> Database:
    """The open database, its tables the newest, its mode fixed. Raises CannotStart in the other mode."""
    migrate.upgrade(url)
    db = open_database(url)
    found = db.write_now(partial(_initialise, mode=mode, clock=clock))
    if found != mode:
        db.close()
        raise CannotStart(
            f"this database belongs to a {found} service and can't be opened as {mode}: "
            f"choose another with --data or --database, or run it in its own mode"
        )
    return db


def _initialise(tx: Tx, *, mode: str, clock: Clock) -> str:
    is_new = service.initialise(tx, mode=mode, webhook_key=secrets.token_bytes(32), now_us=clock.wall_us())
    if is_new and mode == "sandbox":
        catalog.stock_sandbox(tx)
        sandbox.mine(tx, 1)
    found = service.mode(tx)
    assert found is not None, "somebody has initialised it"
    return found


def sandbox_token(db: Database, clock: Clock, path: Path) -> str:
    """The first account's token, from DIR/token; made again there if the file is gone."""
    if path.exists():
        known = path.read_text(encoding="ascii", errors="replace").strip()
        if token.is_well_formed(known) and db.read_now(lambda tx: tokens.account_of(tx, token.sha256(known))):
            return known
    new_token = token.mint(secrets.token_bytes(32))
    db.write_now(partial(_give_token, sha256=token.sha256(new_token), clock=clock))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(new_token + "\n")
    return new_token


def sign_in_link(db: Database, clock: Clock, token_: str) -> str:
    """The path of a link that signs in once, within a day, as whoever has this token."""
    key = secrets.token_urlsafe(32)
    db.write_now(
        partial(
            sessions.make_link,
            token_sha256=token.sha256(token_),
            link_sha256=hashlib.sha256(key.encode()).digest(),
            wall_us=clock.wall_us(),
        )
    )
    return f"/sign-in/link?key={key}"


def _give_token(tx: Tx, *, sha256: bytes, clock: Clock) -> None:
    service.lock(tx)  # API processes that start at once shall find one first account
    now_us = clock.now_us(tx)
    first = tokens.first_account(tx)
    if first is None:
        account.open_account(tx, token_sha256=sha256, now_us=now_us)
    else:
        token_operations.add(tx, first, token_sha256=sha256, label="sandbox", now_us=now_us)
