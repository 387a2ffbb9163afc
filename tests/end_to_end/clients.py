"""Both clients with the same interface, so that each test is written once."""

import asyncio
import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

from dtmf import DTMF, AsyncDTMF

BOTH = [DTMF, AsyncDTMF]


class Awaited:
    """An asyncio client whose calls are awaited at once."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self.inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return Awaited(found, self._runner)

        def call(*arguments: Any, **named: Any) -> Any:
            return awaited(found(*arguments, **named), self._runner)

        return call


def awaited(result: Any, runner: asyncio.Runner) -> Any:
    """Return a result, after awaiting or iterating over it if necessary."""
    if inspect.isawaitable(result):
        return runner.run(_await(result))
    if hasattr(result, "__anext__"):
        return runner.run(_collect(result))
    return result


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _collect(items: Any) -> list[Any]:
    return [item async for item in items]


@contextlib.contextmanager
def client_of(kind: Any, token: str, url: str, **named: Any) -> Iterator[Any]:
    """Create a client of either kind whose calls are awaited, and close it when the block ends."""
    with asyncio.Runner() as runner:
        client = kind(token, base_url=url, **named)
        try:
            yield client if kind is DTMF else Awaited(client, runner)
        finally:
            awaited(client.close(), runner)
