"""Waiting: how soon a waiting client has its message, and the memory of an idle event stream.

Ours: `dtmf-server run`, one process. 500 clients wait with `GET /messages` and `wait`, each with its own connection and
account; an SMS arrives for one of them, then for another, through `POST /sandbox/message`. Measured from the first byte
of that POST to the last byte of the waiting client's answer, which includes the commit and its fsync. Then all 500 wait
on one account, and one SMS wakes them all. Memory: resident memory before and after opening many idle `GET /events`."""

import asyncio
import gc
import json
import random
import time
from collections.abc import Iterator
from statistics import median
from time import perf_counter

import uvloop

from benchmarks import databases, fill, processes
from benchmarks.databases import Engine
from benchmarks.interleave import Bound, Finding, Line, at_most
from benchmarks.processes import Process
from benchmarks.size import Size

WAITING = 500
PACE_S = 0.01  # the interval between SMS, long enough that the tail is not due to a queue
OPENED_AT_ONCE = 100
TIMEOUT_S = 50.0
ALL_OPEN_S = 2.0  # by then all streams are idle


def run(size: Size) -> Iterator[Finding]:
    """Measure delays on both engines, memory on SQLite."""
    sms, fans, streams = size.of((1000, 10, 5000), (300, 3, 1000), (30, 1, 100))
    with databases.sqlite() as files:
        yield from _delays(files, sms, fans)
        yield _memory(files, streams)
    with databases.postgresql() as server:
        yield from _delays(server, sms, fans)


def _delays(engine: Engine, sms: int, fans: int) -> Iterator[Finding]:
    url = engine.empty()
    fill.populate(url, fill.Population(time.time_ns() // 1000, accounts=WAITING, tokens=WAITING))
    with processes.service(url) as service:
        apart, together = uvloop.run(_measure_delays(service.port, sms, fans))
    engine.drop(url)
    name = f"{WAITING} clients wait, {engine.name}"
    yield _delay(f"{name}: an SMS for one of them, p99", apart, at_most(20))
    yield _delay(f"{name} on one account: an SMS for all of them, p99", together, None)


def _delay(name: str, found_s: list[float], bound: Bound | None) -> Line:
    in_order = sorted(found_s)
    p99_ms = in_order[int(len(in_order) * 0.99)] * 1000
    raw = f"p50 {median(found_s) * 1000:.1f} ms · worst {in_order[-1] * 1000:.1f} ms · {len(found_s):,} answers"
    return Line(name, p99_ms, bound, raw, unit="ms")


class _Client:
    """One keep-alive connection of one account."""

    def __init__(self, port: int, n: int) -> None:
        self._port, self._n = port, n

    async def open(self) -> "_Client":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def ask(self, method: str, path: str, body: object = None) -> tuple[object, float]:
        """Return the answer, and when its last byte arrived."""
        raw = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {fill.token_of(self._n)}\r\n"
        self._writer.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 20"), answer
        length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        found = await self._reader.readexactly(length)
        return json.loads(found), perf_counter()

    async def wait(self, after: int) -> tuple[list[dict[str, int]], float]:
        """Make a long poll, repeating it until it has messages."""
        while True:
            found, at_s = await self.ask("GET", f"/api/v1/messages?inbound=true&wait=60&after={after}")
            assert isinstance(found, list), found
            if found:
                return found, at_s

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def _measure_delays(port: int, sms: int, fans: int) -> tuple[list[float], list[float]]:
    random.seed(0)
    async with asyncio.timeout(TIMEOUT_S * 4):
        apart = await _one_by_one(port, sms)
        together = await _all_at_once(port, fans)
    return apart, together


async def _one_by_one(port: int, sms: int) -> list[float]:
    """Return the delays of messages that arrive for one waiting client at a time."""
    clients = [await _Client(port, n).open() for n in range(WAITING)]
    sender = [await _Client(port, n).open() for n in range(WAITING)]
    after = [0] * WAITING
    waiting = [asyncio.create_task(client.wait(0)) for client in clients]
    await asyncio.sleep(ALL_OPEN_S)
    gc.collect()
    gc.disable()  # avoid pauses of this process in the measurements
    delays = []
    for _ in range(sms):
        n = random.randrange(WAITING)
        began_s = perf_counter()
        body = {"to": fill.e164(n), "from": "+14155550123", "content": "Your code is 428613"}
        posting = asyncio.create_task(sender[n].ask("POST", "/api/v1/sandbox/message", body))
        found, at_s = await waiting[n]
        delays.append(at_s - began_s)
        after[n] = found[-1]["id"]
        await posting
        waiting[n] = asyncio.create_task(clients[n].wait(after[n]))
        await asyncio.sleep(PACE_S)
    gc.enable()
    await _end(waiting, [*clients, *sender])
    return delays


async def _all_at_once(port: int, fans: int) -> list[float]:
    """Return the delays of messages that all clients wait for."""
    sender = await _Client(port, 0).open()
    clients = [await _Client(port, 0).open() for _ in range(WAITING)]
    delays = []
    found, _ = await sender.ask("GET", "/api/v1/messages?limit=1000")
    assert isinstance(found, list)
    after = found[-1]["id"] if found else 0
    for _ in range(fans):
        waiting = [asyncio.create_task(client.wait(after)) for client in clients]
        await asyncio.sleep(ALL_OPEN_S / 2)
        began_s = perf_counter()
        body = {"to": fill.e164(0), "from": "+14155550123", "content": "Your code is 428613"}
        message, _ = await sender.ask("POST", "/api/v1/sandbox/message", body)
        answered = await asyncio.gather(*waiting)
        delays += [at_s - began_s for _, at_s in answered]
        assert isinstance(message, dict)
        after = message["id"]
    await _end([], [*clients, sender])
    return delays


async def _end(waiting: "list[asyncio.Task[tuple[list[dict[str, int]], float]]]", clients: list[_Client]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for client in clients:
        client.close()


# --- memory -----------------------------------------------------------------------------------------------------


def _memory(engine: Engine, streams: int) -> Finding:
    url = engine.empty()
    fill.populate(url, fill.Population(time.time_ns() // 1000, accounts=streams, tokens=streams))
    with processes.service(url) as service:
        warm_up = uvloop.run(_grown_kib(service, 50))
        grown_kib = uvloop.run(_grown_kib(service, streams))
    engine.drop(url)
    raw = f"{grown_kib / 1024:.1f} MiB for {streams:,} streams, each of another account · 50 before: {warm_up} KiB"
    return Line("an idle stream of events: memory of the service", grown_kib / streams, at_most(20), raw, unit="KiB")


async def _grown_kib(service: Process, streams: int) -> int:
    """Return the service's additional memory while these streams are open."""
    before_kib = service.memory_kib()
    async with asyncio.timeout(TIMEOUT_S):
        opened: list[asyncio.StreamWriter] = []
        for first in range(0, streams, OPENED_AT_ONCE):
            some = range(first, min(streams, first + OPENED_AT_ONCE))
            opened += await asyncio.gather(*(_stream(service.port, n) for n in some))
        await asyncio.sleep(ALL_OPEN_S)
        grown_kib = service.memory_kib() - before_kib
    for writer in opened:
        writer.close()
    return grown_kib


async def _stream(port: int, n: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {fill.token_of(n)}\r\n"
    writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
    answer = await reader.readuntil(b"retry: 1000\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return writer
