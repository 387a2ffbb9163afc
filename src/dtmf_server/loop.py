"""The event loop that our processes run on."""

import asyncio
import contextlib


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()
