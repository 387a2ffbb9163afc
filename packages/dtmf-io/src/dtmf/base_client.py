"""The part of both clients below their methods: sending, waiting, following events, paging, and closing connections."""

from __future__ import annotations

import os

from .cursors import Cursors
from .pagination import next_after
from .settings import changed, valid_key

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any, Self

    from .operation import Answer, Call
    from .settings import Settings
    from .types import Event
    from .waiters import Wait


class BaseClient:
    """The shared part of both clients: settings, cursors of the waits, and the engines, which are created on use."""

    def __init__(self, settings: Settings, transport: object, cursors: dict[str, int] | None = None) -> None:
        self._settings = settings
        self._transport: Any = transport
        self._cursors = Cursors(cursors)
        self._engines: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings!r})"

    @property
    def last_request_id(self) -> str | None:
        """The request ID of the last response, as in the service's log. Threads and tasks that share a client share it."""
        return self._settings.request_id

    def with_options(
        self, *, timeout: float | None = None, max_retries: int | None = None, idempotency_key: str | None = None
    ) -> Self:
        """Return a client with other options, which shares this client's connections and waits. With an `idempotency_key`,
        repeating a call with the same arguments, also in another process, takes effect once."""
        old = self._settings
        settings = changed(
            old,
            timeout_s=old.timeout_s if timeout is None else timeout,
            max_retries=old.max_retries if max_retries is None else max_retries,
        )
        if idempotency_key is not None:
            settings.key = valid_key(idempotency_key)
        other = type(self).__new__(type(self))
        other._settings, other._transport = settings, self._transport
        other._cursors, other._engines = self._cursors, self._engines
        return other

    def __reduce__(self) -> tuple[object, ...]:
        # Include the cursors: a copy that waits for a code must not return the last one again.
        return _restored, (type(self), self._settings, self._transport, self._cursors.all())


class BlockingClient(BaseClient):
    """A client whose calls block. Threads may share it."""

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        engine = self._engines.pop(os.getpid(), self._transport)
        if hasattr(engine, "close"):
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _perform(self, call: Call[Answer], *, key: str = "", settings: Settings | None = None) -> Answer:
        from .sender import perform  # noqa: PLC0415  # the network code is loaded when it is first needed

        return perform(call, settings or self._settings, self._engine(), key=key or self._settings.key)

    def _wait(self, wanted: Wait[Answer]) -> Answer:
        from .sender import wait  # noqa: PLC0415  # as above

        return wait(wanted, self._settings, self._cursors, self._engine())

    def _follow(self, after: int) -> Iterator[Event]:
        from .sender import events, poll  # noqa: PLC0415  # as above

        follow = events(after, self._settings)
        while True:
            yield from poll(follow, self._engine())

    def _engine(self) -> Any:
        """Return the caller's transport, else the engine of this process: a fork must not write to its parent's
        connections. Threads share one engine, because setdefault() is atomic and an unused engine costs nothing."""
        if self._transport is not None:
            return self._transport
        engine = self._engines.get(os.getpid())
        if engine is None:
            from .http_transport import HttpTransport  # noqa: PLC0415  # as above

            engine = self._engines.setdefault(os.getpid(), HttpTransport(*self._settings.route))
        return engine

    def _pages(
        self,
        page_after: Callable[[int], Call[list[Answer]]],
        first: Call[list[Answer]],
        after: int,
        next_cursor: Callable[[list[Answer], int], int | None] = next_after,
    ) -> Iterator[Answer]:
        call, cursor = first, after
        while True:
            page = self._perform(call)
            yield from page
            following = next_cursor(page, cursor)
            if following is None:
                return
            call, cursor = page_after(following), following


class AsyncioClient(BaseClient):
    """A client whose calls are coroutines of asyncio. Tasks may share it."""

    async def close(self) -> None:
        """Close the connections of this event loop. A later call opens new ones."""
        engine = self._engines.pop(_here(), self._transport)
        if hasattr(engine, "close"):
            await engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self.close()

    async def _perform(self, call: Call[Answer], *, key: str = "", settings: Settings | None = None) -> Answer:
        from .sender import perform_async  # noqa: PLC0415  # the network code is loaded when it is first needed

        return await perform_async(call, settings or self._settings, self._engine(), key=key or self._settings.key)

    async def _wait(self, wanted: Wait[Answer]) -> Answer:
        from .sender import wait_async  # noqa: PLC0415  # as above

        return await wait_async(wanted, self._settings, self._cursors, self._engine())

    async def _follow(self, after: int) -> AsyncIterator[Event]:
        from .sender import events, poll_async  # noqa: PLC0415  # as above

        follow = events(after, self._settings)
        while True:
            for event in await poll_async(follow, self._engine()):
                yield event

    def _engine(self) -> Any:
        """Return the caller's transport, else the engine of this event loop: connections are bound to their loop."""
        here = _here()
        if self._transport is not None:
            return self._transport
        engine = self._engines.get(here)
        if engine is None:
            from .http_transport import async_engine  # noqa: PLC0415  # as above

            for other in [place for place in self._engines if place[1].is_closed()]:
                self._engines.pop(other, None)
            engine = self._engines.setdefault(here, async_engine(*self._settings.route))
        return engine

    async def _pages(
        self,
        page_after: Callable[[int], Call[list[Answer]]],
        first: Call[list[Answer]],
        after: int,
        next_cursor: Callable[[list[Answer], int], int | None] = next_after,
    ) -> AsyncIterator[Answer]:
        call, cursor = first, after
        while True:
            page = await self._perform(call)
            for item in page:
                yield item
            following = next_cursor(page, cursor)
            if following is None:
                return
            call, cursor = page_after(following), following


def _restored(
    kind: type[BaseClient], settings: Settings, transport: object, cursors: dict[str, int] | None = None
) -> BaseClient:
    client = kind.__new__(kind)
    BaseClient.__init__(client, settings, transport, cursors)
    return client


def _here() -> tuple[int, Any]:
    from asyncio import get_running_loop  # noqa: PLC0415  # 30 ms that a blocking client does not need

    try:
        return os.getpid(), get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "AsyncDTMF needs a running asyncio event loop. Under trio, call DTMF with trio.to_thread.run_sync()"
        ) from None
