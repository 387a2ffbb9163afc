"""Replies of a simulated provider's API, also those that end in the middle."""

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Reply:
    """A reply. Status 0 closes the connection without one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def dumps(value: object) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


def handler_of(answer: Callable[[str, str, str, bytes], Reply]) -> type[BaseHTTPRequestHandler]:
    """Return a handler that replies what `answer` returns for a method, path, Authorization header and body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(b"")

        def do_DELETE(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("content-length", "0"))))

        def _reply(self, body: bytes) -> None:
            reply = answer(self.command, self.path, self.headers.get("authorization", ""), body)
            self.close_connection = reply.status == 0 or "Content-Length" in reply.headers
            if reply.status == 0:  # reset, so that the client sees it at once
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return
            self.send_response(reply.status)
            for name, value in (
                {"Content-Type": "application/json", "Content-Length": str(len(reply.body))} | reply.headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
