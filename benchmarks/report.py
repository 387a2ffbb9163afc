"""The table."""

from benchmarks.rounds import Finding, Line

_WIDTHS = (46, 22, 8, 6)


def print_head() -> None:
    """The table's first line."""
    print(_row("benchmark", "figure (spread)", "bound", "", "raw"), flush=True)


def show(finding: Finding) -> None:
    """A line of the table, or a fact below it."""
    if isinstance(finding, str):
        print("".join(f"    {part}\n" for part in finding.splitlines()), end="", flush=True)
    else:
        bound = "—" if finding.bound is None else str(finding.bound)
        print(_row(finding.name, figure(finding), bound, finding.verdict, finding.raw), flush=True)


def figure(line: Line) -> str:
    """The figure with its unit and its spread."""
    shown = f"{line.figure:.2f}" if isinstance(line.figure, float) else f"{line.figure:,}"
    if line.spread is not None:
        shown += f" ({line.spread[0]:.2f}–{line.spread[1]:.2f})"
    return f"{shown} {line.unit}".rstrip()


def _row(*cells: str) -> str:
    fixed = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join([*fixed, *cells[len(_WIDTHS) :]])
