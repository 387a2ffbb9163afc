"""HTTP by hand: any bytes as path, headers and body, and the reply taken apart."""

import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 20


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> Any:
        """A problem's code."""
        return self.json["code"]


@dataclass(frozen=True)
class Asked:
    """A request, ready to be sent, and what its answer must be about."""

    method: str
    target: bytes
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    field: str | None = None  # what the problem has to name

    def to_bytes(self) -> bytes:
        """The request on the wire."""
        lines = [self.method.encode() + b" " + self.target + b" HTTP/1.1", b"Host: localhost"]
        lines += [name + b": " + value for name, value in self.headers]
        if self.body or self.method in ("POST", "PATCH", "PUT"):
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def __str__(self) -> str:
        return f"{self.method} {self.target!r} {self.headers!r} {self.body[:200]!r} ({len(self.body)} bytes)"


def ask_for(
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = None,
    query: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Asked:
    """A request in the usual form."""
    target = path + (f"?{urlencode(query)}" if query else "")
    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    if token is not None:
        pairs.append((b"Authorization", b"Bearer " + token.encode()))
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return Asked(method, target.encode(), raw, tuple(pairs))


class Connection:
    """A kept-alive connection to the service; opened again when the service has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._socket: socket.socket | None = None
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def send(self, asked: Asked) -> Reply:
        """The reply to the request."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(asked.to_bytes())  # the service may hang up before it has read what it refuses
        reply = self._reply(asked.method)
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Reply:
        """The reply to a request in the usual form."""
        return self.send(ask_for(method, path, body, **more))

    def _reply(self, method: str) -> Reply:
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if method == "HEAD" or status == 204:
            return Reply(status, headers, b"")
        if "chunked" in headers.get("transfer-encoding", ""):
            return Reply(status, headers, b"".join(iter(self._chunk, b"")))
        return Reply(status, headers, self._read(int(headers.get("content-length", 0))))

    def _chunk(self) -> bytes:
        length = int(self._read_until(b"\r\n"), 16)
        return self._read(length + 2)[:-2]

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _read(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._more()
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found

    def _more(self) -> None:
        assert self._socket is not None
        piece = self._socket.recv(65536)
        if not piece:
            self.close()
            raise ConnectionError("the service hung up without a whole answer")
        self._buffer += piece
