"""The table on the terminal, and docs/internals/benchmarks.md."""

import importlib
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ROOT
from benchmarks.interleave import Finding, Line

_WIDTHS = (62, 24, 8, 6)
KEPT = ROOT / "docs" / "internals" / "benchmarks.md"
KEPT_PEERS = ROOT / "docs" / "internals" / "benchmarks-peers.md"

_HEAD = """# Performance

**For:** developers and operators who want to know how fast DTMF is.\\
**Afterwards you can:** read the measured ratios, and measure them on your machine.

Written by `make bench`, which prints the same table; it takes some 25 minutes, and needs the network once to create
the virtual environments it compares with. `make bench ARGS="--quick"` is a quick look of two minutes; `make bench
ARGS="receive account"` measures only these two again. Nothing here is a test: `make test` has no timed assertions.

**Method.** Every figure is a ratio of two things measured in the same run, in turns: A, B, A, B, … Other load on the
machine affects both. The table shows the median of the rounds' ratios, the smallest and greatest in brackets, and the
medians of the raw numbers. The bound is the project's own target; `SHORT` marks a figure that misses it.
"""
_HEAD_PEERS = """# Performance compared with other gateways

**For:** operators who compare SMS gateways.\\
**Afterwards you can:** read how DTMF compares with Kannel and Jasmin, and measure it on your machine.

Written by `make bench-peers`, which prints the same table; it takes some five minutes, installs Kannel, Redis, RabbitMQ
and Node.js on Debian as root, and Jasmin into a virtual environment. `make bench-peers ARGS="--quick"` is a quick look.

**Method.** As in [the other benchmarks](benchmarks.md): measured in turns; medians of the rounds' ratios, the smallest
and greatest in brackets; `SHORT` marks a figure that misses its bound.
"""


def print_head() -> None:
    """Print the table's header."""
    print(_row("benchmark", "figure (spread)", "bound", "", "raw"), flush=True)


def show(finding: Finding) -> None:
    """Print a line of the table, or a fact below it."""
    if isinstance(finding, str):
        print("".join(f"    {part}\n" for part in finding.splitlines()), end="", flush=True)
    else:
        print(_row(finding.name, _figure(finding), _bound(finding), finding.verdict, finding.raw), flush=True)


def keep(
    found: Mapping[str, Sequence[Finding]], took_s: Mapping[str, float], *, order: Sequence[str], peers: bool
) -> None:
    """Write benchmarks.md or benchmarks-peers.md in docs/internals: these benchmarks, and the sections it already has of the
    others. Each benchmark's docstring is its method."""
    page, head = (KEPT_PEERS, _HEAD_PEERS) if peers else (KEPT, _HEAD)
    known = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    known |= {name: _section(name, findings, took_s[name]) for name, findings in found.items()}
    page.write_text("\n".join([head, *(known[name] for name in order if name in known)]), encoding="utf-8")
    print(f"saved in {page.relative_to(ROOT)}")


def _section(name: str, findings: Sequence[Finding], took_s: float) -> str:
    title, _, method = (importlib.import_module(f"benchmarks.{name}").__doc__ or name).partition("\n")
    when = f"{datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s, {_machine()}"
    parts = [f"## {title.rstrip('.')}\n\n{method.strip()}\n\n`make bench ARGS={name}`: {when}.\n"]
    parts.append(_table([finding for finding in findings if isinstance(finding, Line)]))
    if facts := [finding for finding in findings if isinstance(finding, str)]:
        parts.append("```text\n" + "\n".join(facts) + "\n```\n")
    return "\n".join(parts)


def _sections(text: str) -> dict[str, str]:
    """Return a page's sections, by benchmark name."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    named = ((re.search(r"^`make bench ARGS=(\w+)`", section, re.MULTILINE), section) for section in sections)
    return {name[1]: section.rstrip("\n") + "\n" for name, section in named if name}


def _table(lines: Sequence[Line]) -> str:
    rows = [f"| {line.name} | {_figure(line)} | {_bound(line)} | {line.verdict} | {line.raw} |" for line in lines]
    return "\n".join(["| what | figure | bound | | raw |", "|---|---|---|---|---|", *rows, ""])


def _figure(line: Line) -> str:
    """Return the figure with its unit and spread."""
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
    """Describe the machine: processor, their number, memory, system and interpreter."""
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
