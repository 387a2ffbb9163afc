"""Proofs made of tests that have a size: pytest runs them in its own process, and the printed figures are parsed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import ROOT, SOURCES

from proofs.claim import Check, Figure, Outcome

PYTEST = (sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider")
OUTPUT_KEPT = 4000


def is_zero(value: int) -> bool:
    """The usual target."""
    return value == 0


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure in the output: the one number in a pattern. All matches count, and there must be at least one."""

    what: str
    pattern: str
    target: Check | None = is_zero
    of_all: Callable[[list[int]], int] = sum

    def read(self, output: str) -> Figure:
        """Return the sum of all matches, or another aggregate of them."""
        found = [int(each.replace(",", "")) for each in re.findall(self.pattern, output)]
        if not found:
            return Figure(self.what, "not printed", is_kept=False)
        value = self.of_all(found)
        return Figure(self.what, value, self.target is None or self.target(value))


@dataclass(frozen=True, slots=True)
class Tests:
    """Some tests, the environment variables for their full and small sizes, and the figures they print."""

    of: Sequence[str]
    full: Mapping[str, str] = field(default_factory=dict)
    small: Mapping[str, str] = field(default_factory=dict)
    printed: Sequence[Printed] = ()
    failed: str = "failed tests"
    on: str = ""  # the engine, if the figures belong to one engine only
    needs: Callable[[], Mapping[str, str]] = (
        dict  # checks the machine and returns variables for the tests; raises NotRun
    )

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Run them. The number of failures is a figure too, so that a test that prints nothing still has one."""
        settings = {**(self.small if small else self.full), **self.needs()}
        code, output = run([*PYTEST, *self.of], settings, bound_s=bound_s)
        if code is None:
            return Outcome([], f"not finished after {bound_s / 60:.0f} minutes", output[-OUTPUT_KEPT:])
        counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", output)}
        failed = counts.get("failed", 0) + counts.get("error", 0)
        trouble = "" if code in (0, 1) else f"pytest ended with {code}"
        return self.outcome(output, passed=counts.get("passed", 0), failed=failed, trouble=trouble)

    def outcome(self, output: str, *, passed: int, failed: int, trouble: str = "") -> Outcome:
        """Return the figures of a run with this output."""
        figures = [figure.read(output) for figure in self.printed]
        figures += [Figure("tests", passed + failed), Figure(self.failed, failed, failed == 0)]
        if self.on:
            figures[0] = replace(figures[0], what=f"on {self.on}: {figures[0].what}")
        return Outcome(figures, trouble, output[-OUTPUT_KEPT:] if failed or trouble else "")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that proves something itself: it exits with 0 on success."""

    command: Sequence[str]
    printed: Sequence[Printed]
    full: Mapping[str, str] = field(default_factory=dict)
    small: Mapping[str, str] = field(default_factory=dict)
    small_command: Sequence[str] = ()
    needs: Callable[[], object] = lambda: None  # raises NotRun if something is missing

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Run it."""
        self.needs()
        command = self.small_command if small and self.small_command else self.command
        code, output = run([sys.executable, *command], self.small if small else self.full, bound_s=bound_s)
        trouble = "" if code == 0 else f"not finished after {bound_s / 60:.0f} minutes" if code is None else ""
        figures = [figure.read(output) for figure in self.printed]
        figures += [] if code is None else [Figure("exit status", code, code == 0)]
        return Outcome(figures, trouble, output[-OUTPUT_KEPT:] if code else "")


def run(command: Sequence[str], settings: Mapping[str, str], *, bound_s: float) -> tuple[int | None, str]:
    """Return a program's exit status and output; None and the output if it had to be killed, with its children."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, [ROOT / "tests", *SOURCES, ROOT])), **settings}
    if server := os.environ.get("DTMF_TEST_PG_URL"):
        environment["DTMF_TEST_PG_URL"] = server
    with tempfile.TemporaryDirectory(prefix="dtmf-prove-") as folder:
        said = Path(folder) / "output"
        with said.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        code: int | None = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(bound_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it has its own session, so this ends its children too
            process.wait()
        return code, said.read_text(errors="replace")
