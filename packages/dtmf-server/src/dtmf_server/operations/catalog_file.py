"""Read a file of groups, numbers, prices or networks, as an operator wrote it or a carrier sent it.

A file is a table with a header line (comma, semicolon, tab or pipe; UTF-8, UTF-16 or Windows-1252), or TOML with one table
per item ([[group]], [[number]], [[price]]). Every value is checked. Errors name the line of the file.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dtmf_server.core import amounts, table_file
from dtmf_server.core.pegged import Peg
from dtmf_server.core.phone_numbers import BadNumber, to_e164
from dtmf_server.operations import pegged_columns
from dtmf_server.operations.catalog_columns import COLUMNS, KINDS, Column, Heading, Reading, heading, unknown
from dtmf_server.operations.catalog_entries import Complaint, Entry, ImportErrors, place
from dtmf_server.operations.catalog_prices import prices

SHOWN_MAX = 60
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """The content of a valid file. `notes`: how it was read, where that is not obvious."""

    kind: str
    name: str
    entries: list[Entry]
    notes: list[str] = field(default_factory=list)
    peg: Peg | None = None  # the current rate, for groups with prices in the currency

    def where(self, entry: Entry) -> str:
        """Return the file and the line of an entry."""
        return place(self.name, entry.line)


def read(kind: str, content: bytes, *, name: str, reading: Reading | None = None) -> CatalogFile:
    """Return the content of a file. `kind`: groups, numbers, prices or networks. Raises ImportErrors."""
    reading = reading or Reading()
    notes: list[str] = []
    try:
        text, encoding = table_file.decode(content)
    except table_file.NotATable as error:
        raise ImportErrors([Complaint(name, error.line, _sentence(error))]) from None
    if encoding in ("Windows-1252", "Latin-1"):
        notes.append(f"{name} is not UTF-8: read as {encoding}; if letters look wrong, save it as UTF-8")
    table = _from_toml if name.lower().endswith(".toml") else _from_table
    found, currency = table(text, name, KINDS[kind], reading, notes)
    entries = _checked(found, name, KINDS[kind], reading)
    if not entries:
        raise ImportErrors([Complaint(name, None, f"the file contains no {KINDS[kind]}")])
    return CatalogFile(kind, name, _converted(entries, name, KINDS[kind], reading, currency, notes), notes)


def _sentence(error: table_file.NotATable) -> str:
    return f"the file {error}" if str(error).startswith("is ") else str(error)


def networks(content: bytes, *, name: str) -> dict[tuple[str, str], list[str]]:
    """Return the prefixes of each MCC and MNC from a file. Raises ImportErrors."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in read("networks", content, name=name).entries:
        key = entry.values["mcc"], entry.values["mnc"]
        found.setdefault(key, []).extend(entry.values["prefix"].split())
    return found


def _from_table(
    text: str, name: str, kind: str, reading: Reading, notes: list[str]
) -> tuple[Iterator[tuple[int | None, Cells, Mapping[str, str]]], str]:
    """Return the rows of a table with their lines, their cells and the file's names of the columns; and the currency that
    a column's name contains."""
    delimiter = table_file.find_delimiter(text, lambda cells: _count_known(cells, kind, reading))
    try:
        rows = [*table_file.rows(text, delimiter)]
    except table_file.NotATable as error:
        raise ImportErrors([Complaint(name, error.line, str(error))]) from None
    if not rows:
        raise ImportErrors([Complaint(name, None, f"the file contains no {kind}")])
    if _is_bare_list(rows, kind, reading):
        return ((row.line, {"e164": row.cells[0]}, {}) for row in rows), ""
    at = max(
        range(min(len(rows), table_file.HEADER_ROWS_MAX)),
        key=lambda index: (_count_known(rows[index].cells, kind, reading), -index),
    )
    head = _heading(rows[at], name, kind, reading)
    if at:
        notes.append(f"{name}: skipped {at} lines above the column names, which are on line {rows[at].line}")
    if head.ignored:
        notes.append(f"{name}: ignored columns: {', '.join(head.ignored)}")
    even = _even(rows[at + 1 :], head, name, rows[at].line)
    titles = {ours: head.names[position] for ours, position in head.positions.items()}
    return (
        (row.line, {ours: row.cells[position] for ours, position in head.positions.items()}, titles) for row in even
    ), head.currency


def _count_known(cells: Sequence[str], kind: str, reading: Reading) -> int:
    try:
        return len(heading(cells, kind, reading.columns).positions)
    except ValueError:
        return 1  # a header line, but an ambiguous one


def _is_bare_list(rows: Sequence[table_file.Row], kind: str, reading: Reading) -> bool:
    """Return True for a file of numbers only, without a header, for which the operator named the group."""
    if kind != "number" or not reading.group or any(any(row.cells[1:]) for row in rows):
        return False
    try:
        to_e164(rows[0].cells[0], code=reading.code)
    except BadNumber:
        return False
    return True


def _heading(row: table_file.Row, name: str, kind: str, reading: Reading) -> Heading:
    """Return the meaning of the header line. Raises ImportErrors if a column is missing or ambiguous."""
    for title, ours in reading.columns.items():
        if ours not in COLUMNS[kind]:
            known = ", ".join(COLUMNS[kind])
            raise ImportErrors([Complaint(name, None, f"--map {title}={ours}: {ours!r} is none of {known}")])
    try:
        head = heading(row.cells, kind, reading.columns)
    except ValueError as error:
        raise ImportErrors([Complaint(name, row.line, str(error))]) from None
    if absent := unknown(reading.columns, row.cells):
        message = f"--map names {', '.join(map(repr, absent))}, and this line has {_shown(row.cells)}"
        raise ImportErrors([Complaint(name, row.line, message)])
    missing = [ours for ours, column in COLUMNS[kind].items() if column.needed and ours not in head.positions]
    if kind == "group" and not pegged_columns.PRICES.keys() & head.positions.keys():
        missing += [ours for ours in ("setup_cost", "rental_cost_per_minute") if ours not in head.positions]
    if kind == "number" and reading.group:
        missing = [ours for ours in missing if ours != "group_id"]
    if kind == "price" and not {"prefix", "country_prefix", "area", "mcc", "mcc_mnc"} & head.positions.keys():
        missing.insert(0, "prefix")
    if missing:
        complaints = [_missing(ours, row, name, head, kind) for ours in missing]
        raise ImportErrors(complaints)
    return head


def _missing(ours: str, row: table_file.Row, name: str, head: Heading, kind: str) -> Complaint:
    close = difflib.get_close_matches(ours, list(head.ignored), 1, 0.6)
    fix = f"--map {(close or ['COLUMN'])[0]!r}={ours}" if close else f"--map COLUMN={ours}"
    if ours == "group_id":
        fix = f"--group GROUP, or {fix}"
    message = f"there is no column {ours} ({COLUMNS[kind][ours].words}); this line has {_shown(row.cells)}: add {fix}"
    return Complaint(name, row.line, message, ours)


def _shown(cells: Sequence[str]) -> str:
    return ", ".join(repr(cell[:SHOWN_MAX]) for cell in cells if cell)


def _even(rows: Sequence[table_file.Row], head: Heading, name: str, header_line: int) -> list[table_file.Row]:
    """Return the rows with as many cells as there are column names. Spreadsheets leave out empty cells at the end of a line,
    which is accepted of ignored columns only: elsewhere it could be a value that is missing. Raises ImportErrors."""
    width, needed = len(head.names), max(head.positions.values(), default=0) + 1
    if all(len(row.cells) == width + 1 and not row.cells[-1] for row in rows):
        wrong = []  # every line ends with a delimiter, except the column names
    else:
        wrong = [row for row in rows if not needed <= len(row.cells) <= width]
    found = [
        Complaint(
            name,
            row.line,
            f"this line has {len(row.cells)} columns, and the column names on line {header_line} are {width}: quote values"
            " that contain the delimiter",
        )
        for row in wrong
    ]
    if found:
        raise ImportErrors(found)
    return [table_file.Row(row.line, (*row.cells[:width], *("",) * (width - len(row.cells)))) for row in rows]


def _from_toml(
    text: str, name: str, kind: str, _: Reading, __: list[str]
) -> tuple[Iterator[tuple[int | None, Cells, Mapping[str, str]]], str]:
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ImportErrors([Complaint(name, None, f"not valid TOML: {error}")]) from None
    found: Any = table.pop(kind, [])
    if table or not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ImportErrors([Complaint(name, None, f"it must consist of [[{kind}]] tables")])
    lines: list[int | None] = [
        at for at, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip() == f"[[{kind}]]"
    ]
    if len(lines) != len(found):
        lines = [None] * len(found)
    known = ", ".join(COLUMNS[kind])
    unknown = [
        Complaint(name, line, f"{key!r} is not a column; the columns are {known}", key)
        for line, item in zip(lines, found, strict=True)
        for key in item
        if key not in COLUMNS[kind]
    ]
    if unknown:
        raise ImportErrors(unknown)
    separator = " " if kind == "group" else ", "  # of carriers and of prefixes
    cells = [{key: _plain(value, separator) for key, value in item.items()} for item in found]
    return ((line, item, {}) for line, item in zip(lines, cells, strict=True)), ""


def _plain(value: Any, separator: str) -> str:
    """Return a TOML value as a CSV file would contain it."""
    return separator.join(map(str, value)) if isinstance(value, list) else str(value)


def _checked(
    rows: Iterable[tuple[int | None, Cells, Mapping[str, str]]], name: str, kind: str, reading: Reading
) -> list[Entry]:
    """Return every row with valid values. Raises ImportErrors."""
    wrong: list[Complaint] = []
    entries: list[Entry] = []
    for line, cells, titles in rows:
        values: dict[str, str] = {}
        for ours, column in COLUMNS[kind].items():
            value = cells.get(ours, reading.group if ours == "group_id" else "")
            try:
                values[ours] = _value(value, column, reading)
            except ValueError as error:
                wrong.append(_complaint(name, line, ours, value, titles, str(error), column))
        entries.append(Entry(line, values))
    if wrong:
        raise ImportErrors(wrong)
    return entries


def _value(value: str, column: Column, reading: Reading) -> str:
    if not value:
        if column.needed:
            raise ValueError("")
        return ""
    return column.clean(value, reading)


def _complaint(
    name: str, line: int | None, ours: str, value: str, titles: Mapping[str, str], reason: str, column: Column
) -> Complaint:
    title = titles.get(ours, ours)
    label = ours if title == ours else f"{ours} (column {title!r})"
    shown = repr(value if len(value) <= SHOWN_MAX else f"{value[:SHOWN_MAX]}…")
    if not value:
        message = f"{label} is missing: {column.words}"
    else:
        message = f"{label} must be {column.words}, not {shown}" + (f": {reason}" if reason else "")
    return Complaint(name, line, message, ours, value)


def _converted(
    entries: list[Entry], name: str, kind: str, reading: Reading, currency: str, notes: list[str]
) -> list[Entry]:
    """Convert the prices of every row to satoshis, and the rows of prices to one per prefix. Raises ImportErrors."""
    priced = {
        ours: [(each, amounts.split(each.values[ours])) for each in entries if each.values[ours]]
        for ours, column in COLUMNS[kind].items()
        if column.is_price
    }
    currencies: dict[str, Entry] = {}
    for each in entries:
        if unit := each.values.get("currency"):
            currencies.setdefault(unit, each)
    for entry, amount in (each for column in priced.values() for each in column):
        if amount.currency:
            currencies.setdefault(amount.currency, entry)
    for unit in (currency, reading.currency):
        if unit:
            currencies.setdefault(unit, entries[0])
    rate = _rate(currencies, name, reading, notes)
    for ours, column in priced.items():
        mark = reading.decimal or _decimal_mark(column, name, ours)
        _convert(column, COLUMNS[kind][ours], name, ours, mark=mark, rate=rate)
    return prices(entries, name, reading, notes) if kind == "price" else entries


def _rate(currencies: Mapping[str, Entry], name: str, reading: Reading, notes: list[str]) -> Decimal | None:
    """Return the satoshis per unit of the file's currency; None: its prices are in satoshis. `currencies`: each currency
    and an entry with it. Raises ImportErrors for prices in several currencies, and in one without a rate."""
    if len(currencies) > 1:
        (first, _), (second, entry) = [*currencies.items()][:2]
        message = f"the prices are in {first} and {second}: split the file, and import each with its own --rate"
        raise ImportErrors([Complaint(name, entry.line, message, "currency", second)])
    for unit, entry in currencies.items():
        if unit == amounts.SATS and reading.rate is not None:
            message = "the prices are in satoshis: leave out --rate"
            raise ImportErrors([Complaint(name, entry.line, message, "currency", unit)])
        if unit != amounts.SATS and reading.rate is None:
            return _current_rate(unit, entry, name, reading, notes)
    return reading.rate


def _current_rate(unit: str, entry: Entry, name: str, reading: Reading, notes: list[str]) -> Decimal:
    """Return the rate of the rate source, and note it. Raises ImportErrors."""
    try:
        rate = reading.current_rate(unit)
    except ValueError as error:
        why = f" ({error})" if str(error) else ""
        message = f"the prices are in {unit}: add --rate SATS_PER_UNIT, how many satoshis one {unit} is{why}"
        raise ImportErrors([Complaint(name, entry.line, message, "currency", unit)]) from None
    notes.append(f"{name}: 1 {unit} = {rate:.6g} satoshis, the current rate")
    return rate


def _convert(
    priced: Sequence[tuple[Entry, amounts.Amount]],
    column: Column,
    name: str,
    ours: str,
    *,
    mark: str,
    rate: Decimal | None,
) -> None:
    """Convert one column in place. Raises ImportErrors."""
    wrong: list[Complaint] = []
    for entry, amount in priced:
        try:
            sats = amounts.to_sats(amounts.to_decimal(amount.digits, mark=mark), rate=rate)
        except ValueError as error:
            wrong.append(_complaint(name, entry.line, ours, entry.values[ours], {}, str(error), column))
        else:
            entry.values[ours] = str(sats)
    if wrong:
        raise ImportErrors(wrong)


def _decimal_mark(priced: Sequence[tuple[Entry, amounts.Amount]], name: str, ours: str) -> str:
    """Return the decimal mark that a column shows; empty if no amount shows it. Raises ImportErrors if they disagree."""
    shown: dict[str, str] = {}
    for entry, amount in priced:
        mark = amounts.decimal_mark(amount.digits)
        if mark and shown.setdefault(mark, amount.digits) and len(shown) > 1:
            first, second = shown.values()
            message = (
                f"{ours}: {first!r} and {second!r} in one column have different decimal marks: add --decimal comma or"
                " --decimal point"
            )
            raise ImportErrors([Complaint(name, entry.line, message, ours, entry.values[ours])])
    return next(iter(shown), "")
