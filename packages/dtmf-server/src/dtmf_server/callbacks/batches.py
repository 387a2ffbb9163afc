"""Callbacks that arrive while others are being stored are stored together: a batch costs little more than one SMS.

1. The first request is stored at once. Those that arrive meanwhile form the next batch, in their order.
2. After a batch, its senders' next requests are about to arrive. So the next batch waits, for at most `GATHER_S`, until it
   has half of the requests: batches then alternate, and one is parsed while the other one is written. Without that, a
   large batch alternates with a batch of the one request that came first, which costs nearly as much.
3. If a batch can't be stored, each request is stored alone, so that one that can't be stored affects no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH_MAX = 100  # requests
GATHER_S = 0.002


class Batches(Generic[T, R]):
    """The requests of one carrier, and `write`, which stores items in one transaction or raises."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[R]]) -> None:
        self._write = write
        self._waiting: dict[asyncio.Future[R], Sequence[T]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._enough, self._is_enough = 0, asyncio.Event()  # requests for the next batch

    async def store(self, items: Sequence[T]) -> R:
        """Return what `write` returns for the batch, once the items of a request are durable. Raises what it raises."""
        stored: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting[stored] = items
        if len(self._waiting) >= self._enough:
            self._is_enough.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await stored

    async def _write_all(self) -> None:
        batch: dict[asyncio.Future[R], Sequence[T]] = {}
        while await self._gather(after=len(batch)):
            batch = {stored: self._waiting.pop(stored) for stored in [*islice(self._waiting, BATCH_MAX)]}
            if len(batch) == 1 or not await self._is_stored(batch):
                for stored, items in batch.items():
                    await self._store_alone(stored, items)

    async def _gather(self, *, after: int) -> bool:
        """Wait for the next batch after one of so many requests. Return False if there are none."""
        self._enough = min(BATCH_MAX, (after + len(self._waiting)) // 2)
        if len(self._waiting) < self._enough:
            self._is_enough.clear()
            timer = asyncio.get_running_loop().call_later(GATHER_S, self._is_enough.set)
            await self._is_enough.wait()
            timer.cancel()
        return bool(self._waiting)

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
