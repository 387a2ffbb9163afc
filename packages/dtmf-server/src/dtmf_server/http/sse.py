"""Server-Sent Events: a stream of an account's events.

A stream reads a page from the database, waits to be woken, and reads again. No transaction stays open while a client
waits or is being written to, and at most one page is in memory; a slow reader costs one socket.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from litestar.response.base import ASGIResponse

from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.core.units import INT64_MAX
from dtmf_server.storage.wakeups import Wakeups

T = TypeVar("T")
Event = TypeVar("Event", bound="Positioned")

WAIT_MAX_S = 60
HEARTBEAT_S = 15.0  # proxies close connections that are idle for longer; also polls the tables
POSITION_MAX = INT64_MAX
PAGE = 100  # events per transaction and write
# Lines of the next event's block, not blocks of their own: a block without `data:` must not dispatch an event
# (HTML §9.2.6), but many clients dispatch an empty one.
RETRY = b"retry: 1000\n"
HEARTBEAT = b":\n"
# Scope key: the coroutine that writes the rest of the response after the request has been released.
STREAM_CONTINUATION = "dtmf.goes_on"

_POSITION = re.compile(r"[0-9]{1,19}")


class Positioned(Protocol):
    """An item with a position in the account's events."""

    @property
    def id(self) -> int:
        """The position to resume from."""


def position(last_event_id: str, after: int) -> int:
    """Return the position to resume from. A reconnecting EventSource sends it in a header, with the original URL."""
    if not last_event_id:
        return after
    if not _POSITION.fullmatch(last_event_id) or int(last_event_id) > POSITION_MAX:
        raise InvalidRequest("Last-Event-ID", "must be the id of an event, with digits 0 to 9 only")
    return int(last_event_id)


class EventStream(ASGIResponse):
    """The response head of an event stream; the stream writes the body."""

    _should_set_content_length = False

    def __init__(self, stream: "Stream") -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        self._stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Start the response. A stream is mostly idle, so it must not keep the request in memory."""
        await self.start_response(send)
        scope[STREAM_CONTINUATION] = self._stream.run


class Stream:
    """Streams the first page, then new events, until its lifetime ends; EventSource then reconnects."""

    __slots__ = ("_after", "_first", "_left", "_life_s", "_page", "_topic", "_wakeups", "_written")

    def __init__(
        self,
        wakeups: Wakeups,
        topic: str,
        page: Callable[[int, int], Awaitable[Sequence[Event]]],
        written: Callable[[Event], bytes],
        *,
        first: Sequence[Event],
        after: int,
        limit: int | None,
        life_s: float,
    ) -> None:
        """`page(after, limit)` reads more events; `written` encodes one; `limit`: maximum number of events; `life_s`:
        lifetime."""
        self._wakeups, self._topic, self._page, self._written = wakeups, topic, page, written
        self._first, self._after, self._left, self._life_s = first, after, limit, life_s

    async def run(self, receive: Any, send: Any) -> None:
        """Write stored events, then new ones."""
        woken = self._wakeups.listen(self._topic)
        hung_up = asyncio.create_task(until_hung_up(receive))
        hung_up.add_done_callback(lambda _: woken.set())
        try:
            await _write(send, RETRY)
            await self._live(send, woken, hung_up)
        except Refusal:  # token revoked or database unavailable: the client learns why when it reconnects
            return
        finally:
            self._wakeups.unlisten(woken)
            hung_up.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _live(self, send: Any, woken: asyncio.Event, hung_up: "asyncio.Task[None]") -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        over_at = began_at + self._life_s
        page, self._first = self._first, []
        is_behind = True  # events may have been committed between the first page and the first wake-up
        while not hung_up.done():
            if page:
                await self._pass_on(send, page)
                if self._left == 0 or loop.time() >= began_at + WAIT_MAX_S:
                    return
            elif not is_behind and (self._wakeups.stopping or loop.time() >= over_at):
                return
            if not is_behind:
                await self._wait(send, woken, over_at=over_at)
            woken.clear()
            limit = PAGE if self._left is None else min(PAGE, self._left)
            page = await self._page(self._after, limit)
            is_behind = len(page) == limit

    async def _wait(self, send: Any, woken: asyncio.Event, *, over_at: float) -> None:
        """Wait for a wake-up, the next heartbeat or the end of the lifetime."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + HEARTBEAT_S
        alarm = loop.call_at(min(beat_at, over_at), woken.set)
        await woken.wait()
        alarm.cancel()
        if loop.time() >= beat_at:
            await _write(send, HEARTBEAT)

    async def _pass_on(self, send: Any, page: Sequence[Any]) -> None:
        await _write(send, b"".join(map(self._written, page)))
        self._after = page[-1].id
        if self._left is not None:
            self._left -= len(page)


async def _write(send: Any, body: bytes) -> None:
    """Write to the client; wait while its buffer is full."""
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def until_hung_up(receive: Any) -> None:
    """Return once the client has hung up. `receive` is ASGI's."""
    while (await receive())["type"] != "http.disconnect":
        pass
