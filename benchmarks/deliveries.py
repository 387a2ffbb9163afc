"""Webhooks, from the stored SMS to the receiver.

Queue: 20,000 SMS for 1,000 numbers are queued when `dtmf-server run` starts; the receiver is one aiohttp process with one
URL. The other: a bare aiohttp client with 50 requests in flight, which posts the same bodies to the same receiver. Both
in deliveries per second from the first arrival to the last, in turns.

Unloaded: a carrier delivers 100 SMS a second to the process that posts them (peers/link.py); measured from just before
each commit to the arrival at the receiver. On PostgreSQL an SMS takes some 26 statements in two transactions, each of
them a round trip to another process.

Claiming and finishing: 200 deliveries each, in one transaction, without its commit; on a database with 1,000,000
finished deliveries, and on one with none."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import ROOT, claiming, databases, fill, processes
from benchmarks.databases import Engine
from benchmarks.environments import python_of
from benchmarks.interleave import Finding, Line, at_least, at_most, ratio, rounds
from benchmarks.processes import PEERS, Process
from benchmarks.size import Size
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

NUMBERS = 1000
TEXT = "Your verification code is {:06d}. It is valid for 10 minutes."
DAY_US = 86_400_000_000
STUCK_S = 30.0


def run(size: Size) -> Iterator[Finding]:
    """Measure both engines."""
    count, times = size.of((20_000, 5), (4_000, 2), (1_000, 1))
    unloaded, finished, turns = size.of((3000, 1_000_000, 30), (300, 20_000, 5), (50, 1_000, 1))
    with processes.peer(python_of("sink"), "sink.py") as sink:
        for opening in (databases.sqlite, databases.postgresql):
            with opening() as engine:
                yield _queue(engine, sink, count, times)
                yield from _unloaded(engine, sink, unloaded)
                yield from claiming.measure(engine, finished, times=turns)


def _queue(engine: Engine, sink: Process, count: int, times: int) -> Line:
    template = engine.empty()
    url = f"http://127.0.0.1:{sink.port}/"
    people = fill.Population(time.time_ns() // 1000, NUMBERS, webhook=url)
    fill.populate(template, people)
    with tempfile.TemporaryDirectory(prefix="dtmf-bench-") as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_bytes(b"\n".join(_body(n) for n in range(count)))
        contenders = {
            "ours": partial(_deliver, engine, template, sink, count),
            "bare": partial(_post, bodies, url, sink, count),
        }
        measured = rounds(contenders, times)
    engine.drop(template)
    name = f"queue of {count:,}, {engine.name}"
    return ratio(measured, "ours", "bare", name=name, bound=at_least(0.4), raw="{} deliveries/s")


def _unloaded(engine: Engine, sink: Process, count: int) -> Iterator[Line]:
    url = engine.empty()
    people = fill.Population(time.time_ns() // 1000, NUMBERS, webhook=f"http://127.0.0.1:{sink.port}/")
    fill.populate(url, people)
    link = [sys.executable, "-m", "benchmarks.peers.link", url, str(count)]
    said = subprocess.run(link, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    stored = dict(map(int, line.split()) for line in said.splitlines())
    arrived = dict(_ask(sink))
    took_ms = sorted((arrived[id_] - at_ns) / 1e6 for id_, at_ns in stored.items())
    assert len(took_ms) == count, "each arrived"
    p50_ms, p99_ms = took_ms[count // 2], took_ms[count * 99 // 100]
    raw = f"p50 {p50_ms:.1f} ms · p99 {p99_ms:.1f} ms · greatest {took_ms[-1]:.1f} ms"
    yield Line(f"100 a second, commit to arrival, p99, {engine.name}", p99_ms, at_most(10), raw, unit="ms")
    engine.drop(url)


def _inbound(n: int) -> InboundMessage:
    return InboundMessage(fill.e164(n % NUMBERS), "+14155550123", TEXT.format(n))


def _body(n: int) -> bytes:
    sms = _inbound(n)
    return msgspec.json.encode({"id": n + 1, "e164": sms.to, "sender": sms.sender, "content": sms.content})


def _deliver(engine: Engine, template: str, sink: Process, count: int) -> float:
    """Return the deliveries per second of a service that starts with a queue."""
    url = engine.copy(template)
    with contextlib.closing(open_database(url)) as db:
        for first in range(0, count, NUMBERS):
            batch = [_inbound(n) for n in range(first, first + NUMBERS)]
            db.write_blocking(partial(_receive, batch))
    with processes.service(url):
        per_second = _per_second(sink, count)
    engine.drop(url)
    return per_second


def _receive(batch: list[InboundMessage], tx: Tx) -> list[int | None]:
    return receive_many(tx, batch, now_us=time.time_ns() // 1000)


def _post(bodies: Path, url: str, sink: Process, count: int) -> float:
    """Return the same for the bare client."""
    subprocess.run([sys.executable, str(PEERS / "posting.py"), str(bodies), url], check=True)
    return _per_second(sink, count)


def _per_second(sink: Process, count: int) -> float:
    """Wait until this many have arrived, then check that each arrived exactly once."""
    came, since_s = 0, time.monotonic()
    while came < count:
        before, came = came, _ask(sink, "count")
        if came > before:
            since_s = time.monotonic()
        elif time.monotonic() - since_s > STUCK_S:
            raise RuntimeError(f"{came} of {count} arrived, then none for {STUCK_S:g} s")
        time.sleep(0.1)
    arrived = _ask(sink)
    assert sorted(id_ for id_, _ in arrived) == list(range(1, count + 1)), "each arrived once"
    return (count - 1) / (arrived[-1][1] - arrived[0][1]) * 1e9


def _ask(sink: Process, path: str = "") -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/{path}", timeout=30) as answer:
        return json.load(answer)
