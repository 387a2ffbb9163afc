"""Callbacks that arrive while others are being stored are stored together: a batch costs little more than one SMS.

1. The first request is stored at once. Those that arrive meanwhile form the next batch, in their order.
2. If a batch can't be stored, each request is stored alone, so that one that can't be stored affects no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH_MAX = 100  # requests


class Batches(Generic[T, R]):
    """The requests of one carrier, and `write`, which stores items in one transaction or raises."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[R]]) -> None:
        self._write = write
        self._waiting: dict[asyncio.Future[R], Sequence[T]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def store(self, items: Sequence[T]) -> R:
        """Return what `write` returns for the batch, once the items of a request are durable. Raises what it raises."""
        stored: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting[stored] = items
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await stored

    async def _write_all(self) -> None:
        while self._waiting:
            batch = {stored: self._waiting.pop(stored) for stored in [*islice(self._waiting, BATCH_MAX)]}
            if len(batch) == 1 or not await self._is_stored(batch):
                for stored, items in batch.items():
                    await self._store_alone(stored, items)

    async def _is_stored(self, batch: dict["asyncio.Future[R]", Sequence[T]]) -> bool:
        try:
            result = await self._write([*chain.from_iterable(batch.values())])
        except Exception:
            return False
        for stored in batch:
            if not stored.done():  # its client may have gone
                stored.set_result(result)
        return True

    async def _store_alone(self, stored: "asyncio.Future[R]", items: Sequence[T]) -> None:
        try:
            result = await self._write(items)
        except Exception as error:
            if not stored.done():
                stored.set_exception(error)
        else:
            if not stored.done():
                stored.set_result(result)
