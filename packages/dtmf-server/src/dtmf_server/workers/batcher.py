"""Batch concurrent writes: while one batch is written, the next one collects."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

BATCH_MAX = 256  # default items per transaction; bounds how long its accounts are locked

T = TypeVar("T")


class Batcher(Generic[T]):
    """Passes added items to `write`, one batch at a time, with `pause_s` in between. Belongs to one event loop."""

    def __init__(
        self, write: Callable[[list[T]], Awaitable[None]], *, most: int = BATCH_MAX, pause_s: float = 0.0
    ) -> None:
        self._write = write
        self._most, self._pause_s = most, pause_s
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Add an item and wait until it is written. Raises what writing its batch raised."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def drain(self) -> None:
        """Wait until all items are written."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        while batch := self._waiting[: self._most]:
            del self._waiting[: self._most]
            error = await self._write_batch([item for item, _ in batch])
            for _, written in batch:
                if written.done():  # the caller was cancelled
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
        self._writer = None

    async def _write_batch(self, items: list[T]) -> Exception | None:
        try:
            await self._write(items)
        except Exception as error:  # raised to the callers of `add`
            return error
        return None
