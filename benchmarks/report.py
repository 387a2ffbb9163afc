"""The table on the terminal, and docs/benchmarks.md."""

import importlib
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import ROOT
from benchmarks.rounds import Finding, Line

_WIDTHS = (62, 24, 8, 6)
KEPT = ROOT / "docs" / "benchmarks.md"
KEPT_PEERS = ROOT / "docs" / "benchmarks-peers.md"

_HEAD = """# How fast it is

Written by `make bench`, which prints the same table; it takes some ten minutes and needs the network once, for
the virtual environments it compares with. `make bench ARGS="--quick"` is a glance of two minutes, `make bench
ARGS="receive account"` measures only these. Nothing here is a test: `make test` times nothing.

**Method.** Every figure is a ratio of two things measured in the same run, in turns: A, B, A, B, … What else the machine
does falls on both. Shown are the median of the rounds' ratios, the smallest and the greatest in brackets, and the
medians of the raw numbers. The bound is what the project holds itself to; `SHORT` is a figure on its wrong side.

**This run.** {machine}; {took}.
"""
_HEAD_PEERS = """# How fast it is beside other gateways

Written by `make bench-peers`, which prints the same table; it takes some five minutes, installs Kannel, Redis, RabbitMQ
and Node.js on Debian as root, and Jasmin into a virtual environment. `make bench-peers ARGS="--quick"` is a glance.

**Method.** As in [the other benchmarks](benchmarks.md): in turns, medians of the rounds' ratios, the smallest and the
greatest in brackets, `SHORT` for a figure on the wrong side of its bound.

**This run.** {machine}; {took}.
"""


def print_head() -> None:
    """The table's first line."""
    print(_row("benchmark", "figure (spread)", "bound", "", "raw"), flush=True)


def show(finding: Finding) -> None:
    """A line of the table, or a fact below it."""
    if isinstance(finding, str):
        print("".join(f"    {part}\n" for part in finding.splitlines()), end="", flush=True)
    else:
        print(_row(finding.name, _figure(finding), _bound(finding), finding.verdict, finding.raw), flush=True)


def keep(found: Mapping[str, Sequence[Finding]], *, took_s: float, peers: bool) -> None:
    """Writes docs/benchmarks.md, or docs/benchmarks-peers.md: each benchmark's docstring is its method."""
    page, head = (KEPT_PEERS, _HEAD_PEERS) if peers else (KEPT, _HEAD)
    parts = [head.format(machine=_machine(), took=f"{took_s / 60:.0f} minutes")]
    for name, findings in found.items():
        title, _, method = (importlib.import_module(f"benchmarks.{name}").__doc__ or name).partition("\n")
        parts.append(f"## {title.rstrip('.')}\n\n{method.strip()}\n\n`make bench ARGS={name}`\n")
        parts.append(_table([finding for finding in findings if isinstance(finding, Line)]))
        if facts := [finding for finding in findings if isinstance(finding, str)]:
            parts.append("```text\n" + "\n".join(facts) + "\n```\n")
    page.write_text("\n".join(parts), encoding="utf-8")
    print(f"kept in {page.relative_to(ROOT)}")


def _table(lines: Sequence[Line]) -> str:
    rows = [f"| {line.name} | {_figure(line)} | {_bound(line)} | {line.verdict} | {line.raw} |" for line in lines]
    return "\n".join(["| what | figure | bound | | raw |", "|---|---|---|---|---|", *rows, ""])


def _figure(line: Line) -> str:
    """The figure with its unit and its spread."""
    shown = f"{line.figure:.2f}" if isinstance(line.figure, float) else f"{line.figure:,}"
    if line.spread is not None:
        shown += f" ({line.spread[0]:.2f}–{line.spread[1]:.2f})"
    return f"{shown} {line.unit}".rstrip()


def _bound(line: Line) -> str:
    return "—" if line.bound is None else str(line.bound)


def _row(*cells: str) -> str:
    fixed = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join([*fixed, *cells[len(_WIDTHS) :]])


def _machine() -> str:
    """The processor, how many, memory, system and interpreter."""
    models = [line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    model = models[0].partition(": ")[2] if models else platform.machine()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{os.cpu_count()} × {model}, {memory_gib:.0f} GiB, {system}, Python {platform.python_version()}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
