"""On a real terminal: confirmations, prompts without echo, the spinner, QR codes, colours."""

import os
import pty
import re
import select
import struct
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

from dtmf import DTMF
from dtmf.cli import qr
from support.cli_process import TOKEN

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`python -m dtmf` on its own pseudo-terminal."""

    def __init__(self, *words: object, columns: int = 80, **environment: str) -> None:
        self.said = ""
        command = [sys.executable, "-P", "-m", "dtmf", *map(str, words)]
        given = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(command[0], command, given | {"TERM": "xterm-256color"} | environment)

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
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), said


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("YES", 0, 0), ("n", 1, 1), ("", 1, 1), ("x", 1, 1)])
def test_end_asks_for_confirmation(dtmf: DTMF, answer: str, code: int, left: int) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    terminal = Terminal("end", number)
    terminal.until("[y/N] ")
    assert len(dtmf.numbers()) == 1
    terminal.types(f"{answer}\n")
    assert terminal.ended()[0] == code
    assert len(dtmf.numbers()) == left


def test_yes_skips_the_confirmation(dtmf: DTMF) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    code, said = Terminal("end", number, "-y").ended()
    assert (code, said) == (0, f"The rental of {number} has ended.\n")


def test_a_token_is_typed_without_echo(dtmf: DTMF, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ["DTMF_URL"]
    monkeypatch.delenv("DTMF_TOKEN")
    monkeypatch.delenv("DTMF_URL")
    terminal = Terminal("login", "--url", url)
    terminal.until(f"Token for {url}: ")
    terminal.types(f"{TOKEN}\n")
    code, said = terminal.ended()
    assert code == 0
    assert TOKEN not in said
    assert "Signed in to " in said


def test_ctrl_c_at_the_prompt_is_quiet(home: Path) -> None:
    terminal = Terminal("login")
    terminal.until("Token for http://127.0.0.1:8000: ")
    terminal.types("\x03")
    code, said = terminal.ended()
    assert code == 130, said
    assert "Traceback" not in said


def test_a_wait_shows_the_time_left_and_cleans_up(dtmf: DTMF) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    terminal = Terminal("wait", number, "--timeout", "60")
    terminal.until(" left")
    assert re.search(rf"waiting for an SMS to {re.escape(number)}  (1:00|0:5\d) left", ESCAPES.sub("", terminal.said))
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    terminal.until("428613")
    code, _ = terminal.ended()
    assert code == 0
    assert "\x1b[?25h" in terminal.said, "the cursor stays hidden"


@pytest.mark.parametrize(
    "seen", ["\x1b[?25l"] * 5 + [" left"], ids=lambda seen: "at once" if "\x1b" in seen else "later"
)
def test_ctrl_c_ends_a_wait_and_restores_the_cursor(dtmf: DTMF, seen: str) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    terminal = Terminal("wait", number)
    terminal.until(seen)
    terminal.types("\x03")
    code, said = terminal.ended()
    assert code == 130, said
    assert "Traceback" not in said
    assert terminal.said.rindex("\x1b[?25h") > terminal.said.rindex("\x1b[?25l")


def test_a_dumb_terminal_gets_no_spinner(dtmf: DTMF) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    code, _ = (terminal := Terminal("wait", number, "--timeout", "0.5", TERM="dumb")).ended()
    assert code == 8
    assert "waiting" not in terminal.said
    assert "\x1b" not in terminal.said


def test_no_color_is_respected(dtmf: DTMF) -> None:
    for words in (["account"], ["--help"], ["topup", "--wait", "0"]):
        assert "\x1b[" in (coloured := Terminal(*words)).until("", within_s=30) or words == ["account"]
        assert coloured.ended()[0] == 0
        plain = Terminal(*words, NO_COLOR="1")
        assert plain.ended()[0] == 0
        assert not re.search(r"\x1b\[[0-9;]*(3|4|9|10)[0-7]m", plain.said), words


def test_the_qr_code_encodes_the_uri_and_needs_a_wide_terminal(dtmf: DTMF) -> None:
    code, said = Terminal("topup", "1000", "--wait", "0", columns=80).ended()
    assert code == 0
    uri = next(line for line in said.splitlines() if line.startswith("bitcoin:"))
    assert "\n".join(qr.half_blocks(uri)) in said
    _, said = Terminal("topup", "1000", "--wait", "0", columns=30).ended()
    assert "█" not in said
    assert "The QR code needs a terminal" in said


def test_the_halves_of_a_qr_code_are_its_modules() -> None:
    import segno

    text = "bitcoin:bcrt1qkrgyszr4mhh30zq7879af8gd660dxn0e3qs3r4?amount=0.0005"
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    rows = []
    for line in qr.half_blocks(text):
        above, below = zip(*(halves[character] for character in line), strict=True)
        rows += [list(above), list(below)]
    expected = [list(row) for row in segno.make(text, error="m", micro=False, boost_error=False).matrix_iter(border=2)]
    assert rows[: len(expected)] == expected
    assert all(not any(row) for row in rows[len(expected) :])


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_a_narrow_terminal_cuts_nothing(dtmf: DTMF, columns: int) -> None:
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    for words in (["groups"], ["numbers"], ["transactions"], ["show", number], ["account"]):
        code, said = Terminal(*words, columns=columns).ended()
        assert code == 0
        assert "…" not in said
    assert "us-mobile" in said or words == ["account"]
