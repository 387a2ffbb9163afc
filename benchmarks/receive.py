"""Receiving SMS, against the bare driver writing the same rows.

Ours: `receive_many` in batches, one `db.write` each: a separate durable commit. Every SMS is for a different account, in
random order; it is charged and the account's `depletes_at` recomputed. The other: the same rows that ours wrote
(messages, transfers, events, deliveries, minutes, changed accounts), prepared beforehand, written by `executemany`
(SQLite) or `unnest` (PostgreSQL) in a single transaction, on the same tables with the same indexes, constraints, triggers
and durability. Both start from a fresh copy of the same database."""

import contextlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

from benchmarks import databases, fill
from benchmarks.databases import Engine
from benchmarks.interleave import Finding, Line, at_least, ratio, rounds
from benchmarks.raw_rows import Written, insert_plainly, written_since
from benchmarks.size import Size
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

START_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000
SIZES = (100, 1000)  # of batches
FEWER = 20_000  # messages for the lines without a bound
TEXT = "Your verification code is {:06d}. It is valid for 10 minutes."

BOUNDS = {("SQLite", 100): 0.20, ("SQLite", 1000): 0.30, ("PostgreSQL", 100): 0.20, ("PostgreSQL", 1000): 0.20}


def run(size: Size) -> Iterator[Finding]:
    """Measure both engines; on SQLite also the cost of a webhook and of minutes to be booked."""
    count, times = size.of((100_000, 3), (5_000, 2), (1_000, 1))
    with databases.sqlite() as files:
        yield from _measure(files, count, times)
        if size is Size.FULL:
            yield from _measure(files, FEWER, times, later_us=30 * fill.MINUTE_US, note=", 30 minutes to book")
            yield from _measure(files, FEWER, times, webhook="https://example.org/", note=", webhook set")
        yield files.about()
    with databases.postgresql() as server:
        yield from _measure(server, count, times)
        yield server.about()


def _measure(
    engine: Engine,
    count: int,
    times: int,
    *,
    later_us: int = 10_000_000,
    webhook: str | None = None,
    note: str = "",
) -> Iterator[Line]:
    template = engine.empty()
    fill.populate(template, fill.Population(START_US, count, webhook=webhook))
    inbound = [InboundMessage(fill.e164(n), "+14155550123", TEXT.format(n)) for n in range(count)]
    random.Random(1).shuffle(inbound)
    receive = partial(_receive, engine, template, inbound, START_US + later_us)
    rows = _rows_written(engine, template, partial(_receive_all, inbound, START_US + later_us, max(SIZES)))
    contenders: dict[str, Callable[[], float]] = {f"batch {size}": partial(receive, size) for size in SIZES}
    contenders["plain"] = partial(_insert, engine, template, rows, count)
    measured = rounds(contenders, times)
    for size in SIZES:
        bound = None if note else at_least(BOUNDS[engine.name, size])
        name = f"receive {size:,} at once, {engine.name}{note}"
        yield ratio(measured, f"batch {size}", "plain", name=name, bound=bound, raw="{} SMS/s")
    engine.drop(template)


def _receive(engine: Engine, template: str, inbound: list[InboundMessage], now_us: int, size: int) -> float:
    """Return our SMS per second."""
    with _copy(engine, template) as url, contextlib.closing(open_database(url)) as db:
        started_s = perf_counter()
        _receive_all(inbound, now_us, size, db)
        return len(inbound) / (perf_counter() - started_s)


def _receive_all(inbound: list[InboundMessage], now_us: int, size: int, db: Database) -> None:
    for first in range(0, len(inbound), size):
        batch = inbound[first : first + size]
        ids = db.write_blocking(partial(_receive_batch, batch, now_us))
        assert None not in ids, "every number is rented"


def _receive_batch(batch: list[InboundMessage], now_us: int, tx: Tx) -> list[int | None]:
    return receive_many(tx, batch, now_us=now_us)


def _insert(engine: Engine, template: str, rows: Written, count: int) -> float:
    """Return the bare driver's SMS per second."""
    with _copy(engine, template) as url:
        return count / insert_plainly(url, rows)


def _rows_written(engine: Engine, template: str, work: Callable[[Database], None]) -> Written:
    with _copy(engine, template) as url:
        with contextlib.closing(open_database(url)) as db:
            work(db)
        return written_since(template, url)


@contextlib.contextmanager
def _copy(engine: Engine, template: str) -> Iterator[str]:
    url = engine.copy(template)
    try:
        yield url
    finally:
        engine.drop(url)
