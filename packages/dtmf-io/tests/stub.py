"""A real HTTP server on loopback that responds from a script and records every byte it receives."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Act = Callable[[socket.socket], bool]
"""A function that handles one request; False closes the connection."""


@dataclass(frozen=True, slots=True)
class Received:
    """One received request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stub:
    """Handles requests in order with the acts of a script, on any connection. The last act repeats."""

    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._acts: list[Act] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._wake, self._waker = socket.socketpair()  # readable in every thread once the waker is closed
        self.arrived = threading.Semaphore(0)  # released for each request
        self.closed = threading.Semaphore(0)  # released for each connection that has ended
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def then(self, *acts: Act) -> None:
        """Add acts to the script."""
        self._acts.extend(acts)

    def answers(self, value: object, status: int = 200, **headers: str) -> None:
        """Add a JSON response to the script."""
        self.then(reply(status, json.dumps(value).encode(), **headers))

    def hang(self, _connection: socket.socket) -> bool:
        """Act: send nothing until the test ends."""
        self._closing.wait(20)
        return False

    def drip(self, connection: socket.socket) -> bool:
        """Act: send one byte of a valid response every 20 ms, for about 4 s."""
        text = b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 150 + b"\r\nContent-Length: 2\r\n\r\n{}"
        for byte in text:
            if self._closing.wait(0.02):
                return False
            connection.sendall(bytes([byte]))
        return True

    def close(self) -> None:
        """End every act and connection. May be called twice."""
        self._closing.set()
        self._waker.close()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()
        self._wake.close()

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._is_readable(self._listener):
            connection, _ = self._listener.accept()
            self.connections += 1
            self._start(self._serve, connection, self.connections)

    def _is_readable(self, source: socket.socket) -> bool:
        """Wait until there is something to read. Returns False if the test has ended."""
        return self._wake not in select.select([source, self._wake], [], [])[0]

    def _serve(self, connection: socket.socket, ordinal: int) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            connection.settimeout(20)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := self._read(connection, stream, ordinal)) is not None:
                    if not self._next_act(request)(connection):
                        break
        self.closed.release()

    def _next_act(self, request: Received) -> Act:
        with self._lock:
            self.received.append(request)
            self.arrived.release()
            return self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]

    def _read(self, connection: socket.socket, stream: Any, ordinal: int) -> Received | None:
        if not self._is_readable(connection) or not (line := stream.readline()):
            return None
        method, target, _ = line.decode("ascii").split(" ", 2)
        headers = {}
        while (header := stream.readline().decode("ascii").rstrip("\r\n")) != "":
            name, _, value = header.partition(": ")
            headers[name.lower()] = value
        body = stream.read(int(headers.get("content-length", "0")))
        return Received(method, target, headers, body, ordinal)


def reply(status: int, body: bytes = b"", **headers: str) -> Act:
    """Act: send a complete response. Header names are written with underscores."""
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, keep=True)


def problem(status: int, code: str | None = None, **members: object) -> Act:
    """Act: send an error response in the format of the service."""
    document = {"status": status, **({} if code is None else {"code": code}), **members}
    return reply(status, json.dumps(document).encode(), Content_Type="application/problem+json")


def raw(data: bytes, *, keep: bool = False) -> Act:
    """Act: send exactly these bytes, then close the connection unless it is kept alive."""

    def send(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return send


def cut(connection: socket.socket) -> bool:
    """Act: close the connection without a response."""
    return False
