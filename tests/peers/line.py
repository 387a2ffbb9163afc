"""A TCP proxy between a service and an SMSC that breaks, stalls, garbles and fragments as a test says."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

READ_SIZE = 1 << 16
NEVER = 1 << 62
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close resets the connection


@dataclass(frozen=True)
class Trouble:
    """The faults of one connection. `up` is from the service to the SMSC, `down` the reverse."""

    up: int = NEVER  # break after this many octets
    down: int = NEVER
    resets: bool = True  # reset the connection, or close it cleanly
    garbage: bytes = b""  # sent to the service before the end
    piece: int = READ_SIZE  # octets at a time
    pause_s: float = 0.0  # after each piece


class Line:
    """Connections, each with the faults of its number, counted from 0."""

    def __init__(self, to_port: int, trouble: Callable[[int], Trouble]) -> None:
        self.connections = 0
        self._to_port, self._trouble = to_port, trouble
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: dict[asyncio.Task[None], set[asyncio.StreamWriter]] = {}
        self._server: asyncio.Server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Start accepting connections."""
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Cut all connections and refuse new ones."""
        self._run(self._close())

    def restore(self) -> None:
        """Accept connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._run(self._listen())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._listener)

    async def _close(self) -> None:
        self._server.close()
        for writers in self._open.values():
            for writer in writers:
                writer.transport.abort()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trouble = self._trouble(self.connections)
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        both = {writer, far_writer}
        if trouble.resets and not trouble.garbage:
            for each in both:
                each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._open[task] = both
        ways = [
            asyncio.ensure_future(_pass(reader, far_writer, trouble.up, trouble)),
            asyncio.ensure_future(_pass(far_reader, writer, trouble.down, trouble)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(OSError):
            writer.write(trouble.garbage)
            await writer.drain()
        for each in both:
            each.close()
        del self._open[task]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int, trouble: Trouble) -> None:
    """Forward octets until one side closes, or until a number of them has passed."""
    with contextlib.suppress(OSError):
        while left and (octets := await reader.read(min(trouble.piece, left))):
            writer.write(octets)
            await writer.drain()
            left -= len(octets)
            if trouble.pause_s:
                await asyncio.sleep(trouble.pause_s)


@contextmanager
def line(to_port: int, trouble: Callable[[int], Trouble]) -> Iterator[Line]:
    """Run a line until the block ends."""
    made = Line(to_port, trouble)
    made.start()
    try:
        yield made
    finally:
        made.stop()
