"""Workers are kept running until they are told to stop."""

import asyncio

import pytest

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.workers.supervise import supervise


@pytest.mark.parametrize("error", [StorageUnavailable, RuntimeError])
async def test_a_worker_that_fails_as_it_is_stopped_is_not_started_again(error: type[Exception]) -> None:
    starts, started = 0, asyncio.Event()

    async def worker() -> None:
        nonlocal starts
        starts += 1
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    supervising = asyncio.create_task(supervise({"one": worker}))
    async with asyncio.timeout(20):
        await started.wait()
        supervising.cancel()
        with pytest.raises(asyncio.CancelledError):
            await supervising
    assert starts == 1
