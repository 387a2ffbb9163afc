"""Wait for an event or for time to pass."""

import asyncio

WITHOUT_DATABASE_PAUSE_S = 0.5  # it may be back at any moment


async def wait_for(event: asyncio.Event, *, timeout_s: float) -> None:
    """Wait until the event is set, but at most `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
