"""Record carriers' traffic in this process while an operator watches, and pass it to the operator's command."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from dtmf_server.core.trace import TraceEntry
from dtmf_server.core.units import MINUTE_US
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import traces
from dtmf_server.workers.request_log import run_request_log
from dtmf_server.workers.supervisor import supervise

POLL_INTERVAL_S, PASSED_ON_S = 1.0, 0.2


async def run_traces(runtime: Runtime) -> None:
    """Switch the recorders of this process on and off, until cancelled. Costs one read of an empty table a second."""
    while True:
        is_any_on = await _pass_on(runtime)
        await asyncio.sleep(PASSED_ON_S if is_any_on else POLL_INTERVAL_S)


@asynccontextmanager
async def running_beside_api(runtime: Runtime) -> AsyncIterator[None]:
    """Run until the block ends the workers that a process needs which serves only API, website and callbacks."""
    workers = {"requests": partial(run_request_log, runtime)}
    if runtime.traces:
        workers["traces"] = partial(run_traces, runtime)
    supervisor = asyncio.create_task(supervise(workers, runtime.troubles))
    try:
        yield
    finally:
        supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await supervisor


async def _pass_on(runtime: Runtime) -> bool:
    """Write what was recorded. Return whether a carrier is watched."""
    db, now_us = runtime.db, runtime.clock.wall_us()
    watched = await db.read_autocommit(traces.watched)
    entries: list[tuple[str, TraceEntry]] = []
    for name, trace in runtime.traces.items():
        is_on = watched.get(name, 0) > now_us
        if is_on and not trace.is_on:
            entries.append((name, TraceEntry(now_us, "note", f"process {os.getpid()} records")))
        trace.is_on = is_on
        entries += [(name, entry) for entry in trace.take()]
    if entries:
        await db.write(partial(traces.add, entries=entries), durable=False)
    if any(until_us < now_us - MINUTE_US for until_us in watched.values()):
        await db.write(partial(traces.stop, before_wall_us=now_us - MINUTE_US), durable=False)
    return any(trace.is_on for trace in runtime.traces.values())
