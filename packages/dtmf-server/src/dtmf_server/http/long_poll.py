"""Long polling: wait for something new to show, with one read for clients that wake together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from dtmf_server.http.sse import T, until_hung_up
from dtmf_server.storage.wakeups import Wakeups


async def poll(
    wakeups: Wakeups,
    topic: str,
    page: Callable[[], Awaitable[list[T]]],
    *,
    wait_s: float,
    question: Hashable,
    receive: Any,
) -> list[T]:
    """Return the page as soon as it has items, or an empty one after `wait_s`, when the client hangs up, or when the service
    stops. `receive` is ASGI's.

    Clients with the same `question` share one read, so it must identify the caller.
    """
    woken = wakeups.listen(topic)
    hung_up = asyncio.create_task(until_hung_up(receive))
    hung_up.add_done_callback(lambda _: woken.set())
    try:
        async with asyncio.timeout(wait_s):
            while True:
                woken.clear()
                found = await together(question, page)
                if found or wakeups.stopping or hung_up.done():
                    return found
                await woken.wait()
    except TimeoutError:
        return []
    finally:
        wakeups.unlisten(woken)
        hung_up.cancel()


_not_begun: dict[tuple[asyncio.AbstractEventLoop, Hashable], "asyncio.Task[Any]"] = {}


async def together(question: Hashable, page: Callable[[], Awaitable[list[T]]]) -> list[T]:
    """Read the page once for all clients that ask the same question in one turn of the event loop.

    Clients woken by the same event do. A read that has started isn't joined: it may have missed that event.
    """
    key = (asyncio.get_running_loop(), question)

    async def read() -> list[T]:
        del _not_begun[key]
        return await page()

    task: asyncio.Task[list[T]] | None = _not_begun.get(key)
    if task is None:
        task = _not_begun[key] = asyncio.create_task(read())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # all clients may have disconnected
    return await asyncio.shield(task)
