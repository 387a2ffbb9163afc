"""The event loop: uvloop where it runs, asyncio's elsewhere."""

import asyncio
from contextlib import suppress


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()
