"""Requests and answers on the wire, whatever pieces they come in."""

import asyncio
import socket
from typing import cast
from urllib.parse import urlsplit

import pytest

from dtmf_server.asgi.protocol import HEAD_MAX_BYTES
from dtmf_server.asgi.write_buffer import HELD_MAX_BYTES, CoalescingTransport
from support.connection import TIMEOUT_S, Connection, ask_for

from .operations import ONE_ENGINE, Renter


class Wire:
    """A transport that records its calls."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


async def test_what_is_written_in_one_turn_is_sent_together_and_before_what_follows() -> None:
    wire = Wire()
    transport = CoalescingTransport(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    transport.write(b"head")
    transport.write(b"body")
    assert wire.told == []
    await asyncio.sleep(0)
    assert wire.told == [b"headbody"]
    transport.write(b"large" + bytes(HELD_MAX_BYTES))
    assert len(wire.told) == 2  # at once: the transport has to say when it is full
    transport.write(b"last")
    transport.write_eof()
    transport.write(b"more")
    assert not transport.is_closing()
    transport.close()
    await asyncio.sleep(0)
    assert wire.told[2:] == [b"last", "eof", "closed"]  # what comes after the end has nowhere to go


@ONE_ENGINE
def test_a_small_answer_is_one_packet(renter: Renter, url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        for _ in range(20):
            connection.sendall(ask_for("GET", "/api/v1/account", token=renter.token).to_bytes())
            assert connection.recv(65536).partition(b"\r\n\r\n")[2].startswith(b'{"balance":')


@ONE_ENGINE
@pytest.mark.parametrize("size", [1, 1000, HEAD_MAX_BYTES])
def test_a_head_is_as_large_as_it_is_whatever_came_before_it_and_in_whatever_pieces(
    renter: Renter, url: str, size: int
) -> None:
    """A large body doesn't count toward the next request's head."""
    parts = urlsplit(url)
    small = ask_for("GET", "/api/v1/account", token=renter.token).to_bytes()
    large = ask_for("POST", "/api/v1/message", b"x" * 60_000, token=renter.token).to_bytes()
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        stream = (large + small) * 3
        for first in range(0, len(stream), size * 61):
            connection.sendall(stream[first : first + size * 61])
        answers = b""
        while answers.count(b'{"balance":') < 3:
            piece = connection.recv(65536)
            assert piece, answers[-500:]
            answers += piece
    assert b"head_too_large" not in answers


@ONE_ENGINE
def test_a_head_that_is_too_large_is_refused_behind_another_request_too(renter: Renter, url: str) -> None:
    parts = urlsplit(url)
    small = ask_for("GET", "/api/v1/account", token=renter.token).to_bytes()
    for filling in (b"x" * HEAD_MAX_BYTES, b"x" * (HEAD_MAX_BYTES - len(small))):
        large = small.replace(b"\r\n\r\n", b"\r\nX-Large: " + filling + b"\r\n\r\n")
        for before in (b"", small):
            with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
                connection.sendall(before + large)
                answers = b""
                while piece := connection.recv(65536):
                    answers += piece
                    if answers.count(b'{"balance":') > before.count(b"HTTP/1.1"):
                        break
            refused = len(large) - 4 > HEAD_MAX_BYTES + 100
            assert (b"head_too_large" in answers) is refused
    with Connection(url) as connection:
        assert connection.ask("GET", "/healthz").status == 200
