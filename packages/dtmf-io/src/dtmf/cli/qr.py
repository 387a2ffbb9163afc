"""QR codes in the terminal, two modules per character."""

from __future__ import annotations

import os
import sys

from . import output

_QUIET = 2  # quiet zone in modules; phones need fewer than the four of ISO/IEC 18004
_LONG = 200  # characters; above, less error correction, so that the code fits 80 columns
_HALVES = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}  # ink is the light modules


def show(text: str) -> None:
    """Print the code if stdout is a terminal that is wide enough."""
    there = output.console()
    if not there.is_terminal or os.environ.get("TERM") == "dumb" or not _has_blocks():
        return
    rows = half_blocks(text)
    if len(rows[0]) > there.width:
        output.line((f"The QR code needs a terminal {len(rows[0])} columns wide.", "dim"))
        return
    for row in rows:  # white on black in every colour scheme; without colours, as on a dark terminal
        output.line((row, "bright_white on black"))
    output.blank()


def half_blocks(text: str) -> list[str]:
    """Return the rows of the code. Each character is one module above another."""
    import segno  # noqa: PLC0415  # only needed to show a code

    level = "m" if len(text) < _LONG else "l"
    modules = segno.make(text, error=level, micro=False, boost_error=False).matrix_iter(border=_QUIET)
    dark = [[int(module) & 1 for module in row] for row in modules]
    if len(dark) % 2:
        dark.append([0] * len(dark[0]))
    return [
        "".join(_HALVES[above, below] for above, below in zip(*pair, strict=True))
        for pair in zip(dark[::2], dark[1::2], strict=True)
    ]


def _has_blocks() -> bool:
    try:
        "█▀▄".encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
