"""Measure the cost of a statement through SQLAlchemy Core and through the driver, on SQLite in memory. Medians of 31 runs."""

import sqlite3
import time
from collections.abc import Callable
from statistics import median

import sqlalchemy as sa

from dtmf_server.storage.db import Tx
from dtmf_server.storage.schema import numbers
from dtmf_server.storage.sqlite.dialect import SQLite

ROWS = 1000

core = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool).connect()
driver = core.connection.driver_connection
assert isinstance(driver, sqlite3.Connection)
driver.row_factory = sqlite3.Row
numbers.create(core)
tx = Tx(SQLite(), driver.cursor())
tx.insert(numbers, ("e164", "group_id", "rented", "rests_until_us"), [(f"+1{n}", "us", False, 0) for n in range(ROWS)])

select = sa.select(numbers.c.group_id).where(numbers.c.e164 == sa.bindparam("e164"))
update = sa.update(numbers).where(numbers.c.e164 == sa.bindparam("key")).values(rests_until_us=sa.bindparam("us"))


def select_by_core() -> None:
    """Reads each row by its key."""
    for n in range(ROWS):
        core.execute(select, {"e164": f"+1{n}"}).one()


def select_by_driver() -> None:
    """The same."""
    for n in range(ROWS):
        tx.one("SELECT group_id FROM numbers WHERE e164 = :e164", e164=f"+1{n}")


def update_by_core() -> None:
    """Updates all rows at once."""
    core.execute(update, [{"key": f"+1{n}", "us": n} for n in range(ROWS)])


def update_by_driver() -> None:
    """The same."""
    tx.update(numbers, ("e164", "rests_until_us"), [(f"+1{n}", n) for n in range(ROWS)])


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def compare(by_core: Callable[[], None], by_driver: Callable[[], None]) -> tuple[float, float]:
    """The medians of both, run in turns."""
    pairs = [(seconds(by_core), seconds(by_driver)) for _ in range(31)]
    return median(core_s for core_s, _ in pairs), median(driver_s for _, driver_s in pairs)


core_s, driver_s = compare(select_by_core, select_by_driver)
to_us = 1e6 / ROWS
print(f"one row by key: Core {core_s * to_us:.1f} us, driver {driver_s * to_us:.1f} us, ratio {core_s / driver_s:.1f}")
core_s, driver_s = compare(update_by_core, update_by_driver)
print(
    f"{ROWS:,} updates at once: Core {core_s * 1e3:.1f} ms, driver {driver_s * 1e3:.1f} ms,"
    f" ratio {core_s / driver_s:.1f}"
)
