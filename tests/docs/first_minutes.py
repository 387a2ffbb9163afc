"""Run the commands with which README.md and docs/quickstart.md begin, unchanged, and the Python that follows them.

`.ci/run` runs this program: `make run` installs the requirements of the service into .venv, so it is not for pytest."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "packages/dtmf-io/src")]

from end_to_end.test_docs import differences  # noqa: E402  # after the path is set
from support import markdown  # noqa: E402  # the same
from support.shell import commands  # noqa: E402  # the same

THIS = "tests/docs/first_minutes.py"
PAGES = ("README.md", "docs/quickstart.md")
TIMEOUT_S = 300


def run_by_this(page: str) -> Iterator[str]:
    """The commands of a page that name this program."""
    for block in markdown.blocks(ROOT / page):
        for command, _ in commands(block.code) if block.language == "console" else ():
            if THIS in (name for begin, name in block.run_by.items() if command.startswith(begin)):
                yield command


def serve(command: str) -> tuple["subprocess.Popen[str]", dict[str, str]]:
    """Start `make run` as on a terminal; return it with the variables that it prints."""
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    giving_up = threading.Timer(TIMEOUT_S, os.killpg, [process.pid, signal.SIGKILL])
    giving_up.start()
    found: dict[str, str] = {}
    for line in process.stdout or ():
        print(line, end="", flush=True)
        found |= dict(re.findall(r"export (DTMF_\w+)=(\S+)", line))
        if {"DTMF_URL", "DTMF_TOKEN"} <= set(found):
            break
    giving_up.cancel()
    assert len(found) >= 2, f"{command} printed no `export` lines"
    return process, found


def play(page: str) -> None:
    """Run the commands of a page, and its first block of Python."""
    process, printed = None, dict[str, str]()
    try:
        for command in run_by_this(page):
            if command.startswith("make run"):
                process, printed = serve(command)
            elif command.startswith("export "):
                name, _, sample = command.removeprefix("export ").partition("=")
                assert re.fullmatch(re.escape(sample).replace("…", r"\w+"), printed[name]) or name == "DTMF_URL", (
                    command
                )
                os.environ[name] = printed[name]
            else:
                subprocess.run(["bash", "-c", command], cwd=ROOT, check=True, timeout=TIMEOUT_S)
        os.environ |= printed
        if page == "README.md":
            python = next(block.code for block in markdown.blocks(ROOT / page) if block.language == "python")
            assert (found := differences([python])) == [], found
    finally:
        if process:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=60)


if __name__ == "__main__":
    for name in PAGES:
        play(name)
