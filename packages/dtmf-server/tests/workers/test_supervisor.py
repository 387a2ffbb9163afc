"""Workers run until they are stopped, and are restarted after a failure."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.workers.supervisor import supervise


@pytest.mark.parametrize("error", [StorageUnavailable, RuntimeError])
async def test_a_worker_that_fails_while_stopping_is_not_restarted(error: type[Exception]) -> None:
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


class Seen(logging.Handler):
    """Collects the logged lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def seen() -> Iterator[list[str]]:
    handler = Seen()
    logger = logging.getLogger("dtmf.workers")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


@pytest.mark.regression("first-failure-of-a-worker-is-logged")
@pytest.mark.parametrize("pause", [0.0, 0.001])
async def test_a_worker_without_database_from_the_start_logs_the_reason_once(
    seen: list[str], monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    starts, often = 0, asyncio.Event()
    monkeypatch.setattr("dtmf_server.workers.supervisor.WITHOUT_DATABASE_PAUSE_S", pause)

    async def worker() -> None:
        nonlocal starts
        starts += 1
        if starts == 20:
            often.set()
        raise StorageUnavailable("unsupported startup parameter: options")

    supervising = asyncio.create_task(supervise({"chores": worker}))
    async with asyncio.timeout(20):
        await often.wait()
    supervising.cancel()
    await asyncio.gather(supervising, return_exceptions=True)
    assert len(seen) == 1, seen
    (line,) = seen
    assert "worker chores failed" in line and "unsupported startup parameter: options" in line


async def test_a_worker_that_recovers_is_logged_and_no_longer_reported(
    seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtmf_server.workers.supervisor.WITHOUT_DATABASE_PAUSE_S", 0.0)
    monkeypatch.setattr("dtmf_server.workers.supervisor.RUNS_S", 0.0)
    troubles: dict[str, str] = {}
    during, starts = "", 0

    async def worker() -> None:
        nonlocal starts, during
        starts += 1
        if starts == 1:
            raise StorageUnavailable("it is away")
        during = troubles.get("chores", "")
        await asyncio.Event().wait()

    supervising = asyncio.create_task(supervise({"chores": worker}, troubles))
    for _ in range(2000):
        if len(seen) == 2:
            break
        await asyncio.sleep(0.01)
    supervising.cancel()
    await asyncio.gather(supervising, return_exceptions=True)
    assert "it is away" in during
    assert troubles == {}
    assert seen[1].startswith("worker chores runs again, after 1 failure in ")
