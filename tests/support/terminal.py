"""A program on a pseudo-terminal: what it prints, and what is typed."""

import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path

from support import preloaded

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


DTMF = (sys.executable, "-P", "-m", "dtmf")


class Terminal:
    """A program on its own pseudo-terminal: `python -m dtmf`, unless `program` says otherwise."""

    def __init__(
        self,
        *words: object,
        columns: int = 80,
        program: Sequence[str] = DTMF,
        folder: Path | None = None,
        **environment: str,
    ) -> None:
        self.said = ""
        command = [*program, *map(str, words)]
        given = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        self.screen, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
        env = given | {"TERM": "xterm-256color"} | environment
        self._process = preloaded.popen(command, env=env, cwd=folder, **streams)
        self.pid = self._process.pid
        os.close(theirs)

    def until(self, words: str, *, within_s: float = 30) -> str:
        """Wait for a text in the output, and return the output so far; '' waits for the end."""
        deadline_s = time.monotonic() + within_s
        while not words or words not in self.said:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0 and select.select([self.screen], [], [], left_s)[0], f"only {self.said!r}"
            try:
                part = os.read(self.screen, 65_536)
            except OSError:  # on Linux, the other side is closed
                part = b""
            if not part:
                assert not words, f"it ended: {self.said!r}"
                break
            self.said += part.decode()
        return self.said

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self.screen, text.encode())

    def ended(self) -> tuple[int, str]:
        """Wait for the end. Returns the exit code and the output without colours."""
        said = ESCAPES.sub("", self.until("")).replace("\r\n", "\n")
        os.close(self.screen)
        return self._process.wait(), said
