"""Idle and slow connections are closed and don't starve other clients.

DTMF_TEST_SLOW   how many of them there are (default 90; `make prove` takes 1,000)
"""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from itertools import count
from urllib.parse import urlsplit

import pytest

from dtmf_server.asgi import protocol
from dtmf_server.server.process import allow_many_sockets
from support.connection import TIMEOUT_S, Connection

from .operations import ONE_ENGINE, Renter

SLOW = int(os.environ.get("DTMF_TEST_SLOW", "90"))
HEALTHY = 100
SILENT = b""
IN_HEAD = b"GET /api/v1/account HTTP/1.1\r\nHost: localhost\r\nX-Drip: "
IN_BODY = b"POST /api/v1/numbers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"


@contextlib.contextmanager
def slow(url: str, beginnings: list[bytes]) -> Iterator[list[socket.socket]]:
    """Connections that have sent so much of a request."""
    address = urlsplit(url)
    with contextlib.ExitStack() as stack:
        opened = []
        for beginning in beginnings:
            connection = socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_S)
            opened.append(stack.enter_context(connection))
            connection.sendall(beginning)
        yield opened


@ONE_ENGINE
def test_slow_connections_do_not_starve_other_clients(url: str, renter: Renter, connection: Connection) -> None:
    allow_many_sockets()
    beginnings = [[SILENT, IN_HEAD, IN_BODY][n % 3] for n in range(SLOW)]
    with slow(url, beginnings) as opened:
        statuses = []
        for n in range(HEALTHY):
            with contextlib.suppress(ConnectionError):
                opened[n % SLOW].sendall(b"x" if beginnings[n % SLOW] else b"")
            statuses.append(connection.ask("GET", "/api/v1/account", token=renter.token).status)
    wrong = sum(status != 200 for status in statuses)
    print(f"{SLOW} slow connections: {wrong} errors of {HEALTHY} healthy requests")
    assert wrong == 0


@pytest.mark.parametrize(
    ("beginning", "answer"),
    [(SILENT, b""), (IN_HEAD, b"HTTP/1.1 408 "), (IN_HEAD[:5], b"HTTP/1.1 408 "), (IN_BODY, b"HTTP/1.1 408 ")],
)
@ONE_ENGINE
def test_a_request_that_does_not_become_whole_is_hung_up_on_however_it_drips(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, beginning: bytes, answer: bytes
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.3)
    with slow(url, [beginning]) as (connection,):
        connection.settimeout(0.02)
        received = b""
        for _ in count():
            with contextlib.suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
                connection.sendall(b"x" if beginning else b"")
            with contextlib.suppress(TimeoutError):
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    break
                received += piece
                if not piece:
                    break
    with Connection(url) as another:  # by whose answer the service has noticed that the first one is gone
        assert another.ask("GET", "/healthz").status == 200
    assert received[: len(answer) or 1] == answer
    assert b"request_timeout" in received or not answer
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@ONE_ENGINE
def test_a_connection_stays_open_while_answering_and_between_requests(
    url: str, renter: Renter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.3)
    with Connection(url) as connection:
        for _ in range(2):  # each waits longer than a request may take to arrive
            reply = connection.ask("GET", "/api/v1/messages?after=999999&wait=1", token=renter.token)
            assert (reply.status, reply.json, reply.headers.get("connection")) == (200, [], None)
