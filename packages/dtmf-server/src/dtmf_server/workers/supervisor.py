"""Worker supervisor: restarts failed workers with increasing delays, while the others keep running.

A worker that only lacks the database retries twice a second. The first failure is logged with its reason at once, the
same reason again at most once a minute, and recovery once.
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
RUNS_S = 2.0  # a restarted worker that has run this long counts as recovered

Worker = Callable[[], Awaitable[None]]


async def supervise(workers: Mapping[str, Worker], troubles: dict[str, str] | None = None) -> None:
    """Run all workers until cancelled. `troubles` maps failing workers to their reason."""
    async with asyncio.TaskGroup() as group:
        for name, worker in workers.items():
            group.create_task(_keep_running(name, worker, {} if troubles is None else troubles), name=name)


def singleton(db: Database, name: str, worker: Worker) -> Worker:
    """Wrap a worker so that one process runs it at a time. Another takes over if that one dies or loses its lock."""

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
    """The worker's advisory lock was lost; it will be acquired again."""


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
            if (task := asyncio.current_task()) and task.cancelling():  # it failed while being cancelled
                raise asyncio.CancelledError from failure
            error = failure
        finally:
            if running is not None:
                running.cancel()
        lacks_database = error is not None and _lacks_the_database(error)
        troubles[name] = _reason(error)
        if line := faults.failed(troubles[name], now_s=loop.time()):
            # Log the traceback of a bug once.
            trace = error if error is not None and not lacks_database and line == troubles[name] else None
            log.error("worker %s %s", name, f"failed: {line}" if error else line, exc_info=trace)
        if lacks_database:
            await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
            continue
        pause_s = RESTARTS.pause_s(pause_s, ran_s=loop.time() - started_s)
        await asyncio.sleep(pause_s)


def _reason(error: BaseException | None) -> str:
    """Describe on one line why a worker ended, each cause once."""
    if error is None:
        return "returned, which no worker should"
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(_reason, error.exceptions)))
    said = " ".join(str(error).split())
    if isinstance(error, LockLost):
        return f"the lock of {said} was lost"
    if isinstance(error, StorageUnavailable):
        cause = " ".join(str(error.__cause__ or "").split())
        return f"the database is not available: {said}" + (f" ({cause})" if cause and cause not in said else "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _lacks_the_database(error: BaseException) -> bool:
    """True if a worker, or every failed task of it, failed only because the database was unavailable."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_lacks_the_database, error.exceptions))
    return isinstance(error, (StorageUnavailable, LockLost))
