"""Webhook receivers on loopback.

`receiving` runs in a thread: it records the requests and responds as the test says. `receiving_raw` runs in the test's
event loop, and responds with exactly the given bytes or misbehaviour.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TIMEOUT_S = 20


@dataclass(frozen=True)
class Posted:
    """One received request."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A response. Status 0 closes the connection without one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Answer = Callable[[Posted], Reply | int]


class Receiver:
    """Its URL, the received requests, `answer`, which selects each response, and `bring_up` for one that is down."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.posted: list[Posted] = []
        self.url = ""
        self.bring_up: Callable[[], None] = lambda: None
        self._changed = threading.Condition()

    def take(self, posted: Posted) -> Reply:
        """Record the request and return the response to it."""
        with self._changed:
            self.posted.append(posted)
            self._changed.notify_all()
        reply = self.answer(posted)
        return Reply(reply) if isinstance(reply, int) else reply

    def wait_for(self, count: int) -> list[Posted]:
        """Wait for a number of requests, and return all requests."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.posted) >= count, TIMEOUT_S)
        assert arrived, f"{len(self.posted)} of {count} requests came"
        return list(self.posted)

    @property
    def contents(self) -> list[str]:
        """Return the posted texts in the order of their arrival."""
        return [posted.json["content"] for posted in list(self.posted)]


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    receiver: Receiver

    def __init__(self, receiver: Receiver, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler, bind_and_activate=False)
        self.receiver = receiver
        # Bound but not listening, so connections are refused.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server_bind()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.receiver.take(Posted(self.command, self.path, headers, body))
        with contextlib.suppress(OSError):  # the service may have stopped
            if reply.status:
                self.send_response(reply.status)
                of_every_reply = {"Content-Length": str(len(reply.body)), "Connection": "close"}
                for name, value in {**of_every_reply, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def receiving(
    answer: Answer | int = 200, *, down: bool = False, port: int = 0, certificate: Path | None = None
) -> Iterator[Receiver]:
    """Run a receiver until the block ends, `down` until it is brought up. With a certificate, it uses HTTPS."""
    receiver = Receiver((lambda _: answer) if isinstance(answer, int) else answer)
    server = _Server(receiver, port)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/webhook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})

    def bring_up() -> None:
        server.server_activate()
        thread.start()

    receiver.bring_up = bring_up
    if not down:
        bring_up()
    try:
        yield receiver
    finally:
        if thread.ident is not None:
            server.shutdown()
            thread.join()
        server.server_close()


@contextlib.contextmanager
def silent_ports(count: int) -> Iterator[list[int]]:
    """Ports that accept connections in the kernel but never respond, because no process accepts them."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(count)]
        yield [listener.getsockname()[1] for listener in listeners]


# --- in the test's event loop -------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_AND_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class RawRequest:
    """A received request."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(slots=True)
class RawReceiver:
    """The requests and connections that a receiver has seen so far."""

    port: int
    connections: int = 0
    requests: list[RawRequest] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)  # SNI of each TLS connection
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # a request has arrived
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client has disconnected


@contextlib.asynccontextmanager
async def receiving_raw(answer: bytes | Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawReceiver]:
    """Run a receiver that responds to each request with these bytes, or by calling `answer`, and stays connected."""
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        receiver.connections += 1
        try:
            # End silently when shutting down too: asyncio streams log a cancelled task.
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
            ):
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
    receiver = RawReceiver(server.sockets[0].getsockname()[1])
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> RawRequest:
    """Read one request with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rows = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows)}
    assert len(headers) == len(rows), "a header was sent twice"
    return RawRequest(line, headers, await reader.readexactly(int(headers["content-length"])))


def refused_port() -> int:
    """Return a loopback port without a listener: bound a moment ago, then closed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
