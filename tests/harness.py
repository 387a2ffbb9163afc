"""The real service on a free loopback port, in a thread of the test's process, with a clock that the test controls."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.core import api_token
from dtmf_server.operations import account
from dtmf_server.operations import sandbox as sandbox_operations
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.runtime.clock import Clock, wall_us
from dtmf_server.runtime.context import Runtime, Settings
from dtmf_server.server import process
from dtmf_server.server.lightning import attach_simulator
from dtmf_server.storage import instance, numbers
from dtmf_server.storage.db import Database, Tx

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
START_US = 1_514_768_461_000_000  # 2018-01-01T01:01:01


class FakeWall:
    """A wall clock that only moves when the test moves it."""

    def __init__(self, at_us: int = START_US) -> None:
        self.at_us = at_us

    def __call__(self) -> int:
        return self.at_us

    def advance(self, *, us: int = 0, seconds: float = 0) -> None:
        self.at_us += us + round(seconds * 1_000_000)


@dataclass(frozen=True)
class Group:
    """A group for a test's catalog."""

    id: str = "us-mobile"
    type: str = "mobile"
    name: str = "United States"
    country_code: str = "us"
    sms_support: bool = True
    voice_support: bool = False
    setup_cost: int = 0
    rental_cost_per_minute: int = 13
    cost_per_inbound_message: int | None = 705
    cost_per_inbound_call_minute: int | None = None
    monthly_cap: int | None = None
    reclaim_days: int = 0


def stock(tx: Tx, catalog: dict[Group, list[str]], cost_per_segment: int = 1000) -> None:
    """Add groups and their numbers to the catalog."""
    rows = [
        (position, *(getattr(group, column) for column in numbers.GROUP_COLUMNS))
        for position, group in enumerate(catalog)
    ]
    numbers.add_groups(tx, rows)
    for group, e164s in catalog.items():
        numbers.add_numbers(tx, group.id, e164s)
        if group.monthly_cap is not None or group.reclaim_days:
            numbers.set_terms(
                tx, group.id, monthly_cap=group.monthly_cap, reclaim_days=group.reclaim_days, line_type=None
            )
    numbers.set_destination(tx, "", cost_per_segment)


US_NUMBERS = [f"+120255501{number:02d}" for number in range(100)]
CATALOG = {
    Group(): US_NUMBERS,
    Group("tiny", "mobile", "One number", "xx", setup_cost=50, rental_cost_per_minute=7): ["+12025550200"],
    Group("free", "local", "Free of charge", "xx", rental_cost_per_minute=0, cost_per_inbound_message=0): [
        "+12125550100",
        "+12125550101",
    ],
}


def initialise(db: Database, catalog: dict[Group, list[str]] | None = None, *, mode: str = "sandbox") -> None:
    """Initialize an empty, migrated database as a service with a test's catalog."""

    def fill(tx: Tx) -> None:
        instance.initialise(tx, mode=mode, webhook_key=bytes(32), now_us=START_US)
        stock(tx, CATALOG if catalog is None else catalog)
        sandbox_operations.mine(tx, 1)

    db.write_blocking(fill)


def new_token(seed: int = 0) -> str:
    """Return a token that is the same for the same seed."""
    return api_token.mint(seed.to_bytes(8, "big") * 4)


def open_account(db: Database, *, seed: int = 0, now_us: int = START_US) -> int:
    """Create an account whose token is `new_token(seed)`."""
    sha256 = api_token.sha256(new_token(seed))
    return db.write_blocking(lambda tx: account.open_account(tx, token_sha256=sha256, now_us=now_us))


def runtime_over(db: Database, *, wall: Callable[[], int] = wall_us, **settings: Any) -> Runtime:
    """Return a sandbox's runtime on an open database."""
    clock = Clock(sandbox=True, wall=wall)
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    runtime = Runtime(db, clock, replace(Settings(sandbox=True), **settings), derive)
    attach_simulator(runtime)
    return runtime


@contextlib.contextmanager
def serving(runtime: Runtime, *, workers: bool = True, carriers: Sequence[SmsCarrier] = ()) -> Iterator[str]:
    """Serve the runtime until the block ends. Yields its URL."""
    running = process.running_workers(runtime, carriers) if workers else contextlib.nullcontext()
    with _serving(process.http_server(runtime, carriers), running) as url:
        yield url


@contextlib.contextmanager
def serving_console(
    runtime: Runtime,
    *,
    origin: str | None = None,
    diagnose: process.Diagnose = lambda: ([], []),
) -> Iterator[str]:
    """Serve the operator's console until the block ends. Yields its URL."""
    with _serving(process.console_server(runtime, origin=origin, diagnose=diagnose), contextlib.nullcontext()) as url:
        yield url


@contextlib.contextmanager
def _serving(server: process.Server, running: contextlib.AbstractAsyncContextManager[None]) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    failures: list[BaseException] = []

    async def serve() -> None:
        async with running:
            await server.serve(sockets=[listener])

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="service")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            threading.Event().wait(0.002)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive(), "the service did not stop"
    if failures:
        raise failures[0]


give_coins_kinds = iter(range(10**9))


def give_coins(db: Database, account_id: int, amount: int, *, now_us: int = START_US) -> None:
    """Credit a deposit, as the chain follower does."""
    from dtmf_server.operations.ledger import open_ledger

    ref = f"test:{next(give_coins_kinds)}"

    def deposit(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=now_us) as ledger:
            ledger.deposit(account_id, amount, unique_ref=ref, reference=ref)

    db.write_blocking(partial(deposit))
