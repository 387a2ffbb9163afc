"""Keeps workers running: one that fails is logged and started again, later each time, and the others go on.
One that only lacks the database asks for it twice a second: it may be back any moment. The first failure is logged with
its reason, however soon it came; the same reason again at most once a minute; and that the worker runs again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.restart_policy import RestartPolicy
from dtmf_server.storage.db import Database
from dtmf_server.workers.waiting import WITHOUT_DATABASE_PAUSE_S

log = logging.getLogger("dtmf.workers")

RESTARTS = RestartPolicy(first_s=0.5, max_s=30.0, steady_s=60.0)
RUNS_S = 2.0  # a worker that failed and has run this long runs again

Worker = Callable[[], Awaitable[None]]


async def supervise(workers: Mapping[str, Worker], troubles: dict[str, str] | None = None) -> None:
    """Runs every worker until cancelled. `troubles` has the reason of each that fails, while it does."""
    async with asyncio.TaskGroup() as group:
        for name, worker in workers.items():
            group.create_task(_keep_running(name, worker, {} if troubles is None else troubles), name=name)


def singleton(db: Database, name: str, worker: Worker) -> Worker:
    """The worker, run by one process at a time: another takes over when that one dies or loses its hold."""

    async def run() -> None:
        async with db.advisory_lock(name) as lost:
            log.info("this process runs the %s", name)
            work, loss = asyncio.ensure_future(worker()), asyncio.ensure_future(lost.wait())
            try:
                await asyncio.wait({work, loss}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                loss.cancel()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            if work.cancelled():
                raise LockLost(name)
            work.result()

    return run


class LockLost(Exception):
    """The hold on a worker's name was lost; it is asked for again."""


async def _keep_running(name: str, worker: Worker, troubles: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    pause_s, faults = 0.0, Repeats()

    def runs() -> None:
        troubles.pop(name, None)
        if lasted := faults.worked(now_s=loop.time()):
            log.warning("worker %s runs again, after %s", name, lasted)

    while True:
        started_s = loop.time()
        running = loop.call_later(RUNS_S, runs) if faults.reason is not None else None
        error: BaseException | None = None
        try:
            await worker()
        except Exception as failure:
            if (task := asyncio.current_task()) and task.cancelling():  # it failed as it was told to stop
                raise asyncio.CancelledError from failure
            error = failure
        finally:
            if running is not None:
                running.cancel()
        lacks_database = error is not None and _lacks_the_database(error)
        troubles[name] = _reason(error)
        if line := faults.failed(troubles[name], now_s=loop.time()):
            # Where our own code is at fault its traceback is worth its lines, once.
            trace = error if error is not None and not lacks_database and line == troubles[name] else None
            log.error("worker %s %s", name, f"failed: {line}" if error else line, exc_info=trace)
        if lacks_database:
            await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
            continue
        pause_s = RESTARTS.pause_s(pause_s, ran_s=loop.time() - started_s)
        await asyncio.sleep(pause_s)


def _reason(error: BaseException | None) -> str:
    """Why a worker ended, on one line, each cause once."""
    if error is None:
        return "returned, which no worker should"
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(_reason, error.exceptions)))
    said = " ".join(str(error).split())
    if isinstance(error, LockLost):
        return f"the hold on {said} was lost"
    if isinstance(error, StorageUnavailable):
        cause = " ".join(str(error.__cause__ or "").split())
        return f"the database is not available: {said}" + (f" ({cause})" if cause and cause not in said else "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _lacks_the_database(error: BaseException) -> bool:
    """Whether nothing but the database's absence made a worker, or the tasks it consists of, fail."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_lacks_the_database, error.exceptions))
    return isinstance(error, (StorageUnavailable, LockLost))
