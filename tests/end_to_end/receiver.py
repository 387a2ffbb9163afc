"""A webhook receiver in a thread: it remembers what it is posted and answers as the test says."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TIMEOUT_S = 20


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def accept(_: Posted) -> int:
    """200, whatever comes."""
    return 200


class Receiver:
    """What has been posted so far, and `answer`, which gives each request its status."""

    def __init__(self, answer: Callable[[Posted], int]) -> None:
        self.answer = answer
        self.posted: list[Posted] = []
        self.url = ""
        self._changed = threading.Condition()

    def take(self, posted: Posted) -> int:
        """Remembers the request; the status to answer with."""
        with self._changed:
            self.posted.append(posted)
            self._changed.notify_all()
        return self.answer(posted)

    def wait_for(self, count: int) -> list[Posted]:
        """Everything posted, once there are so many."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.posted) >= count, TIMEOUT_S)
        assert arrived, f"{len(self.posted)} of {count} requests came"
        return list(self.posted)

    @property
    def contents(self) -> list[str]:
        """The texts posted, in the order of their arrival."""
        return [posted.json["content"] for posted in list(self.posted)]


@contextlib.contextmanager
def receiving(
    answer: Callable[[Posted], int] = accept, *, port: int = 0, certificate: Path | None = None
) -> Iterator[Receiver]:
    """A receiver on loopback until the block ends; with a certificate it speaks HTTPS."""
    receiver = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Posted(self.command, self.path, headers, body))
            with contextlib.suppress(OSError):  # the service may have been stopped meanwhile
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/webhook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
