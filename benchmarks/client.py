"""The client, against four other SDKs that fetch a balance over HTTP: twilio, plivo, stripe, telnyx.

Each has its own virtual environment with the same interpreter, and talks to the same stub server on loopback
(peers/stub.py). Cold: a fresh process imports the SDK, constructs the client, makes one call and exits; measured are its
wall time and peak resident memory. Warm: one connected process per SDK; they take turns of 200 calls on a keep-alive
connection, 2,000 in all. The figures of a bare `http.client` are shown beside them."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from time import perf_counter

from benchmarks import environments, processes
from benchmarks.interleave import Bound, Finding, Measured, at_most, ratio, rounds
from benchmarks.processes import PEERS
from benchmarks.round_robin import CALLS_A_TURN, bare_environment, take_turns
from benchmarks.size import Size

SDKS = ("dtmf", "twilio", "plivo", "stripe", "telnyx")
ASYNC = ("dtmf", "twilio", "telnyx")
WITH_AIOHTTP = ("dtmf-aiohttp", "twilio")


def run(size: Size) -> Iterator[Finding]:
    """Measure cold starts, then warm calls, blocking and async."""
    starts, turns = size.of((10, 10), (3, 3), (1, 1))
    sdks, asynchronous = size.of((SDKS, ASYNC), (SDKS, ASYNC), (("dtmf", "plivo"), ("dtmf",)))
    with processes.peer(sys.executable, "stub.py") as stub:
        yield from _cold(stub.port, starts, sdks)
        yield from _warm(stub.port, turns, sdks, "sync", {})
        # The default engine is slower than twilio's aiohttp: docs/decisions/0006.
        yield from _warm(stub.port, turns, asynchronous, "async", {"twilio": None})
        if size is not Size.SMALLEST:
            yield from _warm(stub.port, turns, WITH_AIOHTTP, "async", {})


def command(name: str, how: str, port: int) -> list[str]:
    """Return the command that runs one SDK in its environment."""
    python = sys.executable if name == "bare" else str(environments.python_of(name))
    return [python, "-I", str(PEERS / "sdk.py"), name.partition("-")[0], how, str(port)]


def _cold(port: int, starts: int, sdks: tuple[str, ...]) -> Iterator[Finding]:
    peaks: dict[str, list[float]] = {name: [] for name in ("bare", *sdks)}
    contenders = {name: partial(_start, command(name, "once", port), peaks[name]) for name in peaks}
    rounds(contenders, 1)
    for found in peaks.values():
        found.clear()
    seconds = rounds(contenders, starts)
    yield from _against_all(seconds, sdks, "fresh process, one call: time", {}, "{} s")
    yield from _against_all(peaks, sdks, "fresh process, one call: memory", {}, "{} MiB")
    yield ratio(seconds, "dtmf", "bare", name="fresh process: time, against http.client", bound=None, raw="{} s")


def _start(command: list[str], peaks: list[float]) -> float:
    """Return the seconds from a process's start to its end; record its peak memory in MiB."""
    started_s = perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=bare_environment())
    took_s = perf_counter() - started_s
    peaks.append(int(done.stdout) / 1024)
    return took_s


def _warm(
    port: int, turns: int, names: tuple[str, ...], how: str, bounds: dict[str, Bound | None]
) -> Iterator[Finding]:
    commands = {name: command(name, how, port) for name in names}
    measured = take_turns({"bare": command("bare", "sync", port), **commands}, turns)
    engine = " over aiohttp" if names == WITH_AIOHTTP else ""
    yield from _against_all(measured, names, f"{turns * CALLS_A_TURN:,} {how} calls{engine}", bounds, "{} µs")
    for name in names:
        yield ratio(measured, name, "bare", name=f"{how} call, {name} by http.client", bound=None, raw="{} µs")


def _against_all(
    measured: Measured, names: tuple[str, ...], what: str, bounds: dict[str, Bound | None], raw: str
) -> Iterator[Finding]:
    for name in names[1:]:
        bound = bounds.get(name, at_most(1))
        yield ratio(measured, names[0], name, name=f"{what}, against {name}", bound=bound, raw=raw)
