"""Keeps workers running: one that fails is logged and started again, later each time, and the others go on.
One that only lacks the database asks for it every second: it may be back any moment.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.storage.db import Database

log = logging.getLogger("dtmf.workers")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
WITHOUT_DATABASE_PAUSE_S = 1.0
STEADY_S = 60.0  # a worker that ran this long starts over with the first pause

Worker = Callable[[], Awaitable[None]]


async def supervise(workers: Mapping[str, Worker]) -> None:
    """Runs every worker until cancelled."""
    async with asyncio.TaskGroup() as group:
        for name, worker in workers.items():
            group.create_task(_keep_running(name, worker), name=name)


def alone(db: Database, name: str, worker: Worker) -> Worker:
    """The worker, run by one process at a time: another takes over when that one dies or loses its hold."""

    async def run() -> None:
        async with db.exclusively(name) as lost:
            log.info("this process runs the %s", name)
            work, loss = asyncio.ensure_future(worker()), asyncio.ensure_future(lost.wait())
            try:
                await asyncio.wait({work, loss}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                loss.cancel()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            if work.cancelled():
                raise LostHold(name)
            work.result()

    return run


class LostHold(Exception):
    """The hold on a worker's name was lost; it is asked for again."""


async def _keep_running(name: str, worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    pause_s = FIRST_PAUSE_S
    while True:
        started_s = loop.time()
        try:
            await worker()
            log.error("worker %s returned", name)
        except Exception as error:
            if (task := asyncio.current_task()) and task.cancelling():  # it failed as it was told to stop
                raise asyncio.CancelledError from error
            if _lacks_the_database(error):
                if loop.time() - started_s > WITHOUT_DATABASE_PAUSE_S:  # it has run, or waited, since this was said
                    log.error("worker %s lacks the database, and asks for it every second", name)
                await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
                continue
            log.exception("worker %s failed", name)
        pause_s = FIRST_PAUSE_S if loop.time() - started_s > STEADY_S else min(pause_s * 2, LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


def _lacks_the_database(error: BaseException) -> bool:
    """Whether nothing but the database's absence made a worker, or the tasks it consists of, fail."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_lacks_the_database, error.exceptions))
    return isinstance(error, (StorageUnavailable, LostHold))


async def wait_for(event: asyncio.Event, *, timeout_s: float) -> None:
    """Returns when the event is set, or after the time: whoever waited looks at the tables either way."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
