"""The command `dtmf`, against the start of a bare interpreter.

Fresh processes in turns: `python -c pass`, and the script that pip installs for `dtmf`. `dtmf --help` is usually the
first command; a table answers it, without the parser (docs/decisions/0010). The fixed cost of any command shows in the
time of a command's help."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from time import perf_counter

from benchmarks.interleave import Finding, at_most, ratio, rounds
from benchmarks.round_robin import bare_environment
from benchmarks.size import Size

DTMF = "import sys\nfrom dtmf.cli import main\nsys.exit(main())"
PROGRAMS = {
    "bare": ["-c", "pass"],
    "dtmf --help": ["-c", DTMF, "--help"],
    "dtmf acount": ["-c", DTMF, "acount"],
    "dtmf account --help": ["-c", DTMF, "account", "--help"],
}


def run(size: Size) -> Iterator[Finding]:
    """Return start-up times, relative to a bare interpreter."""
    contenders = {name: partial(_start, arguments) for name, arguments in PROGRAMS.items()}
    rounds(contenders, 2)
    seconds = rounds(contenders, size.of(40, 10, 1))
    bounds = {"dtmf --help": at_most(4), "dtmf acount": at_most(4)}
    for name in list(PROGRAMS)[1:]:
        yield ratio(seconds, name, "bare", name=f"{name}, by bare Python", bound=bounds.get(name), raw="{} s")


def _start(arguments: list[str]) -> float:
    """Return the seconds from the interpreter's start to its end."""
    started_s = perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=bare_environment(),
    )
    return perf_counter() - started_s
