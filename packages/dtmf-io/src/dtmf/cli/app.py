"""The parser: cyclopts with the table of commands. A command's module is imported when it runs."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Parameter

from dtmf import DTMFError, __version__

from . import commands, exit_codes, usage_errors
from .exit_codes import CommandError, one_line, to_command_error
from .help_formatter import PlainHelpFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(tokens: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        build()(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _complain(usage_errors.complaint(error, tokens), exit_codes.USAGE)
    except (CommandError, DTMFError, ValueError) as error:
        end = to_command_error(error)
        return _complain("; ".join([str(end), *getattr(error, "__notes__", ())]), end.status)
    return 0


def build() -> App:
    """Build the parser for all commands."""
    app = App(
        name="dtmf",
        help="Rent phone numbers by the minute, and read every SMS they receive.",
        version=__version__,
        help_flags=("--help", "-h"),
        version_flags=(),
        help_format="plaintext",
        help_formatter=PlainHelpFormatter(),
        group_parameters="Options",
        default_parameter=Parameter(negative=(), show_default=False),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for heading, several in commands.COMMANDS.items():
        for name, _, target in several:
            app.command(target, name=name, group=heading)
    return app


def _complain(line: str, status: int) -> int:
    if sys.stderr is not None:
        with suppress(OSError):  # the terminal may have been closed
            print(f"dtmf: {one_line(line)}", file=sys.stderr, flush=True)
    return status
