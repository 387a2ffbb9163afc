"""A webhook receiver on a loopback port that answers exactly the bytes, or the misbehaviour, it is given."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_AND_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Request:
    """A request as it came."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What a receiver has seen so far."""

    port: int
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)  # SNI of each TLS connection
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # a request has come
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client has gone away


@asynccontextmanager
async def receiving(answer: bytes | Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that answers each request with these bytes, or by calling `answer`, and stays connected."""
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        receiver.connections += 1
        try:
            # One that is being taken down ends quietly too: the streams would log a cancelled task.
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
                await converse(reader, writer)
        finally:
            receiver.left.set()
            writer.transport.abort()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            receiver.requests.append(await read_request(reader))
            receiver.asked.set()
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
            await writer.drain()

    def note_server_name(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        receiver.server_names.append(name)

    if tls is not None:
        tls.sni_callback = note_server_name
    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    receiver = Receiver(server.sockets[0].getsockname()[1])
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """One request with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rows = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows)}
    assert len(headers) == len(rows), "a header was sent twice"
    return Request(line, headers, await reader.readexactly(int(headers["content-length"])))


def refused_port() -> int:
    """A loopback port that nobody listens on: bound a moment ago, closed since."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
