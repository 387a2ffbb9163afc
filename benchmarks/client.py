"""The client, against four other SDKs that ask for a balance over HTTP: twilio, plivo, stripe, telnyx.

Each lives in a virtual environment of its own with the same interpreter, and talks to the same stub server on loopback
(peers/stub.py). Cold: a fresh process imports the SDK, constructs the client, makes one call and ends; its wall time and
its highest resident memory. Warm: a process per SDK, already connected; they take turns at 200 calls on a kept-alive
connection, 2,000 in all. What a bare `http.client` needs is shown beside them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from time import perf_counter

from benchmarks import environments, processes
from benchmarks.processes import PEERS
from benchmarks.rounds import Bound, Finding, Measured, at_most, ratio, rounds

SDKS = ("dtmf", "twilio", "plivo", "stripe", "telnyx")
ASYNC = ("dtmf", "twilio", "telnyx")
CALLS_A_ROUND = 200


def run(*, quick: bool) -> Iterator[Finding]:
    """Cold starts, then warm calls, blocking and async."""
    starts, turns = (5, 4) if quick else (15, 10)
    with processes.peer(sys.executable, "stub.py") as stub:
        yield from _cold(stub.port, starts)
        yield from _warm(stub.port, turns, SDKS, "sync", {})
        # twilio's aiohttp is a bound to come: docs/decisions/0006.
        yield from _warm(stub.port, turns, ASYNC, "async", {"twilio": None})


def _cold(port: int, starts: int) -> Iterator[Finding]:
    peaks: dict[str, list[float]] = {name: [] for name in ("bare", *SDKS)}
    contenders = {name: partial(_start, name, port, peaks[name]) for name in peaks}
    rounds(contenders, 2)
    for found in peaks.values():
        found.clear()
    seconds = rounds(contenders, starts)
    yield from _against_all(seconds, SDKS, "fresh process, one call: time", {}, "{} s")
    yield from _against_all(peaks, SDKS, "fresh process, one call: memory", {}, "{} MiB")
    bare = ratio(seconds, "dtmf", "bare", name="fresh process against bare http.client", bound=None, raw="{} s")
    yield bare


def _start(name: str, port: int, peaks: list[float]) -> float:
    """Seconds from starting a process to its end; notes its highest memory in MiB."""
    command = [_python(name), "-I", str(PEERS / "sdk.py"), name, "once", str(port)]
    started_s = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, env=_environment())
    took_s = perf_counter() - started_s
    peaks.append(int(done.stdout) / 1024)
    return took_s


def _warm(
    port: int, turns: int, names: tuple[str, ...], mode: str, bounds: dict[str, Bound | None]
) -> Iterator[Finding]:
    with contextlib.ExitStack() as stack:
        contenders = {}
        for name in ("bare", *names):
            how = "sync" if name == "bare" else mode
            command = [_python(name), "-I", str(PEERS / "sdk.py"), name, how, str(port)]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment())
            )
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            contenders[name] = partial(_turn, process)
        rounds(contenders, 1)
        measured = rounds(contenders, turns)
    yield from _against_all(measured, names, f"{turns * CALLS_A_ROUND:,} {mode} calls", bounds, "{} µs")
    for name in names:
        yield ratio(measured, name, "bare", name=f"{mode} call, {name} against bare", bound=None, raw="{} µs")


def _turn(process: "subprocess.Popen[str]") -> float:
    """Microseconds a call, over one turn of calls."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{CALLS_A_ROUND}\n")
    process.stdin.flush()
    return float(process.stdout.readline()) / CALLS_A_ROUND * 1e6


def _against_all(
    measured: Measured, names: tuple[str, ...], what: str, bounds: dict[str, Bound | None], raw: str
) -> Iterator[Finding]:
    for name in names[1:]:
        bound = bounds.get(name, at_most(1))
        yield ratio(measured, "dtmf", name, name=f"{what}, against {name}", bound=bound, raw=raw)


def _python(name: str) -> str:
    return sys.executable if name == "bare" else str(environments.python_of(name))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
