"""`python -m benchmarks.bench [NAME …] [--peers] [--quick]`: measures, prints a table, keeps it in docs/."""

import argparse
import importlib
import sys
import time
import traceback

from benchmarks import report
from benchmarks.rounds import Finding

NAMES = (
    "receive",
    "rentals",
    "large",
    "account",
    "number",
    "deposits",
    "deliveries",
    "live",
    "website",
    "client",
    "engines",
    "command",
    "testing",
)
PEERS = ("gateways",)  # they need what benchmarks/gateways/install.sh installs


def main() -> int:
    """0 unless a benchmark could not run; a figure that falls short is a figure."""
    options = _options()
    found: dict[str, list[Finding]] = {}
    took_s: dict[str, float] = {}
    failed = []
    report.print_head()
    for name in options.names or (PEERS if options.peers else NAMES):
        found[name], started_s = [], time.monotonic()
        try:
            for finding in importlib.import_module(f"benchmarks.{name}").run(quick=options.quick):
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
    if not options.quick:
        for order in (NAMES, PEERS):
            if kept := {name: findings for name, findings in found.items() if name in order}:
                report.keep(kept, took_s, order=order, peers=order is PEERS)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, *PEERS, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--peers", action="store_true", help="those against other people's gateways")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds; nothing is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
