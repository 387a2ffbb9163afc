"""Output to stdout: JSON for scripts; lines, key-value pairs and tables for people. Only the latter import rich.

On a terminal, a table that is too wide becomes a block per row; elsewhere nothing is cut or wrapped.
Text is never interpreted as markup: an SMS may contain `[bold]`."""

from __future__ import annotations

import json as json_
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .formatting import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console
    from rich.text import Text

_UNBOUNDED = 10_000
_WRAPPED_MIN = 14
_ACTS_ON_TERMINALS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Column(NamedTuple):
    """A table column: its heading, whether it holds numbers, its style, and whether its cells may wrap."""

    heading: str
    figures: bool = False
    style: str = ""
    wraps: bool = False


def json(value: object, *, one_line: bool = False) -> None:
    """Print a result of the client as JSON."""
    text = json_.dumps(value, ensure_ascii=not _is_unicode(), indent=None if one_line else 2)
    print(_ACTS_ON_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def json_lines(values: Iterable[object]) -> None:
    """Print results as JSON, one per line, each as soon as it is available."""
    for value in values:
        json(value, one_line=True)
        flush()


def flush() -> None:
    """Flush stdout, so that a failure shows up now. Does nothing if there is no stdout."""
    if sys.stdout is not None:
        sys.stdout.flush()


def line(*parts: str | tuple[str, str]) -> None:
    """Print a line. Each part is a text, or a text with a style."""
    console().print(_text(*parts), soft_wrap=True)


def blank() -> None:
    """Print an empty line."""
    console().print()


def key_values(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair per line."""
    found = list(pairs)
    width = max(len(name) for name, _ in found) + 3
    for name, value in found:
        line((f"  {name:<{width}}", "dim"), value)


def definition(lead: str, text: str, *, style: str = "") -> None:
    """Print a term, and its description wrapped to the right of it."""
    from rich.table import Table  # noqa: PLC0415  # as above

    grid = Table.grid(padding=0)
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(_text((lead, style)), _text(text))
    _print(grid)


def paragraphs(content: str, *, indent: int) -> None:
    """Print untrusted text, wrapped and indented."""
    from rich.padding import Padding  # noqa: PLC0415  # as above

    _print(Padding(_text(content), (0, 0, 0, indent), expand=False))


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    from rich.cells import cell_len  # noqa: PLC0415  # as above

    cells = [[escape_controls(cell) for cell in row] for row in rows]
    there = console()
    widths = [_least_width(column, [row[i] for row in cells], cell_len) for i, column in enumerate(columns)]
    if sum(widths) + 2 * len(widths) <= there.width:
        _print(_grid(columns, cells))
        return
    for index, row in enumerate(cells):
        if index:
            blank()
        line((row[0], "bold"))
        key_values((column.heading, cell) for column, cell in zip(columns[1:], row[1:], strict=True) if cell)


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal or COLUMNS, and of unlimited width if there is neither."""
    from .console import Terminal  # noqa: PLC0415  # 30 ms that --json does not need

    file: Any = sys.stderr if stderr else sys.stdout
    width = None if file is None or file.isatty() or os.environ.get("COLUMNS", "").isdigit() else _UNBOUNDED
    return Terminal(file, width=width)


def _print(renderable: Any) -> None:
    """Print without trailing spaces."""
    from rich.segment import Segment, Segments  # noqa: PLC0415  # as above

    there = console()
    for row in there.render_lines(renderable, pad=False):
        while row and not row[-1].text.strip():
            row.pop()
        if row:
            row[-1] = Segment(row[-1].text.rstrip(), row[-1].style)
        there.print(Segments([*row, Segment.line()]), end="", soft_wrap=True)


def _grid(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table  # noqa: PLC0415  # as above

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for column in columns:
        grid.add_column(
            column.heading,
            justify="right" if column.figures else "left",
            style=column.style,
            no_wrap=not column.wraps,
            overflow="fold",
        )
    for row in cells:
        grid.add_row(*map(_text, row))
    return grid


def _least_width(column: Column, cells: Sequence[str], cell_len: Callable[[str], int]) -> int:
    """Return the minimum width of a column. One that wraps needs some room for words."""
    widest = max([cell_len(cell) for cell in cells] + [len(column.heading)])
    return min(widest, _WRAPPED_MIN) if column.wraps else widest


def _text(*parts: str | tuple[str, str]) -> Text:
    from rich.text import Text  # noqa: PLC0415  # as above

    text = Text()
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        text.append(escape_controls(words), style=style or None)
    return text


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
