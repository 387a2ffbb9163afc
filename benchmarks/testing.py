"""The pytest plugin: how soon the sandbox is ready, the cost of an account, and the overhead for an unrelated suite.

The sandbox: from requesting it until its address and token are known, in an empty folder, including migrations and
stocking the catalog. An account: a new one with a million satoshis on the simulated chain. The plugin: `pytest` on a
suite of one test, with and without the plugin, in turns."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.interleave import Finding, Line, at_most, ratio, rounds
from benchmarks.round_robin import bare_environment
from benchmarks.size import Size
from dtmf.testing import sandbox


def run(size: Size) -> Iterator[Finding]:
    """Measure the sandbox, then the plugin."""
    count = size.of(8, 3, 1)
    ready_s, account_s = zip(*(_sandbox() for _ in range(count)), strict=True)
    yield _line("a sandbox is ready", ready_s, bound_s=1.5)
    yield _line("a new account with 1,000,000 satoshis", account_s, bound_s=None)
    yield from _plugin(count)


def _sandbox() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="dtmf-bench-") as folder:
        started_s = perf_counter()
        with sandbox.running(Path(folder)) as running:
            ready_s = perf_counter()
            running.new_account()
            return ready_s - started_s, perf_counter() - ready_s


def _line(name: str, seconds: tuple[float, ...], *, bound_s: float | None) -> Line:
    bound = None if bound_s is None else at_most(bound_s)
    raw = f"{len(seconds)} times"
    return Line(name, float(median(seconds)), bound, raw, (min(seconds), max(seconds)), unit="s")


def _plugin(count: int) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="dtmf-bench-") as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing(): pass\n")
        contenders = {"with": partial(_suite, folder, "-pdtmf.testing"), "without": partial(_suite, folder)}
        rounds(contenders, 1)
        seconds = rounds(contenders, 2 * count)
    yield ratio(seconds, "with", "without", name="pytest, one test that does not use it", bound=None, raw="{} s")


def _suite(folder: str, *options: str) -> float:
    started_s = perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", *options, folder]
    alone = bare_environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=alone, cwd=folder)
    return perf_counter() - started_s
