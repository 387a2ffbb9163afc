"""`python -m benchmarks.bench [NAME …] [--peers] [--quick | --smallest]`: measure, print a table, and save it in docs/."""

import argparse
import importlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks import ROOT, report
from benchmarks.interleave import Finding
from benchmarks.size import Size

NAMES = (
    "receive",
    "rentals",
    "large",
    "account",
    "number",
    "deposits",
    "lightning",
    "callbacks",
    "deliveries",
    "live",
    "website",
    "client",
    "engines",
    "command",
    "testing",
)
PEERS = ("gateways",)  # these need the programs that benchmarks/gateways/install.sh installs


def main() -> int:
    """Return 0 unless a benchmark could not run; a figure that misses its bound is not an error."""
    options = _options()
    if options.size is Size.SMALLEST and len(options.names) != 1:
        return _run_at_once(options.names or NAMES)
    found: dict[str, list[Finding]] = {}
    took_s: dict[str, float] = {}
    failed = []
    report.print_head()
    for name in options.names or (PEERS if options.peers else NAMES):
        found[name], started_s = [], time.monotonic()
        try:
            for finding in importlib.import_module(f"benchmarks.{name}").run(options.size):
                found[name].append(finding)
                report.show(finding)
        except Exception:
            failed.append(name)
            del found[name]
            traceback.print_exc()
        took_s[name] = time.monotonic() - started_s
    print(f"{sum(took_s.values()):.0f} s")
    if failed:
        print(f"could not run: {', '.join(failed)}", file=sys.stderr)
    if options.size is Size.FULL:
        for order in (NAMES, PEERS):
            if kept := {name: findings for name, findings in found.items() if name in order}:
                report.keep(kept, took_s, order=order, peers=order is PEERS)
    return 1 if failed else 0


def _run_at_once(names: Sequence[str]) -> int:
    """Run each benchmark at its smallest size in its own process, as many at once as there are processors, to check that
    they still work. Return 1 if one does not."""

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "benchmarks.bench", name, "--smallest"]
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as threads:
        runs = dict(zip(names, threads.map(run, names), strict=True))
    for name, done in runs.items():
        print(f"{name}: {'runs' if done.returncode == 0 else 'BROKEN'}")
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
    return 1 if any(done.returncode for done in runs.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, *PEERS, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--peers", action="store_true", help="run the benchmarks against third-party gateways")
    sizes = parser.add_mutually_exclusive_group()
    for size, does in ((Size.QUICK, "fewer and smaller rounds"), (Size.SMALLEST, "only check that each still runs")):
        sizes.add_argument(
            f"--{size.value}",
            dest="size",
            action="store_const",
            const=size,
            default=Size.FULL,
            help=f"{does}; no result is saved",
        )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
