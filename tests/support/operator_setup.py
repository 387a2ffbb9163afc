"""Helpers for tests of `dtmf-server init`: commands in a folder, and answers on a terminal."""

import socket
import sys
import time
from contextlib import closing
from pathlib import Path

from support import preloaded
from support.server_process import COMMAND, Said, environment
from support.terminal import Terminal

PROGRAMS = {"dtmf-server": COMMAND, "dtmf": [sys.executable, "-P", "-m", "dtmf"]}
NUMBER = "+447911123456"


def wall_us() -> int:
    """Return the wall time."""
    return time.time_ns() // 1000


def free_port() -> int:
    """Return a port that no program uses."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def finished(command: list[str], folder: Path, **env: str) -> Said:
    """Run a command in the folder to its end."""
    line = [*PROGRAMS[command[0]], *command[1:]]
    return Said(*preloaded.run(line, cwd=folder, env=environment(**env), timeout_s=60))


def server(folder: Path, *words: object) -> Terminal:
    """Run `dtmf-server` on a terminal in the folder."""
    return Terminal(*words, program=COMMAND, folder=folder, **environment())


class Script:
    """Answers on a terminal, counted."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.terminal = server(folder, "init", *words)
        self.answers = 0

    def answer(self, question: str, answer: str) -> None:
        """Wait for a question, and type the answer."""
        self.terminal.until(question)
        self.terminal.said = ""
        self.terminal.types(f"{answer}\n")
        self.answers += 1
