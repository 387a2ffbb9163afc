"""A webhook receiver in a thread: down at first if wanted, then it answers as the test says."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_S = 20


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What to answer; status 0 hangs up without a word."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Answer = Callable[[Posted], Reply | int]


class Receiver:
    """Its URL, what was posted, and `answer`, which says what each request gets."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.posted: list[Posted] = []
        self.url = ""
        self._changed = threading.Condition()

    def take(self, posted: Posted) -> Reply:
        """Remembers the request; what it is answered."""
        with self._changed:
            self.posted.append(posted)
            self._changed.notify_all()
        reply = self.answer(posted)
        return Reply(reply) if isinstance(reply, int) else reply

    def wait_for(self, count: int) -> None:
        """Returns once so many requests have come."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.posted) >= count, TIMEOUT_S)
        assert arrived, f"{len(self.posted)} of {count} requests came"

    @property
    def contents(self) -> list[str]:
        """The texts posted, in the order they came."""
        return [posted.json["content"] for posted in list(self.posted)]


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    receiver: Receiver

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.receiver = receiver
        # Bound, and its port ours, but not listening: whoever connects is refused.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server_bind()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.receiver.take(Posted(self.path, headers, body))
        with contextlib.suppress(OSError):  # the service may have been stopped meanwhile
            if reply.status:
                self.send_response(reply.status)
                of_every_reply = {"Content-Length": str(len(reply.body)), "Connection": "close"}
                for name, value in {**of_every_reply, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Keeps quiet."""


@contextlib.contextmanager
def receiving(answer: Answer | int = 200, *, down: bool = False) -> Iterator[tuple[Receiver, Callable[[], None]]]:
    """A receiver on loopback until the block ends, and what brings it up if it was `down` so far."""
    receiver = Receiver((lambda _: answer) if isinstance(answer, int) else answer)
    server = _Server(receiver)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/webhook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})

    def up() -> None:
        server.server_activate()
        thread.start()

    if not down:
        up()
    try:
        yield receiver, up
    finally:
        if thread.ident is not None:
            server.shutdown()
            thread.join()
        server.server_close()


@contextlib.contextmanager
def silent_ports(count: int) -> Iterator[list[int]]:
    """Ports that take a connection and never say a word: nobody accepts what the kernel does."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64)) for _ in range(count)]
        yield [listener.getsockname()[1] for listener in listeners]
