"""`dtmf-server journal export`: writes a month of the ledger to a new file, for an accountant."""

import argparse
import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TypeAlias

import msgspec

from dtmf_server.cli.database_options import require_current_schema, translating_file_errors
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core.days import parse_month
from dtmf_server.operations import journal
from dtmf_server.operations.journal import Entry, Summary
from dtmf_server.storage import files
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
COLUMNS = [field.name for field in msgspec.structs.fields(Entry)]


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser; `command` creates one with the options that all commands share."""
    text = "export the ledger for an accountant"
    journal_ = commands.add_parser("journal", help=text, description=f"{text.capitalize()}.")
    actions = journal_.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "write a month of the ledger, with opening and closing balances, to a new file"
    export = command(actions, "export", export_command, text)
    export.add_argument("--month", required=True, type=month, metavar="MONTH", help="a month like 2026-11, in UTC")
    export.add_argument("--format", choices=["csv", "json"], default="csv", help="default: csv")
    export.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    export.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist")


def month(text: str) -> tuple[int, int]:
    """Return the first day of a month, and that of the next. Raises ArgumentTypeError."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def export_command(options: argparse.Namespace, configuration: Config) -> int:
    """Write the journal. Returns the exit status: 1 if the ledger is inconsistent."""
    first, after = options.month

    def export(tx: Tx) -> Summary:
        with files.new_file(options.file) as file:
            _WRITERS[options.format](file, journal.entries(tx, from_day=first, before_day=after))
        return journal.summary(tx, from_day=first, before_day=after)

    with translating_file_errors(options.file):
        files.refuse_existing(options.file)  # before reading the database
    with (
        contextlib.closing(open_database(require_current_schema(options, configuration))) as db,
        translating_file_errors(options.file),
    ):
        try:
            found = db.read_blocking(export)
        except journal.JournalDoesNotSumUp:
            print_line("nothing was exported: the daily sums differ from the ledger; run dtmf-server verify")
            return 1
    if options.json:
        print_line(json.dumps({"file": str(options.file), **asdict(found)}))
    else:
        print_line(f"{found.transfers} transfers of {found.moved_sats} satoshis in {options.file}")
    return 0


def _write_csv(file: IO[bytes], entries: Iterator[Entry]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(msgspec.structs.astuple(entry) for entry in entries)
    text.detach()


def _write_json(file: IO[bytes], entries: Iterator[Entry]) -> None:
    file.write(b"[\n")
    for nth, entry in enumerate(entries):
        file.write((b",\n" if nth else b"") + msgspec.json.encode(entry))
    file.write(b"\n]\n")


_WRITERS: dict[str, Callable[[IO[bytes], Iterator[Entry]], None]] = {"csv": _write_csv, "json": _write_json}
