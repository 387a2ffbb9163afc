"""Read tables as spreadsheets and carriers save them: their encoding, their delimiter, and the line of each row.

`csv.Sniffer` guesses from the frequency of characters and takes a letter for a delimiter; here the delimiter is the one
that yields known column names.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|")
HEADER_ROWS_MAX = 20  # titles above the column names
SAMPLE = 65_536  # characters
SAVE_AS_CSV = "open it in a spreadsheet program and save it as CSV"
_BINARY = {
    b"PK\x03\x04": f"is a spreadsheet (xlsx or ods) or an archive, not a text file: {SAVE_AS_CSV}",
    b"\xd0\xcf\x11\xe0": f"is a spreadsheet (xls), not a text file: {SAVE_AS_CSV}",
    b"%PDF": "is a PDF: ask the carrier for a CSV file",
    b"\x1f\x8b": "is compressed: unpack it first",
    b"SQLite format 3": "is a database, not a CSV file",
    b"<": f"is a web page or XML, not a CSV file: {SAVE_AS_CSV}",
}
_CONTROL = re.compile("[\0-\x08\x0e-\x19\x1b-\x1f]")  # not 1A, with which DOS ended files
_BOMS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16-LE", codecs.BOM_UTF16_BE: "UTF-16-BE"}


class NotATable(ValueError):
    """The file can't be read as a table. `line`: where, if it is known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a record, stripped, and the line of the file on which it starts."""

    line: int
    cells: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True if no cell has a letter or a digit."""
        return not any(character.isalnum() for cell in self.cells for character in cell)


def decode(content: bytes) -> tuple[str, str]:
    """Return the text and the encoding. Text that is not Unicode is read as Windows-1252. Raises NotATable."""
    for start, reason in _BINARY.items():
        if content.removeprefix(codecs.BOM_UTF8).lstrip().startswith(start):
            raise NotATable(reason)
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), _utf16(content) or "UTF-8")
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if encoding != "UTF-8" or content.startswith(codecs.BOM_UTF8):
            line = content.count(b"\n", 0, error.start) + 1
            raise NotATable(f"is not valid {encoding}: save the file again as UTF-8", line) from None
        encoding, text = _western(content)
    if "\0" in text:
        raise NotATable(f"is not a text file: {SAVE_AS_CSV}")
    return text, encoding


def _western(content: bytes) -> tuple[str, str]:
    try:
        return "Windows-1252", content.decode("cp1252")
    except UnicodeDecodeError:
        return "Latin-1", content.decode("latin-1")


def _utf16(content: bytes) -> str:
    """Recognize UTF-16 without a byte order mark: in every language, delimiters and digits have one byte that is 0."""
    sample = content[: SAMPLE // 2 * 2]
    zeros = sample[0::2].count(0), sample[1::2].count(0)
    if len(content) % 2 or min(zeros) or max(zeros) * 40 < len(sample):
        return ""
    encoding = "UTF-16-LE" if zeros[1] else "UTF-16-BE"
    return "" if _CONTROL.search(sample.decode(encoding, "replace")) else encoding


def rows(text: str, delimiter: str) -> Iterator[Row]:
    """Yield every record that has content. Raises NotATable."""
    stream = io.StringIO(text, newline="")  # lines may end with CR, LF or both, and quoted cells may contain them
    reader = csv.reader(stream, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
    line = 1
    try:
        for cells in reader:
            row = Row(line, tuple(cell.strip() for cell in cells))
            if not row.is_empty and not (line == 1 and _declared(text)):
                yield row
            line = reader.line_num + 1
    except csv.Error as error:
        reason = "a quoted text that begins here does not end" if "unexpected end" in str(error) else str(error)
        raise NotATable(f"not valid CSV: {reason}; a quote inside of quotes is written twice", line) from None


def _declared(text: str) -> str:
    """Return the delimiter that a first line like `sep=;` declares, as spreadsheets write it; empty if there is none."""
    found = re.match(r"\"?sep=(.)\"?\s*[\r\n]", text, re.IGNORECASE)
    return found[1] if found else ""


def find_delimiter(text: str, known: Callable[[Sequence[str]], int]) -> str:
    """Return the delimiter. `known`: how many of a row's cells are known column names."""
    if declared := _declared(text):
        return declared
    sample = text if len(text) <= SAMPLE else text[: max(text.rfind("\n", 0, SAMPLE), text.rfind("\r", 0, SAMPLE)) + 1]
    return max(DELIMITERS, key=lambda delimiter: _fit(_sample(sample, delimiter), known))


def _fit(sample: Sequence[Row], known: Callable[[Sequence[str]], int]) -> tuple[int, int, int]:
    """Rate a delimiter: by known names in one row, then by rows of one width, then by that width."""
    best = max((known(row.cells) for row in sample[:HEADER_ROWS_MAX]), default=0)
    widths = [len(row.cells) for row in sample if len(row.cells) > 1]
    common = max(set(widths), key=widths.count, default=0)
    return best, widths.count(common), common


def _sample(text: str, delimiter: str) -> list[Row]:
    found = []
    try:
        for row in rows(text, delimiter):
            found.append(row)
            if len(found) == 50:
                break
    except NotATable:  # reported once the whole file is read
        pass
    return found
