"""A bash session that runs the commands of a page, and compares their output with the page."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

TIMEOUT_S = 120
TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6})?")
SPINNER = re.compile(r"^[\u2801-\u28ff].*\n?", re.M)  # only on a terminal
END = "end-of-command"
# Commands that don't end by themselves: stopped by Ctrl-C after the documented output.
ENDLESS = ("curl -N ",)
COMMAND = re.compile(r"(.*\\\n)*.*\n")
HERE_DOCUMENT = re.compile(r"[^\n]*<<'END'\n(?:.*\n)*?END\n")


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a block after `$ `, with continuation lines and here-documents, each with its documented
    output."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command = HERE_DOCUMENT.match(part) or COMMAND.match(part)
        assert command
        yield command[0].rstrip("\n"), part[command.end() :]


class Shell:
    """A context manager for a bash session in a folder. Its processes end with the block."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._send("trap : INT\n")

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_reason: object) -> None:
        self._signal(signal.SIGKILL)
        self._process.communicate()

    def _signal(self, number: int) -> None:
        os.killpg(self._process.pid, number)

    def _send(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def run(self, command: str, until: "re.Pattern[str] | None" = None) -> tuple[str, int]:
        """Run a command; return its output and exit code. With `until`, Ctrl-C stops it once its output matches."""
        self._send(f"{{ {command}\n}} </dev/null\nprintf '\\n{END} %s\\n' $?\n")
        output = ""
        giving_up = threading.Timer(TIMEOUT_S, self._signal, [signal.SIGKILL])
        giving_up.start()
        try:
            for line in self._process.stdout or ():
                if line.startswith(END):
                    return output, int(line.split()[1])
                output += line
                if until and until.fullmatch(masked(output)):
                    self._signal(signal.SIGINT)
                    until = None
        finally:
            giving_up.cancel()
        raise AssertionError(f"{command} did not end within {TIMEOUT_S} s; it printed {output!r}")


def masked(output: str) -> str:
    """Mask the parts of an output that differ between runs."""
    return TIME.sub("TIME", SPINNER.sub("", output)).strip()


def as_pattern(shown: str) -> "re.Pattern[str]":
    """Return a pattern for the documented output. An ellipsis matches any text; on its own line, any lines."""
    lines = [re.escape(line).replace("…", "[^\n]*") for line in masked(shown).split("\n")]
    return re.compile("\n".join("(?s:.*)" if line == "[^\n]*" else line for line in lines))


def check_command(shell: Shell, command: str, shown: str) -> None:
    """Run a command, and compare its exit code and output with the document."""
    endless = command.startswith(ENDLESS)
    wanted = as_pattern(shown)
    output, status = shell.run(command, until=wanted if endless else None)
    assert status in ({0, 130} if endless else {0}), f"{command} exits with {status}: {output}"
    assert "/docs/reference/errors#" not in output, f"{command} is refused: {output}"
    if shown and not endless:
        assert wanted.fullmatch(masked(output)), f"{command} prints {output!r}, not {shown!r}"
    assert not endless or status == 130, f"{command} prints {output!r}, not {shown!r}"
