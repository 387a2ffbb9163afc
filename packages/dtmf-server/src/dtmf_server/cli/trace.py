"""`dtmf-server carriers trace NAME`: shows what the running service exchanges with a carrier."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import traces
from dtmf_server.storage.db import Database, Row
from dtmf_server.storage.open import open_database

SECONDS, SECONDS_MAX = 60, 3600
STARTS_S = 10.0  # a running service begins to record within seconds
LAST_S = 1.0  # how long the last entries may take
POLL_INTERVAL_S = 0.2
NOT_RUN = "no running service records: start dtmf-server run, or a worker, with this database and configuration"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", metavar="NAME", help="the name of the [[carrier]]")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="N",
        help=f"how long (default {SECONDS}, up to {SECONDS_MAX})",
    )


def trace_command(options: argparse.Namespace, configuration: Config) -> int:
    """Show a carrier's traffic until the time is over. Returns 1 if no process records it."""
    known = [carrier.name for carrier in configuration.carrier]
    if options.name not in known:
        raise CannotStart(
            f"carrier {options.name} is not in the configuration; configured: {', '.join(known) or 'none'}"
        )
    with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
        until_us = wall_us() + options.seconds * SECOND_US
        db.write_blocking(partial(traces.start, carrier=options.name, until_wall_us=until_us))
        try:
            return _watch(db, options)
        finally:
            db.write_blocking(partial(traces.start, carrier=options.name, until_wall_us=wall_us()))


def _watch(db: Database, options: argparse.Namespace) -> int:
    started_s, is_recorded = time.monotonic(), False
    while (passed_s := time.monotonic() - started_s) < options.seconds + LAST_S:
        rows = _taken(db, options.name)
        is_recorded |= bool(rows)
        _show(rows, as_json=options.json)
        if not is_recorded and passed_s > min(STARTS_S, options.seconds):
            print(f"dtmf-server: {NOT_RUN}", file=sys.stderr)
            return 1
        time.sleep(POLL_INTERVAL_S)
    return 0


def _taken(db: Database, name: str) -> Sequence[Row]:
    """Remove and return what was recorded. Without anything, the database is only read."""
    found = db.read_blocking(partial(traces.has_entries, carrier=name))
    return db.write_blocking(partial(traces.take, carrier=name)) if found else ()


def _show(rows: Sequence[Row], *, as_json: bool) -> None:
    for row in rows:
        if as_json:
            shown = {"at": iso(row["at_wall_us"]), "direction": row["direction"], "text": row["text"]}
            print_line(json.dumps(shown, ensure_ascii=False))
        else:
            first, *others = [_printable(line) for line in row["text"].split("\n")]
            at = datetime.fromtimestamp(row["at_wall_us"] / SECOND_US, UTC)
            print_line("\n    ".join([f"{at:%H:%M:%S.%f}"[:12] + f" {row['direction']:4} {first}", *others]))


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= SECONDS_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds from 1 to {SECONDS_MAX}")
    return int(text)
