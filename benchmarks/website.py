"""A new SMS on 200 open inboxes: how long until each page has received it over its event stream.

Every inbox has its own connection and session, like a browser: first all inboxes belong to one account (each SMS goes to
all 200), then to 200 accounts (each SMS goes to one). The clock starts before the SMS is handed to the service, before
its commit, and stops when the last byte of the page fragment has been read. The browser's own work is not included."""

import http.client
import json
import re
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from benchmarks import databases, processes
from benchmarks.interleave import Finding, Line, at_most
from benchmarks.size import Size

INBOXES = 200
PATIENCE_S = 20.0
_POSITION = re.compile(r'data-after="([0-9]+)"')
_CSRF_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Renter:
    """A renter with a number."""

    token: str
    e164: str


def run(size: Size) -> Iterator[Finding]:
    """Measure both ways of sharing 200 inboxes, on SQLite."""
    times = size.of(40, 10, 2)
    for count, name, messages in ((1, "one account", times), (INBOXES, "an account each", times * 5)):
        with databases.sqlite() as files, processes.service(files.empty()) as service:
            renters = [_move_in(service.port) for _ in range(count)]
            streams = [_open_inbox(service.port, renters[number % count]) for number in range(INBOXES)]
            took_ms = sorted(_arrivals_ms(service.port, renters, streams, messages))
            for stream in streams:
                stream.close()
        p50, p95, worst = (took_ms[int(len(took_ms) * share)] for share in (0.5, 0.95, 1 - 1e-9))
        raw = f"p50 {p50:.1f} ms, worst {worst:.1f} ms, {len(took_ms):,} arrivals"
        yield Line(f"SMS on {INBOXES} open inboxes of {name}, p95", p95, at_most(100), raw, unit="ms")


def _arrivals_ms(port: int, renters: list[Renter], streams: list[socket.socket], messages: int) -> Iterator[float]:
    """Yield the time each SMS took to reach each inbox it is for."""
    api = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    each = len(streams) // len(renters)
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        for number in range(messages):
            renter = renters[number % len(renters)]
            body = {"to": renter.e164, "from": "GitHub", "content": f"Your code is {100_000 + number}"}
            started_s = perf_counter()
            api.request("POST", "/api/v1/sandbox/message", json.dumps(body), _authorization(renter.token))
            yield from ((at_s - started_s) * 1000 for at_s in islice(_pieces(selector), each))
            assert api.getresponse().read(), "the SMS was stored"


def _pieces(selector: selectors.BaseSelector) -> Iterator[float]:
    """Yield the time at which each page fragment was complete."""
    begun: dict[int, bytes] = {}
    while True:
        ready = selector.select(PATIENCE_S)
        assert ready, "an SMS did not arrive"
        for key, _ in ready:
            begun[key.fd] = begun.get(key.fd, b"") + _received(key.fileobj)
            for _ in range(begun[key.fd].count(b"event: message")):
                if begun[key.fd].endswith(b"\n\n\r\n"):
                    begun[key.fd] = b""
                    yield perf_counter()


def _received(stream: Any) -> bytes:
    received: bytes = stream.recv(65536)
    assert received, "a stream has ended"
    return received


def _move_in(port: int) -> Renter:
    """Open a new account with coins and a number."""
    token = _ask(port, "/accounts")["token"]
    address = _ask(port, "/addresses", token=token)["address"]
    _ask(port, "/sandbox/deposit", {"address": address, "amount": 10_000_000}, token=token)
    return Renter(token, _ask(port, "/numbers", {"group_id": "gb-mobile"}, token=token)["e164"])


def _open_inbox(port: int, renter: Renter) -> socket.socket:
    """Open the account's event stream as a page does, after signing in through the website."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", "/sign-in")
    page = connection.getresponse()
    cookie, found = str(page.headers["set-cookie"]).partition(";")[0], _CSRF_TOKEN.search(page.read().decode())
    assert found is not None
    form = urlencode({"csrf_token": found[1], "token": renter.token})
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", "/sign-in", form, headers | {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303, answer.status
    cookie = str(answer.headers["set-cookie"]).partition(";")[0]
    connection.request("GET", "/messages", headers={"Cookie": cookie})
    position = _POSITION.search(connection.getresponse().read().decode())
    assert position is not None
    connection.close()
    stream = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    stream.sendall(f"GET /live?after={position[1]} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
    head = b""
    while b"retry:" not in head:
        head += stream.recv(4096)
    return stream


def _ask(port: int, path: str, body: object = None, *, token: str = "") -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    given = None if body is None else json.dumps(body)
    connection.request("POST", f"/api/v1{path}", given, _authorization(token) if token else {})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    assert answer.status in (200, 201), read
    return json.loads(read)


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
