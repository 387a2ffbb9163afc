"""Waiting for what comes: a long poll, and a stream of Server-Sent Events.

Both look at the tables, wait to be woken, and look again. Nobody keeps a transaction open while he waits or while
he writes to a socket, and no more than a page in memory: a slow reader holds nothing but himself. Who is woken with
others and asks what they ask looks with them.
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
HEARTBEAT_S = 15.0  # proxies hang up on what is silent for longer; the tables are looked at too
POSITION_MAX = INT64_MAX
PAGE = 100  # events read in one transaction and written in one piece
# Lines of the block of the next event, not blocks of their own: a block without `data:` dispatches nothing (HTML §9.2.6),
# but many readers make an empty event of it.
RETRY = b"retry: 1000\n"
HEARTBEAT = b":\n"
# In the scope of a request: what writes the rest of the answer when nothing else of the request is held any more.
STREAM_CONTINUATION = "dtmf.goes_on"

_POSITION = re.compile(r"[0-9]{1,19}")


class Positioned(Protocol):
    """Something with a place in the order of an account's events."""

    @property
    def id(self) -> int:
        """The position to go on from after it."""


def position(last_event_id: str, after: int) -> int:
    """Where to go on from: an EventSource that comes back says it in a header, with the URL it began with."""
    if not last_event_id:
        return after
    if not _POSITION.fullmatch(last_event_id) or int(last_event_id) > POSITION_MAX:
        raise InvalidRequest("Last-Event-ID", "must be the id of an event, in the digits 0 to 9")
    return int(last_event_id)


class EventStream(ASGIResponse):
    """The head of a stream of events; what follows is written by the stream itself."""

    _should_set_content_length = False

    def __init__(self, stream: "Stream") -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        self._stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Begins the answer. A stream is idle for most of its life: it should not hold a request meanwhile."""
        await self.start_response(send)
        scope[STREAM_CONTINUATION] = self._stream.run


class Stream:
    """Events as they happen, after those of the first page, until its life is over: EventSource comes back then."""

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
        """`page(after, limit)` reads on; `written` is what goes out of one; `limit`: end after so many
        events; `life_s`: end after this time."""
        self._wakeups, self._topic, self._page, self._written = wakeups, topic, page, written
        self._first, self._after, self._left, self._life_s = first, after, limit, life_s

    async def run(self, receive: Any, send: Any) -> None:
        """Writes what there is, then what comes."""
        woken = self._wakeups.listen(self._topic)
        hung_up = asyncio.create_task(until_hung_up(receive))
        hung_up.add_done_callback(lambda _: woken.set())
        try:
            await _write(send, RETRY)
            await self._live(send, woken, hung_up)
        except Refusal:  # the token was revoked, the database is away: whoever comes back is told
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
        """Waits to be woken, for the next heartbeat or for the end of the stream's life."""
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
    """Returns once the reader has taken enough of what was written before."""
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def until_hung_up(receive: Any) -> None:
    """Return once the client has hung up. `receive` is ASGI's."""
    while (await receive())["type"] != "http.disconnect":
        pass
