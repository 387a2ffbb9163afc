"""`dtmf`: rent numbers and read their SMS on the command line.

1. `dtmf --help` and other requests that need no parser don't load one: importing cyclopts alone takes eight times as
   long (docs/decisions/0010).
2. A command is a function that prints. An error is one line on stderr and an exit code (exit_codes.py).
3. stdout carries results only. Prompts, spinners and errors go to stderr."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from . import commands

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

INTERRUPTED_BY = 128  # the convention of shells: 128 plus the signal number, 2 for Ctrl-C
PIPE_CLOSED = 141
_EXTRA = {"cyclopts": "cli", "rich": "cli", "segno": "cli", "dtmf_mcp": "mcp"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    code = _main(arguments)
    for stream in (sys.stdout, sys.stderr):
        _forget_unwritable(stream)
    return code


def _main(arguments: Sequence[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # replace only the characters that the terminal can't show
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt as interruption:
        _complain_of_notes(interruption)
        return INTERRUPTED_BY + getattr(interruption, "signal", 2)
    except BrokenPipeError as error:
        _forget(sys.stdout)
        _complain_of_notes(error)
        return PIPE_CLOSED
    except OSError as error:
        _forget(sys.stdout)
        _complain_of_notes(error)
        return _complain(f"dtmf: {error.strerror or error}", 1)
    return code


def _run(tokens: list[str]) -> int:
    if not tokens or tokens[0] in {"--help", "-h", "help"}:
        _say(commands.overview(bold=_is_styled()))
        return 0
    if tokens[0] == "--version":
        from dtmf import __version__  # noqa: PLC0415  # the package is importing this module's parent

        _say(f"dtmf {__version__}")
        return 0
    if complaint := commands.complaint(tokens):
        return _complain(f"dtmf: {complaint}", 2)
    try:
        from . import app  # noqa: PLC0415  # load the parser only if there is something to parse

        return app.run(tokens)
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in _EXTRA:
            raise
        extra = _EXTRA[missing]
        line = f"dtmf: the command needs {missing}, which is not installed: pip install 'dtmf-io[{extra}]'"
        return _complain(line, 1)


def _say(text: str) -> None:
    if sys.stdout is not None:
        print(text)


def _complain(line: str, code: int) -> int:
    if sys.stderr is not None:
        with suppress(OSError):  # the terminal may have been closed
            print(line, file=sys.stderr, flush=True)
    return code


def _complain_of_notes(error: BaseException) -> None:
    """Print the notes of an exception, such as a rental that could not be ended."""
    for note in getattr(error, "__notes__", ()):
        _complain(f"dtmf: {note}", 1)


def _is_styled() -> bool:
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _forget_unwritable(stream: TextIO | None) -> None:
    """Discard what a stream can't write because the terminal was closed; otherwise Python exits with 120."""
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        _forget(stream)


def _forget(stream: TextIO | None) -> None:
    """Discard buffered output that can't be written; otherwise Python reports an error at exit."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
