"""Asks the operator to confirm prices that change by a factor of 10 or more."""

import argparse
import sys
from collections.abc import Callable, Collection
from typing import TypeVar

from dtmf_server.cli.import_text import SHOWN_MAX, jump_text
from dtmf_server.cli.output import print_line
from dtmf_server.operations import price_jumps
from dtmf_server.operations.price_jumps import PriceJump, PriceJumps

T = TypeVar("T")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("--yes", action="store_true", help="allow prices that change by a factor of 10 or more")


def confirmed(change: Callable[[Collection[PriceJump]], T], *, yes: bool, asks: bool) -> T:
    """Return the result of `change`, which gets the jumps that were confirmed: all with `yes`, else those that the operator
    accepts on the terminal. Raises PriceJumps without `asks`, without a terminal, and if the answer is not yes."""
    if yes:
        return change(price_jumps.EVERY)
    try:
        return change(())
    except PriceJumps as found:
        if not (asks and sys.stdin is not None and sys.stdin.isatty()):
            raise
        for line in _lines(found):
            print_line(line)
        if _answer() not in ("y", "yes"):
            raise
        return change(found.jumps)


def _answer() -> str:
    try:
        return input("Change them? Type yes: ").strip().lower()
    except EOFError:
        return ""


def refusal_lines(found: PriceJumps) -> list[str]:
    """Return why prices were not changed, and how to change them."""
    return [*_lines(found), "if that is intended, add --yes"]


def _lines(found: PriceJumps) -> list[str]:
    more = len(found.jumps) - SHOWN_MAX
    return [*map(jump_text, found.jumps[:SHOWN_MAX]), *([f"and {more} more"] if more > 0 else [])]
