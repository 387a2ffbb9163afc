"""`dtmf` as a subprocess, and its output."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dtmf as package
from harness import new_token

TOKEN = new_token()
SOURCE = str(Path(package.__file__).parents[1])


@dataclass(frozen=True)
class Said:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]
Refused = Callable[..., tuple[int, str]]


def process(*arguments: object, code: str | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run `python -m dtmf` with these arguments, or other code, to its end."""
    program = ["-m", "dtmf"] if code is None else ["-c", code]
    command = [sys.executable, "-P", *program, *map(str, arguments)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, text=True, timeout=60, check=False, **streams)
