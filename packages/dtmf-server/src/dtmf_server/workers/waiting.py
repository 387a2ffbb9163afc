"""Wait for an event or for time to pass."""

import asyncio

WITHOUT_DATABASE_PAUSE_S = 0.5  # it may be back any moment


async def wait_for(event: asyncio.Event, *, timeout_s: float) -> None:
    """Returns when the event is set, or after the time: whoever waited looks at the tables either way."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
