"""`number()` with 100,000 stored messages, over HTTP, against SQLite producing the same JSON itself.

Ours: `GET /number` on one connection, until its last byte. The other: one SELECT with `json_group_array(json_object(…))`
over the same rows of the same file. Memory: the service's peak resident memory during the answer, minus that before it."""

import contextlib
import http.client
import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from time import perf_counter

import psycopg

from benchmarks import databases, fill, processes
from benchmarks.databases import Engine, path_of
from benchmarks.interleave import Finding, Line, at_most, ratio, rounds
from benchmarks.load import get
from benchmarks.processes import Process
from benchmarks.size import Size
from dtmf_server.core import money

PATH = f"/api/v1/number?e164=%2B{fill.FIRST_NUMBER}"

_INSERT = (
    "INSERT INTO messages (account_id, rental_id, inbound, sender, recipient, content, at_us, status, cost, segments)"
    " WITH RECURSIVE series(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {count})"
    " SELECT {account}, 1, true, '+14155550123', '{e164}',"
    " 'Your verification code is ' || (100000 + n) || '. It is valid for 10 minutes.', {start_us} + n * 1000003,"
    " 'received', 0, 1 FROM series"
)
_BY_SQLITE = (
    "SELECT json_group_array(json_object('from', sender, 'to', recipient, 'content', content, 'timestamp',"
    " strftime('%Y-%m-%dT%H:%M:%S', at_us / 1000000, 'unixepoch') || printf('.%06d', at_us % 1000000), 'success',"
    " json(CASE status WHEN 'queued' THEN 'null' WHEN 'failed' THEN 'false' ELSE 'true' END), 'cost', cost))"
    " FROM (SELECT * FROM messages WHERE rental_id = 1 ORDER BY id)"
)


def run(size: Size) -> Iterator[Finding]:
    """Measure time on SQLite, memory on both engines."""
    count, times = size.of((100_000, 8), (20_000, 3), (1_000, 1))
    with databases.sqlite() as files:
        yield from _measure(files, count, times)
    with databases.postgresql() as server:
        yield from _measure(server, count, times)


def _measure(engine: Engine, count: int, times: int) -> Iterator[Finding]:
    url = _filled(engine, count)
    with processes.service(url) as service:
        _seconds(service, "/api/v1/account")
        before_kib = service.memory_kib()
        service.forget_highest()
        _seconds(service, PATH)
        grown_mib = (service.memory_kib("VmHWM") - before_kib) / 1024
        yield Line(
            f"number() with {count:,} messages: memory, {engine.name}",
            grown_mib,
            at_most(32),
            f"before {before_kib / 1024:.0f} MiB · highest {before_kib / 1024 + grown_mib:.0f} MiB",
            unit="MiB",
        )
        if engine.name == "SQLite":
            with contextlib.closing(sqlite3.connect(path_of(url))) as connection:
                assert _messages(service) == json.loads(connection.execute(_BY_SQLITE).fetchone()[0]), "the same JSON"
                contenders = {"ours": partial(_seconds, service, PATH), "SQLite": partial(_by_sqlite, connection)}
                measured = rounds(contenders, times)
            name = f"number() with {count:,} messages: time"
            yield ratio(measured, "ours", "SQLite", name=name, bound=at_most(3), raw="{} s")
    engine.drop(url)


def _filled(engine: Engine, count: int) -> str:
    url = engine.empty()
    start_us = time.time_ns() // 1000
    fill.populate(url, fill.Population(start_us, accounts=1))
    insert = _INSERT.format(count=count, account=money.FIRST_CUSTOMER, e164=fill.e164(0), start_us=start_us)
    if engine.name == "SQLite":
        with contextlib.closing(sqlite3.connect(path_of(url))) as connection, connection:
            connection.execute(insert)
    else:
        with psycopg.connect(url) as served:
            served.execute(insert)
    return url


def _seconds(service: Process, path: str) -> float:
    """Return the seconds from the request to the last byte of the answer."""
    request = get(path, fill.token_of(0)).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", service.port), 120) as connection:
        started_s = perf_counter()
        connection.sendall(request)
        first = part = connection.recv(1 << 18)
        while part:
            part = connection.recv(1 << 18)
        took_s = perf_counter() - started_s
    assert first.startswith(b"HTTP/1.1 200"), first[:200]
    return took_s


def _by_sqlite(connection: sqlite3.Connection) -> float:
    started_s = perf_counter()
    connection.execute(_BY_SQLITE).fetchone()
    return perf_counter() - started_s


def _messages(service: Process) -> object:
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.request("GET", PATH, headers={"Authorization": f"Bearer {fill.token_of(0)}"})
    number = json.load(connection.getresponse())
    connection.close()
    return number["messages"]
