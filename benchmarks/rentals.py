"""1,000,000 live rentals of 100,000 accounts, on both engines.

Reading a balance (ten live rentals, settled to now), against one SELECT of one row by its key, both through
`db.read_blocking`. Settling 1,000 accounts that are out of money: triggers record every row written and its owner; every
statement's query plan is searched for scans. Memory: `dtmf-server run` after answering the same requests, over this
database and over one a thousandth of its size."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

from benchmarks import databases, fill, processes
from benchmarks.databases import Engine
from benchmarks.fill import Population
from benchmarks.interleave import Finding, Line, at_most, ratio, rounds
from benchmarks.load import get, requests_per_second
from benchmarks.plans import settle_noting
from benchmarks.size import Size
from dtmf_server.operations import account
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

DUE_EVERY = 100  # one account in this many is out of money
READS = 500
GROWTH_MAX_MIB = 16  # the page caches of SQLite's five connections, whatever the size of the file


def run(size: Size) -> Iterator[Finding]:
    """Measure both engines."""
    accounts, times = size.of((100_000, 15), (5_000, 5), (1_000, 1))
    with databases.sqlite() as files:
        yield from _measure(files, accounts, times)
    with databases.postgresql() as server:
        yield from _measure(server, accounts, times)


def _measure(engine: Engine, accounts: int, times: int) -> Iterator[Finding]:
    people = Population(
        time.time_ns() // 1000,
        accounts,
        each=10,
        soon_every=DUE_EVERY,
        soon_minutes=359,
        tokens=100,
    )
    url = _filled(engine, people)
    at = f"{people.rentals:,} rentals, {engine.name}"
    with contextlib.closing(open_database(url)) as db:
        yield _balance_read(db, people, times, at)
    yield _memory(engine, url, people, at)
    with contextlib.closing(open_database(url)) as db:
        yield from _settle(db, people, at)
    engine.drop(url)


def _filled(engine: Engine, people: Population) -> str:
    url = engine.empty()
    fill.populate(url, people)
    return url


def _balance_read(db: Database, people: Population, times: int, at: str) -> Line:
    ids = [people.account_id(n) for n in random.Random(1).sample(range(people.accounts), READS)]
    now_us = people.start_us + 30 * fill.MINUTE_US
    expected = (people.minutes - 30) * people.each * fill.COST_PER_MINUTE
    assert db.read_blocking(lambda tx: account.balance(tx, people.account_id(1), now_us=now_us)) == expected

    def balance(account_id: int, tx: Tx) -> int:
        return account.balance(tx, account_id, now_us=now_us)

    def select(account_id: int, tx: Tx) -> object:
        return tx.one("SELECT balance FROM accounts WHERE id = :id", id=account_id)

    contenders = {"balance": partial(_reads, db, ids, balance), "one SELECT": partial(_reads, db, ids, select)}
    rounds(contenders, 1)
    measured = rounds(contenders, times)
    return ratio(measured, "balance", "one SELECT", name=f"balance read, {at}", bound=at_most(3), raw="{} µs")


def _reads(db: Database, ids: list[int], read: Callable[[int, Tx], object]) -> float:
    """Return the microseconds per read."""
    started_s = perf_counter()
    for account_id in ids:
        db.read_blocking(partial(read, account_id))
    return (perf_counter() - started_s) / len(ids) * 1e6


def _memory(engine: Engine, url: str, people: Population, at: str) -> Line:
    small = _filled(engine, Population(time.time_ns() // 1000, accounts=100, each=10, tokens=100))
    small_mib, full_mib = _serving_mib(small), _serving_mib(url)
    engine.drop(small)
    return Line(
        f"memory of the service, {at}",
        full_mib - small_mib,
        at_most(GROWTH_MAX_MIB),
        f"1,000 rentals {small_mib:.0f} MiB · {people.rentals:,} rentals {full_mib:.0f} MiB",
        unit="MiB more",
    )


def _serving_mib(url: str) -> float:
    """Return the service's resident memory after some thousand requests from a hundred accounts."""
    with processes.service(url) as service:
        asking = [get(path, fill.token_of(n)) for n in range(100) for path in ("/api/v1/account", "/api/v1/numbers")]
        requests_per_second(service.port, asking, count=2000)
        return service.memory_kib() / 1024


def _settle(db: Database, people: Population, at: str) -> Iterator[Finding]:
    found = settle_noting(db, now_us=people.start_us + (people.soon_minutes + 1) * fill.MINUTE_US)
    due = people.accounts // DUE_EVERY
    assert found.due == found.settled == due, f"{found.due} due, {found.settled} settled"
    name = f"settling {due:,} accounts, {at}"
    raw = f"{found.rows_written:,} rows written, {found.rows_of_others} of accounts that were not due"
    yield Line(f"{name}: others' rows", found.rows_of_others, at_most(0), raw, unit="written")
    raw = f"{len(found.plans)} statements, plans below"
    yield Line(f"{name}: scans", len(found.scans), at_most(0), raw, unit="in the plans")
    for statement, plan in found.plans.items():
        yield "\n".join([statement, *(f"    {step}" for step in plan)])
