"""Housekeeping adds transfers to the ledger's daily sums, one round after it has first seen them."""

import asyncio

import pytest

from dtmf_server.operations import verify
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import ledger_days
from dtmf_server.workers import housekeeping


def test_transfers_are_summed_in_the_second_round(
    runtime: Runtime, account: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CHORES_INTERVAL_S", 0.01)
    db = runtime.db
    newest = db.read_blocking(ledger_days.newest_id)
    assert newest > 0, "the account has coins"

    async def until_summed() -> None:
        chores = asyncio.create_task(housekeeping.run_chores(runtime))
        async with asyncio.timeout(20):
            while await db.read(ledger_days.summed_through) < newest:
                pass
        chores.cancel()
        await asyncio.gather(chores, return_exceptions=True)

    asyncio.run(until_summed())
    assert db.read_blocking(ledger_days.differences) == []
    assert db.read_blocking(verify.differences) == []
