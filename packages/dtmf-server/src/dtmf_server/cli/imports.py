"""`dtmf-server groups|numbers|prices import FILE`: imports the catalog from files as spreadsheets and carriers write
them."""

import argparse
import contextlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dtmf_server.cli import catalog_commands, confirm, import_rate, operator, rate_text, supply_check
from dtmf_server.cli.database_options import require_current_schema
from dtmf_server.cli.import_text import difference_lines, free_lines, jump_text, warning_text
from dtmf_server.cli.output import print_line
from dtmf_server.config import Config
from dtmf_server.core import amounts
from dtmf_server.core.calling_codes import calling_code
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import audit, catalog_file, import_catalog, pegged_columns, supply_status
from dtmf_server.operations.audit import By
from dtmf_server.operations.catalog_columns import COLUMNS, KINDS, Reading
from dtmf_server.operations.catalog_entries import ImportErrors
from dtmf_server.operations.price_jumps import PriceJump, PriceJumps, jumps
from dtmf_server.server.startup import settings_of
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

FILE_MAX = 64 << 20
_HELP = {
    "groups": "list, change or import groups",
    "numbers": "list, explain, retire or import numbers",
    "prices": "show, change or import prices",
}
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add(commands: Commands, command: Callable[[Commands, str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the parser; `command` creates one with the options that all commands share."""
    for kind, help_ in _HELP.items():
        actions = commands.add_parser(kind, help=help_).add_subparsers(required=True)
        catalog_commands.add(kind, actions, command)
        text = f"import {kind} from a CSV or TOML file; if any line is invalid, nothing is imported"
        importing = command(actions, "import", import_command, text)
        importing.add_argument("file", type=Path, metavar="FILE")
        importing.set_defaults(
            kind=kind,
            allow_free=False,
            replace=False,
            rate=None,
            decimal=None,
            country=None,
            group=None,
            networks=None,
        )
        _add_options(importing, kind)
        operator.add_options(importing)


def _add_options(importing: argparse.ArgumentParser, kind: str) -> None:
    importing.add_argument("--dry-run", action="store_true", help="only show what the import would change")
    importing.add_argument("--json", action="store_true", help="print one JSON object")
    importing.add_argument(
        "--map",
        action="append",
        default=[],
        type=_mapping(kind),
        metavar="COLUMN=NAME",
        help=f"the file's COLUMN is NAME, one of {', '.join(COLUMNS[KINDS[kind]])}; repeatable",
    )
    if kind == "numbers":
        importing.add_argument(
            "--country", type=_country, metavar="CC", help="complete national numbers: a country like DE, or 49"
        )
        importing.add_argument("--group", metavar="GROUP", help="the group of numbers in a file without this column")
        importing.set_defaults(yes=False)  # numbers have no prices
        return
    confirm.add_yes(importing)
    importing.add_argument("--allow-free", action="store_true", help="allow prices of 0")
    importing.add_argument(
        "--rate",
        type=import_rate.rate_or_currency,
        metavar="RATE",
        help="the file's prices are in a currency: satoshis per unit of it, or its code like EUR for the current rate of"
        " [prices]; a file that names that currency needs no --rate",
    )
    importing.add_argument(
        "--decimal", choices=sorted(amounts.MARKS), help="the decimal mark, if the file does not make it clear"
    )
    if kind == "prices":
        importing.add_argument(
            "--networks", type=Path, metavar="FILE", help="the prefixes of mobile networks: CSV with mcc,mnc,prefix"
        )
        importing.add_argument("--replace", action="store_true", help="delete prices that the file does not have")


def _mapping(kind: str) -> Callable[[str], tuple[str, str]]:
    def mapping(text: str) -> tuple[str, str]:
        column, equals, name = text.rpartition("=")
        if not (equals and column and name in COLUMNS[KINDS[kind]]):
            names = ", ".join(COLUMNS[KINDS[kind]])
            raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=NAME with one of the names {names}")
        return column, name

    return mapping


def _country(text: str) -> str:
    try:
        return calling_code(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def import_command(options: argparse.Namespace, configuration: Config) -> int:
    """Import groups, numbers or prices from a file, or show what that would change. Returns the exit status."""
    try:
        file = _with_rate(_read(options, configuration), configuration)
        unasked = supply_check.check(file, configuration) if options.kind == "groups" else []
        with contextlib.closing(open_database(require_current_schema(options, configuration))) as db:
            difference = _apply(db, file, options)
            cheap = _cheap(db, configuration) if options.kind == "groups" else []
    except ImportErrors as wrong:
        return _refused(options, wrong.complaints, [asdict(each) for each in wrong.found])
    except import_catalog.FreePrices as free:
        return _refused(options, free_lines(free.prices), [])
    except PriceJumps as refused:
        return _refused(options, confirm.refusal_lines(refused), [])
    warnings = [*(warning_text(warning) for warning in import_catalog.warnings(file)), *cheap, *unasked]
    if options.dry_run:
        warnings += map(jump_text, jumps(difference.changed))
    if options.json:
        found = _json(options, file, difference) | {"notes": file.notes, "warnings": warnings, "errors": []}
        print_line(json.dumps(found))
        return 0
    for line in (*file.notes, *(f"warning: {warning}" for warning in warnings)):
        print_line(line)
    for line in difference_lines(difference, is_dry_run=options.dry_run):
        print_line(line)
    return 0


def _with_rate(file: catalog_file.CatalogFile, configuration: Config) -> catalog_file.CatalogFile:
    """Add the current rate to a file with prices in cents."""
    if not any(pegged_columns.is_pegged(entry.values) for entry in file.entries):
        return file
    return replace(file, peg=rate_text.current_peg(configuration))


def _cheap(db: Database, configuration: Config) -> list[str]:
    """Return the groups whose shortest rental brings in less than a bought number costs."""
    return db.read_blocking(partial(supply_status.cheap, rules=settings_of(configuration).supply))


def import_numbers(db: Database, e164s: Sequence[str], *, group_id: str, by: By) -> tuple[int, list[str]]:
    """Import numbers into a group. Return the exit status and the lines to print."""

    def apply(tx: Tx) -> import_catalog.Difference:
        found = import_catalog.apply(tx, file)
        audit.record(tx, by, "numbers import", f"{group_id}: {', '.join(e164s)}")
        return found

    content = "\n".join(["e164", *e164s]).encode()
    try:
        file = catalog_file.read("numbers", content, name="numbers", reading=Reading(group=group_id))
        difference = db.write_blocking(apply)
    except ImportErrors as wrong:
        return 1, [*wrong.complaints, "nothing was imported"]
    return 0, difference_lines(difference, is_dry_run=False)


def _read(options: argparse.Namespace, configuration: Config) -> catalog_file.CatalogFile:
    networks = {}
    if options.networks:
        networks = catalog_file.networks(_content(options.networks), name=options.networks.name)
    reading = Reading(
        code=options.country or "",
        rate=options.rate if isinstance(options.rate, Decimal) else None,
        currency=options.rate if isinstance(options.rate, str) else "",
        current_rate=import_rate.current(configuration.prices),
        decimal=amounts.MARKS.get(options.decimal, ""),
        group=options.group or "",
        columns=dict(options.map),
        networks=networks,
    )
    return catalog_file.read(options.kind, _content(options.file), name=options.file.name, reading=reading)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX + 1)
    except OSError as error:
        raise CannotStart(f"can't read {path}: {error.strerror}") from error
    if len(content) > FILE_MAX:
        raise CannotStart(f"{path} is larger than {FILE_MAX >> 20} MiB: split it and import the pieces")
    return content


def _apply(db: Database, file: catalog_file.CatalogFile, options: argparse.Namespace) -> import_catalog.Difference:
    removes, by = options.replace, operator.acting(options)
    if options.dry_run:
        return db.read_blocking(lambda tx: import_catalog.compare(tx, file, removes=removes))

    def apply(tx: Tx, accepted: Collection[PriceJump]) -> import_catalog.Difference:
        found = import_catalog.apply(tx, file, allow_free=options.allow_free, removes=removes, accepted=accepted)
        removed = len(found.absent) if found.removes else 0
        counts = f"{len(found.added)} added, {len(found.changed)} columns changed, {removed} removed"
        audit.record(tx, by, f"{file.kind} import", f"{file.name}: {counts}")
        return found

    return confirm.confirmed(
        lambda accepted: db.write_blocking(partial(apply, accepted=accepted)), yes=options.yes, asks=not options.json
    )


def _refused(options: argparse.Namespace, lines: Sequence[str], errors: Sequence[dict[str, object]]) -> int:
    if options.json:
        shown = [*errors] or [{"file": options.file.name, "message": line} for line in lines]
        print_line(json.dumps({"file": options.file.name, "kind": options.kind, "imported": False, "errors": shown}))
        return 1
    for line in (*lines, "nothing was imported"):
        print_line(line)
    return 1


def _json(
    options: argparse.Namespace, file: catalog_file.CatalogFile, difference: import_catalog.Difference
) -> dict[str, object]:
    return {
        "file": file.name,
        "kind": file.kind,
        "imported": not options.dry_run,
        "added": difference.added,
        "changed": [
            {"key": change.key, "column": change.column, "from": change.before, "to": change.after}
            for change in difference.changed
        ],
        "unchanged": difference.unchanged,
        "absent": difference.absent_count,
        "removed": list(difference.absent) if difference.removes else [],
    }
