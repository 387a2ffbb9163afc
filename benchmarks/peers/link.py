"""A service whose carrier brings 100 SMS a second: `python -m benchmarks.peers.link DATABASE COUNT` prints, for each,
its id and the nanoseconds of the monotonic clock just before its transaction is committed."""

import asyncio
import sys
import time

import uvloop
from benchmarks import fill

from dtmf_server import main, startup
from dtmf_server.config import Config
from dtmf_server.operations.receive import Inbound, receive_many

PER_SECOND, NUMBERS, DAY_US = 100, 1000, 86_400_000_000
WARM = 100  # not counted: connections are opened, code is loaded


async def bring(url, count):
    runtime = startup.open_runtime(Config(), url)
    stored = []

    def store(sms, tx):
        ids = receive_many(tx, [sms], now_us=runtime.clock.now_us(tx), rest_us=DAY_US)
        return ids[0], time.monotonic_ns()

    async def one(n):
        sms = Inbound(fill.e164(n % NUMBERS), "+14155550123", f"Your verification code is {n:06d}.")
        stored.append(await runtime.db.write(lambda tx: store(sms, tx)))

    async with main.running_workers(runtime):
        await asyncio.sleep(1)
        started_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(WARM + count):
                await asyncio.sleep(max(0.0, started_s + n / PER_SECOND - time.monotonic()))
                group.create_task(one(n))
        await asyncio.sleep(2)
    runtime.db.close()
    for id_, at_ns in stored[WARM:]:
        print(id_, at_ns)


if __name__ == "__main__":
    uvloop.run(bring(sys.argv[1], int(sys.argv[2])))
