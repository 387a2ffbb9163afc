"""Commits that need not be durable skip the wait for the disk, and only those."""

import asyncio
from pathlib import Path

import pytest

from dtmf_server.storage import strays
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.sqlite.engine import SQLiteDatabase

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _waits_for_the_disk(tx: Tx) -> bool:
    if tx._dialect.name == "sqlite":
        return bool(tx.all("SELECT synchronous FROM pragma_synchronous")[0]["synchronous"] == 2)
    return bool(tx.all("SHOW synchronous_commit")[0]["synchronous_commit"] == "on")


async def test_only_a_batch_without_durable_writes_is_not_synced(db: Database) -> None:
    async def alone(*, durable: bool) -> bool:
        return await db.write(_waits_for_the_disk, durable=durable)

    assert [await alone(durable=durable) for durable in (True, False, False, True)] == [True, False, False, True]
    for _ in range(20):
        durable, _not_durable = await asyncio.gather(alone(durable=True), alone(durable=False))
        assert durable
    assert db.write_blocking(_waits_for_the_disk)


async def test_an_unsynced_write_is_visible_at_once(db: Database) -> None:
    for count in range(3):
        await db.write(lambda tx: strays.count(tx, {"+12025550100": 1}, now_us=0), durable=False)
        assert await db.read(_stray_messages) == count + 1


@ON_SQLITE
async def test_an_unsynced_write_is_synced_soon_without_further_commits(db: SQLiteDatabase) -> None:
    await db.write(lambda tx: strays.count(tx, {"+12025550100": 1}, now_us=0), durable=False)
    assert db._sync_by_s is not None
    async with asyncio.timeout(20):
        while db._sync_by_s is not None:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.01)
    assert db._waits_for_disk, "the wait was ended by a commit without a sync"


@ON_SQLITE
async def test_an_empty_durable_commit_syncs_earlier_writes(db: SQLiteDatabase) -> None:
    await db.write(lambda tx: strays.count(tx, {"+12025550100": 1}, now_us=0), durable=False)
    size = _size(db)
    await db.write(lambda _: None)
    assert _size(db) > size, "an empty commit did not sync"
    assert db._sync_by_s is None
    size = _size(db)
    await db.write(lambda _: None)
    assert _size(db) == size, "there was nothing left to sync"


@ON_SQLITE
async def test_further_unsynced_writes_do_not_postpone_the_sync(db: SQLiteDatabase) -> None:
    async with asyncio.timeout(20):
        while not await db.write(_waits_for_the_disk, durable=False):
            pass


def _size(db: SQLiteDatabase) -> int:
    """Return the size of its write-ahead log."""
    return Path(db._path + "-wal").stat().st_size


def _stray_messages(tx: Tx) -> int:
    return int(tx.all("SELECT unrouted_messages FROM service")[0]["unrouted_messages"])
