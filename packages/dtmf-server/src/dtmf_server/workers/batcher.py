"""Writing down together what comes at the same time: while one batch is written, the next one gathers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

BATCH_MAX = 256  # in one transaction, unless told otherwise: bounds how long it holds its accounts

T = TypeVar("T")


class Batcher(Generic[T]):
    """Hands what is added to `write`, one batch after another, `pause_s` between two. Belongs to one event loop."""

    def __init__(
        self, write: Callable[[list[T]], Awaitable[None]], *, most: int = BATCH_MAX, pause_s: float = 0.0
    ) -> None:
        self._write = write
        self._most, self._pause_s = most, pause_s
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Returns once the item is written. Raises what writing its batch raised."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await written

    async def drain(self) -> None:
        """Returns once nothing waits any more."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        while batch := self._waiting[: self._most]:
            del self._waiting[: self._most]
            error = await self._write_batch([item for item, _ in batch])
            for _, written in batch:
                if written.done():  # whoever added it was cancelled
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
        except Exception as error:  # it belongs to those who wait
            return error
        return None
