"""A client that closes its side of the connection after a complete request gets its response. A client that closed both
sides occupies the service for a few seconds at most.

The service can't tell `shutdown(SHUT_WR)` from `close` until it sends something."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from dtmf_server.asgi import protocol
from dtmf_server.asgi.protocol import Protocol
from dtmf_server.storage.db import Database
from support.connection import TIMEOUT_S, Asked, Connection, ask_for
from support.streaming import listening

from .operations import Renter
from .test_broken_connections import rented_and_spent

NUMBERS = "/api/v1/numbers"


@contextmanager
def opened(url: str, *asked: Asked, more: bytes = b"") -> Iterator[socket.socket]:
    """Yield a connection on which these requests were sent."""
    parts = urlsplit(url)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)) as connection:
        connection.sendall(b"".join(each.to_bytes() for each in asked) + more)
        yield connection


@contextmanager
def half_closed(url: str, *asked: Asked, more: bytes = b"") -> Iterator[socket.socket]:
    """Yield a connection on which these requests were sent and our side was closed."""
    with opened(url, *asked, more=more) as connection:
        connection.shutdown(socket.SHUT_WR)
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Return everything that the service sends until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answers(url: str, *asked: Asked, more: bytes = b"") -> list[tuple[int, bytes]]:
    """Return the status and body of each response on a half-closed connection."""
    with half_closed(url, *asked, more=more) as connection:
        left = read_all(connection)
    found = []
    while left:
        head, _, left = left.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        found.append((int(lines[0].split()[1]), left[:length]))
        left = left[length:]
    return found


def listed(renter: Renter, **query: object) -> Asked:
    """Return a request for the account's messages."""
    return ask_for("GET", "/api/v1/messages", token=renter.token, query=query)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the service wait a tenth of a second for a client that may have disconnected."""
    monkeypatch.setattr(protocol, "HALF_CLOSED_S", 0.1)


def readers(db: Database) -> list[str]:
    """Return the topics that streams and long polls listen to."""
    return [topic for topics in [*db.wakeups._topics.values()] for topic in topics if topic.startswith("events/")]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> set[Protocol]:
    """Return the service's open connections."""
    found: set[Protocol] = set()
    made, lost = Protocol.connection_made, Protocol.connection_lost

    def connection_made(self: Protocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        found.add(self)

    def connection_lost(self: Protocol, exc: Exception | None) -> None:
        lost(self, exc)
        found.remove(self)

    monkeypatch.setattr(Protocol, "connection_made", connection_made)
    monkeypatch.setattr(Protocol, "connection_lost", connection_lost)
    return found


def until(is_so: Callable[[], Any]) -> None:
    """Return as soon as the condition holds."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline_s, "the condition does not hold"
        time.sleep(0.01)


def test_a_get_is_answered(url: str, renter: Renter) -> None:
    ((status, body),) = answers(url, ask_for("GET", "/api/v1/account", token=renter.token))
    assert status == 200
    assert "balance" in json.loads(body)


def test_a_rental_is_made_once_and_answered(url: str, db: Database, renter: Renter) -> None:
    rentals, _ = rented_and_spent(db, renter.account_id)
    ((status, body),) = answers(url, ask_for("POST", NUMBERS, {"group_id": "us-mobile"}, token=renter.token))
    assert status == 201
    assert json.loads(body)["e164"].startswith("+1")
    assert rented_and_spent(db, renter.account_id)[0] == rentals + 1


def test_pipelined_requests_are_answered_in_their_order(url: str, renter: Renter) -> None:
    rent = ask_for("POST", NUMBERS, {"group_id": "us-mobile"}, token=renter.token)
    account = ask_for("GET", "/api/v1/account", token=renter.token)
    assert [status for status, _ in answers(url, account, rent, account, ask_for("GET", "/healthz"))] == [
        *(200, 201, 200, 200)
    ]


@pytest.mark.parametrize("cut", [20, -1])
def test_a_request_that_is_not_whole_is_not_answered_and_has_no_effect(
    url: str, db: Database, renter: Renter, cut: int
) -> None:
    before = rented_and_spent(db, renter.account_id)
    rent = ask_for("POST", NUMBERS, {"group_id": "us-mobile"}, token=renter.token).to_bytes()
    account = ask_for("GET", "/api/v1/account", token=renter.token)
    assert [status for status, _ in answers(url, account, more=rent[:cut])] == [200]
    assert answers(url, more=rent[:cut]) == []
    assert rented_and_spent(db, renter.account_id) == before


def test_what_cannot_be_read_is_refused_after_the_answers_before_it(url: str, renter: Renter) -> None:
    account = ask_for("GET", "/api/v1/account", token=renter.token)
    assert [status for status, _ in answers(url, account, more=b"\x00\r\n\r\n")] == [200, 400]


def test_an_idle_connection_is_closed(url: str) -> None:
    with half_closed(url) as connection:
        assert read_all(connection) == b""


def test_a_long_poll_is_answered_if_something_comes_soon(url: str, db: Database, renter: Renter) -> None:
    newest = answers(url, listed(renter))[0][1]
    with listening(db) as waits, half_closed(url, listed(renter, after=json.loads(newest)[-1]["id"], wait=60)) as open_:
        assert waits.wait(20)
        sms = {"to": renter.e164, "from": "+1234", "content": "while it waits"}
        assert answers(url, ask_for("POST", "/api/v1/sandbox/message", sms, token=renter.token))[0][0] == 201
        assert b"while it waits" in read_all(open_)


@pytest.mark.usefixtures("short_grace")
def test_a_long_poll_ends_with_the_grace(url: str, db: Database, renter: Renter) -> None:
    with listening(db) as waits, opened(url, listed(renter, after=10**9, wait=60)) as connection:
        assert waits.wait(20)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""  # long before the 60 s
    until(lambda: not readers(db))


@pytest.mark.usefixtures("short_grace")
def test_a_stream_of_events_sends_what_there_is_and_ends_with_the_grace(url: str, db: Database, renter: Renter) -> None:
    with opened(url, ask_for("GET", "/api/v1/events", token=renter.token)) as connection:
        sent = b""
        while b"event: message" not in sent:
            sent += connection.recv(65536)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    assert sent.startswith(b"HTTP/1.1 200")
    until(lambda: not readers(db))


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/messages?wait=60&after=1000000000", NUMBERS])
def test_two_hundred_connections_that_hang_up_leave_nothing(
    url: str, db: Database, renter: Renter, connections: set[Protocol], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.WARNING)
    asked, parts = ask_for("GET", path, token=renter.token).to_bytes(), urlsplit(url)
    with ExitStack() as stack:
        for _ in range(200):
            connection = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)
            stack.enter_context(closing(connection))
            connection.sendall(asked)
        until(lambda: len(connections) == 200)
    until(lambda: not readers(db) and not connections)
    assert caplog.records == []
    with Connection(url) as connection_after:
        assert connection_after.ask("GET", "/healthz").status == 200
