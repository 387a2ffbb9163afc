"""A light load generator: keep-alive connections that send the next request as soon as they are answered, in one thread."""

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import cast

import uvloop

TIMEOUT_S = 120.0


class _Asker(asyncio.Protocol):
    """One connection. Every answer is as long as the first one to the same request."""

    def __init__(self, requests: "itertools.cycle[bytes]", left: list[int], done: "asyncio.Future[None]") -> None:
        self._requests, self._left, self._done = requests, left, done
        self._got = b""
        self._length = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport is not a subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Send the next request once the answer is complete."""
        self._got += data
        if not self._length and b"\r\n\r\n" in self._got:
            self._length = _length(self._got)
        if self._length and len(self._got) >= self._length:
            if not self._got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204")):
                self._fail(f"refused: {self._got[:200]!r}")
                return
            self._got, self._length = self._got[self._length :], 0
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if the server closes the connection."""
        self._fail(f"the connection was closed: {error}")

    def _ask(self) -> None:
        assert self.transport is not None
        if self._left[0] <= 0:
            if not self._done.done():
                self._done.set_result(None)
            return
        self._left[0] -= 1
        self.transport.write(next(self._requests))

    def _fail(self, reason: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(reason))


def _length(answer: bytes) -> int:
    head, _, _ = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((line for line in lines if line.startswith(b"content-length:")), b":0")  # a 204 has none
    return len(head) + 4 + int(length.partition(b":")[2])


def get(path: str, token: str = "") -> bytes:
    """Return a request as a client would send it."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{authorization}\r\n".encode()


def requests_per_second(port: int, requests: Sequence[bytes], *, count: int, connections: int = 16) -> float:
    """Return the answers per second, over `count` of them; each must be a 200 or 204."""
    return uvloop.run(_load(port, requests, count, connections))


async def _load(port: int, requests: Sequence[bytes], count: int, connections: int) -> float:
    loop = asyncio.get_running_loop()
    asked, left = itertools.cycle(requests), [count]
    done = [loop.create_future() for _ in range(connections)]
    started_s = perf_counter()
    opened = [await loop.create_connection(partial(_Asker, asked, left, one), "127.0.0.1", port) for one in done]
    async with asyncio.timeout(TIMEOUT_S):
        await asyncio.gather(*done)
    took_s = perf_counter() - started_s
    for transport, _ in opened:
        transport.abort()
    return count / took_s
