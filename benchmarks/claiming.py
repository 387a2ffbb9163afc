"""The cost of claiming and finishing a delivery, with and without finished ones in the table."""

import contextlib
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import fill
from benchmarks.databases import Engine
from benchmarks.interleave import Line, at_most, ratio, rounds
from dtmf_server.core import money
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import deliver
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.delivery_log import Attempt
from dtmf_server.storage.open import open_database

LINES = 200
START_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000
URL = "https://example.org/webhook"
SAME = 1.25  # allowed difference between two measurements of the same thing

_SERIES = "WITH RECURSIVE series(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n < {count})"
_FINISHED = (
    "INSERT INTO messages (id, account_id, rental_id, inbound, sender, recipient, content, at_us, status, cost, segments) "
    "{series} SELECT n, {account} + n % {lines}, n % {lines} + 1, true, '+1234', '+1', 'text', {at}, 'received', 0, 1"
    " FROM series",
    "INSERT INTO deliveries (id, account_id, rental_id, message_id, kind, destination, state, created_at_us, attempts,"
    " due_at_us, finished_at_us) {series} SELECT n, {account} + n % {lines}, n % {lines} + 1, n, 'webhook', '{url}',"
    " 'delivered', {at}, 1, {at}, {at} FROM series",
    "INSERT INTO attempts (delivery_id, attempt, at_us, duration_us, status, reason) {series}"
    " SELECT n, 1, {at}, 1000, 200, 'the receiver answered 200' FROM series",
)


def measure(engine: Engine, count: int, times: int) -> Iterator[Line]:
    """Yield two lines."""
    urls = [_filled(engine, finished) for finished in (0, count)]
    with contextlib.ExitStack() as stack:
        none, many = (stack.enter_context(contextlib.closing(open_database(url))) for url in urls)
        claimed: dict[Database, list[deliver.LeasedDelivery]] = {}
        contenders = {}
        for behind, db in (("none", none), ("many", many)):
            contenders[f"claim {behind}"] = partial(_claim, db, claimed)
            contenders[f"finish {behind}"] = partial(_finish, db, claimed)
        rounds(contenders, 3)
        measured = rounds(contenders, times)
    for what in ("claim", "finish"):
        name = f"{what}ing with {count:,} finished in the table, {engine.name}"
        bound = at_most(SAME)
        yield ratio(measured, f"{what} many", f"{what} none", name=name, bound=bound, raw="{} µs a delivery")
    for url in urls:
        engine.drop(url)


def _filled(engine: Engine, finished: int) -> str:
    url = engine.empty()
    fill.populate(url, fill.Population(START_US, LINES, webhook=URL))
    if finished:
        series = _SERIES.format(count=finished)
        facts = {"series": series, "account": money.FIRST_CUSTOMER, "lines": LINES, "at": START_US, "url": URL}
        fill.write(url, [statement.format(**facts) for statement in _FINISHED], ("messages", "deliveries", "attempts"))
    return url


def _claim(db: Database, claimed: dict[Database, list[deliver.LeasedDelivery]]) -> float:
    """Return the microseconds per delivery, with one due delivery per lane."""
    sms = [InboundMessage(fill.e164(n), "+1234", "text") for n in range(LINES)]
    db.write_blocking(lambda tx: receive_many(tx, sms, now_us=START_US))

    def claim(tx: Tx) -> float:
        started_s = time.perf_counter()
        claimed[db] = deliver.claim(
            tx,
            now_us=START_US,
            wall_us=START_US,
            lease_us=60_000_000,
            limit=LINES,
            except_destinations=[],
        )
        return (time.perf_counter() - started_s) / LINES * 1e6

    took_us = db.write_blocking(claim)
    assert len(claimed[db]) == LINES
    return took_us


def _finish(db: Database, claimed: dict[Database, list[deliver.LeasedDelivery]]) -> float:
    """Return the microseconds per delivery."""
    attempt = Attempt(START_US, 1000, 200, "the receiver answered 200", "ok")

    def finish(tx: Tx) -> float:
        started_s = time.perf_counter()
        deliver.delivered(tx, [(work, attempt) for work in claimed[db]], now_us=START_US)
        return (time.perf_counter() - started_s) / LINES * 1e6

    return db.write_blocking(finish)
