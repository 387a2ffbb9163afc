"""Puts the promises of the service to the proof: `python -m benchmarks.prove`, or some: `… prove 1 7 --small`.

Each row runs at full size, or small; its figures stand beside its promise. The last full result of each row is kept
in docs/proofs.md. Exit status 1 if any figure is not at its target, or a proof could not be brought to its end.
"""

import argparse
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ROOT
from benchmarks.proofs.row import NotRun, Outcome, Row
from benchmarks.proofs.rows import BY_NUMBER, ROWS

KEPT_IN = ROOT / "docs" / "proofs.md"
HEAD = """# Proofs

What `make prove` gave last, written by it. Every figure without a target says how much was tried; every other has to
be 0 unless the promise says otherwise, and ✗ marks one that is not at its target. `make prove ARGS='1 7 --small'` runs
some of them, small; only full runs are kept here.

{machine}

| # | promise | proved by | figures | verdict | when, how long |
|---|---|---|---|---|---|
"""


def main() -> int:
    """Runs what was asked for."""
    options = _options()
    rows = [BY_NUMBER[number] for number in options.rows] if options.rows else ROWS
    started_s, broken, lines = time.monotonic(), [], {}
    for row in rows:
        began_s = time.monotonic()
        print(f"{row.number:3} {row.promise}: {'small' if options.small else row.how}", flush=True)
        outcome, verdict = _outcome(row, small=options.small)
        took_s = time.monotonic() - began_s
        figures = ", ".join(map(str, outcome.figures)) or outcome.trouble
        print(f"    {verdict} in {took_s:.0f} s: {figures}", flush=True)
        if verdict != "kept":
            broken.append(row.number)
            print("".join(f"    | {line}\n" for line in [outcome.trouble, *outcome.output.splitlines()] if line))
        when = f"{datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s"
        lines[row.number] = f"| {row.number} | {row.promise} | {row.how} | {figures} | {verdict} | {when} |"
        if not options.small:
            keep(lines)
    kept = len(rows) - len(broken)
    print(f"{kept} of {len(rows)} promises kept in {time.monotonic() - started_s:.0f} s on {machine()}")
    return 1 if broken else 0


def _outcome(row: Row, *, small: bool) -> tuple[Outcome, str]:
    try:
        outcome = row.run(small=small)
    except NotRun as reason:
        return Outcome(trouble=str(reason)), "not run"
    return outcome, "kept" if outcome.is_kept else "BROKEN"


def keep(lines: dict[int, str], file: Path = KEPT_IN) -> None:
    """Writes docs/proofs.md: these rows, and of the others what it had."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    known = {int(found[1]): found[0] for found in re.finditer(r"^\| (\d+) \|.*$", before, re.MULTILINE)} | lines
    text = HEAD.format(machine=f"The machine: {machine()}.") + "".join(f"{known[number]}\n" for number in sorted(known))
    file.write_text(text, encoding="utf-8")


def machine() -> str:
    """What this ran on, without its name or its paths."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, PostgreSQL {_postgresql()}"
    )


def _postgresql() -> str:
    """The version of the programs that the tests start, or of the server they are told to use."""
    import psycopg

    from postgres import ServerFailed, User, programs_for

    try:
        if url := os.environ.get("DTMF_TEST_PG_URL"):
            with psycopg.connect(url) as connection:
                return str(connection.info.parameter_status("server_version"))
        program = programs_for(User(Path("/"))) / "postgres"
    except (ServerFailed, psycopg.Error):
        return "absent"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return said.split()[-1] if said else "unknown"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prove", description=__doc__)
    numbers = ", ".join(str(row.number) for row in ROWS)
    parser.add_argument("rows", nargs="*", type=int, choices=[*BY_NUMBER, []], metavar="ROW", help=numbers)
    parser.add_argument("--small", action="store_true", help="quickly; nothing is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
