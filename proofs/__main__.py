"""Prove the promises of the service: `python -m proofs`, or only some: `… proofs 1 7 --small`.

Each row runs at full size, or small; the table of promises and figures is printed at the end. The last full-size result
of each row is saved in docs/internals/proofs.md. The exit status is 1 if any figure misses its target, or if a proof could not be
completed or could not run on this machine: the missing requirement is printed, and such a row never counts as proved.
"""

import argparse
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ROOT

from proofs import reported
from proofs.claim import NotRun, Outcome, Row
from proofs.claims import BY_NUMBER, ROWS
from proofs.sources import digest

SMALL_BOUND_S = 300.0
KEPT_IN = ROOT / "docs" / "internals" / "proofs.md"
KEPT, BROKEN, NOT_RUN = "kept", "BROKEN", "not run"
HEAD = """# Proofs

**For:** operators and reviewers who want to know whether the promises hold.\\
**Afterwards you can:** see what was tried for each promise, and repeat it.

<!-- prose: skip file - the verdicts on promises are right as they are -->

The latest full-size results of `make prove`, which writes this page. Every figure must be 0, unless it only shows how
much was tried or the promise says otherwise; ✗ marks a figure that misses its target. `make prove ARGS='1 7 --small'`
runs some rows, small, without saving the results here. Each row has the hash of the sources it was measured on; `make
prove ARGS=--stale` lists the rows whose sources have changed since. A row installs what it needs (FUSE, network
namespaces) if it can, as root on Debian and Ubuntu; otherwise it names what is missing and counts as not run.

{machine}

{table}"""
COLUMNS = "| # | promise | proved by | figures | verdict | when, how long | sources |\n|---|---|---|---|---|---|---|\n"


def main() -> int:
    """Run the requested rows."""
    options = _options()
    if options.stale:
        return _print_stale()
    if options.report:
        return _read_reports(options.report)
    rows = [BY_NUMBER[number] for number in options.rows] if options.rows else ROWS
    started_s, lines, kept = time.monotonic(), [], 0
    for row in rows:
        print(f"{row.number:3} {row.promise}: {'small' if options.small else row.how}", flush=True)
        line, verdict = _run(row, small=options.small)
        lines.append(line)
        kept += verdict == KEPT
        if not options.small and verdict != NOT_RUN:
            keep({row.number: line})
    print(f"\n{COLUMNS}{''.join(lines)}")
    print(f"{kept} of {len(rows)} promises proved in {time.monotonic() - started_s:.0f} s on {machine()}")
    return 0 if kept == len(rows) else 1


def _print_stale() -> int:
    """List the rows that must be proved again; return 1 if there are any."""
    kept = KEPT_IN.read_text(encoding="utf-8")
    measured = {int(found[1]): found[2] for found in re.finditer(r"^\| (\d+) \|.*\| (\w*) \|$", kept, re.MULTILINE)}
    stale = [row for row in ROWS if measured.get(row.number) != digest(row.sources)]
    for row in stale:
        print(f"{row.number:3} {row.promise}")
    print(f"{len(stale)} of {len(ROWS)} rows were not measured on the current sources")
    return 1 if stale else 0


def _read_reports(files: list[Path]) -> int:
    """Check every proof made of tests against the reports of test runs; run the others small."""
    cases = [case for file in files for case in reported.read(file)]
    broken = 0
    for row in ROWS:
        for outcome in [*reported.outcomes(row, cases), *_run_others(row)]:
            if not outcome.is_kept:
                broken += 1
                print(f"{row.number:3} {row.promise}: {outcome.trouble} {', '.join(map(str, outcome.figures))}")
                print(outcome.output)
    print(f"{len(ROWS)} rows, {broken} broken proofs")
    return 1 if broken else 0


def _run_others(row: Row) -> Iterator[Outcome]:
    """Run the row's proofs that are not made of tests, at small size."""
    for proof in row.proofs:
        if not reported.is_tests(proof):
            try:
                yield proof(small=True, bound_s=SMALL_BOUND_S)
            except NotRun as reason:
                print(f"{row.number:3} {row.promise}: not run, {reason}")


def _run(row: Row, *, small: bool) -> tuple[str, str]:
    """Run the row and print the outcome; return its line of the table, and the verdict."""
    began_s = time.monotonic()
    outcome, verdict = _outcome(row, small=small)
    took_s = time.monotonic() - began_s
    figures = ", ".join(map(str, outcome.figures)) or outcome.trouble
    print(f"    {verdict} in {took_s:.0f} s: {figures}", flush=True)
    if verdict == BROKEN:
        print(
            "".join(f"    | {line}\n" for line in [outcome.trouble, *outcome.output.splitlines()] if line), flush=True
        )
    how = f"{row.how}, small" if small else row.how
    when = f"{datetime.now(UTC):%Y-%m-%d}, {took_s:.0f} s"
    sources = digest(row.sources)
    return f"| {row.number} | {row.promise} | {how} | {figures} | {verdict} | {when} | {sources} |\n", verdict


def _outcome(row: Row, *, small: bool) -> tuple[Outcome, str]:
    try:
        outcome = row.run(small=small)
    except NotRun as reason:
        return Outcome(trouble=str(reason)), NOT_RUN
    return outcome, KEPT if outcome.is_kept else BROKEN


def keep(lines: dict[int, str], file: Path = KEPT_IN) -> None:
    """Write docs/internals/proofs.md: these rows, and the other rows that the file has from the same machine."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    here = f"The machine: {machine()}."
    found = re.finditer(r"^\| (\d+) \|.*\n", before if here in before else "", re.MULTILINE)
    known = {int(each[1]): each[0] for each in found} | lines
    table = COLUMNS + "".join(known[number] for number in sorted(known))
    file.write_text(HEAD.format(machine=here, table=table), encoding="utf-8")


def machine() -> str:
    """Describe this machine, without its name or paths."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, PostgreSQL {_postgresql()}"
    )


def _postgresql() -> str:
    """Return the version of PostgreSQL that the tests start, or of the server they are configured to use."""
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
    parser = argparse.ArgumentParser(prog="python -m proofs", description=__doc__)
    numbers = ", ".join(str(row.number) for row in ROWS)
    parser.add_argument("rows", nargs="*", type=int, choices=[*BY_NUMBER, []], metavar="ROW", help=numbers)
    parser.add_argument("--stale", action="store_true", help="only list the rows whose sources have changed")
    parser.add_argument(
        "--report",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="read the figures of proofs made of tests from these JUnit reports; run only the others, small",
    )
    parser.add_argument("--small", action="store_true", help="run quickly; no result is saved")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
