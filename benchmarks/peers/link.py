"""A service whose carrier delivers 100 SMS a second: `python -m benchmarks.peers.link DATABASE COUNT` prints, for each,
its id and the monotonic clock, in nanoseconds, just before its transaction is committed."""

import asyncio
import sys
import time

import uvloop
from benchmarks import fill

from dtmf_server.config import Config
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import ingest
from dtmf_server.server import process, startup

PER_SECOND, NUMBERS = 100, 1000
WARM = 100  # not counted: connections are opened, code is loaded


class Link:
    name = "bench"

    def __init__(self, count):
        self._count, self.done = count, asyncio.Event()

    async def run(self, intake):
        await asyncio.sleep(1)
        started_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(self._count):
                await asyncio.sleep(max(0.0, started_s + n / PER_SECOND - time.monotonic()))
                sms = InboundMessage(fill.e164(n % NUMBERS), "+14155550123", f"Your verification code is {n:06d}.")
                group.create_task(intake.receive([sms], ()))
        self.done.set()
        await asyncio.Event().wait()

    async def submit(self, message_id, message):
        raise AssertionError("this carrier sends nothing")

    def can_submit(self):
        return False

    def traffic(self):
        return ()


def noting(stored):
    """Make `arrive` record when it stored an SMS, its last step before the commit."""
    receive_many = ingest.receive_many

    def receive(tx, inbound, **named):
        ids = receive_many(tx, inbound, **named)
        stored.append((ids[0], time.monotonic_ns()))
        return ids

    ingest.receive_many = receive


async def bring(url, count):
    runtime, link, stored = startup.open_runtime(Config(), url), Link(WARM + count), []
    noting(stored)
    async with process.running_workers(runtime, [link]):
        await link.done.wait()
        await asyncio.sleep(2)
    runtime.db.close()
    for id_, at_ns in stored[WARM:]:
        print(id_, at_ns)


if __name__ == "__main__":
    uvloop.run(bring(sys.argv[1], int(sys.argv[2])))
