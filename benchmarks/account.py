"""`GET /account` over HTTP, against a bare endpoint.

Ours: `dtmf-server run` on SQLite; each request reads token, clock and the settlement of a live rental from the database.
The other: Starlette and msgspec with the same body, without token or database, on uvicorn with the same settings. Each
runs in its own process; the same 16 keep-alive connections query one, then the other."""

import contextlib
import http.client
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import databases, environments, fill, processes
from benchmarks.interleave import Finding, at_least, ratio, rounds
from benchmarks.load import get, requests_per_second
from benchmarks.processes import Process
from benchmarks.size import Size


def run(size: Size) -> Iterator[Finding]:
    """Yield one line."""
    count, times = size.of((1500, 16), (500, 6), (100, 1))
    with databases.sqlite() as files, contextlib.ExitStack() as stack:
        url = files.empty()
        fill.populate(url, fill.Population(time.time_ns() // 1000, accounts=1))
        ours = stack.enter_context(processes.service(url))
        body = _body(ours, fill.token_of(0))
        bare = stack.enter_context(
            processes.peer(environments.python_of("starlette"), "bare.py", "--body", body.decode())
        )
        assert _body(bare, "") == body, "both return the same bytes"
        asking = get("/api/v1/account", fill.token_of(0))
        contenders = {
            "ours": partial(requests_per_second, ours.port, [asking], count=count),
            "bare": partial(requests_per_second, bare.port, [asking], count=count),
        }
        rounds(contenders, 1)
        measured = rounds(contenders, times)
    yield ratio(measured, "ours", "bare", name="GET /account", bound=at_least(0.35), raw="{} requests/s")


def _body(process: Process, token: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", process.port)
    connection.request("GET", "/api/v1/account", headers={"Authorization": f"Bearer {token}"})
    body = connection.getresponse().read()
    connection.close()
    return body
