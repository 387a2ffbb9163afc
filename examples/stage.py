"""The base of the story: `Voice` prints, and `dtmf-server run` runs as a process that never outlives the story.

Every event reaches `direct`, in the main thread, through one queue: the server's output and exit, the end of the story,
and signals. Therefore Ctrl-C always has the same effect: the server is stopped, and this process exits after it.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pprint import pformat
from typing import Any

Events = queue.SimpleQueue[tuple[str, Any]]

STOP_WITHIN_S = 20.0
# `dtmf-server` that also stops when its standard input closes, so that even a killed story leaves no server behind.
SERVER = """
import os, signal, sys, threading
def stop_with_the_story():
    os.read(0, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=stop_with_the_story, daemon=True).start()
try:
    from dtmf_server.cli.main import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}: run `make run` or `make demo`, which install the dependencies")
sys.exit(main())
"""
STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "cyan": "36"}


class Unexpected(Exception):
    """A step of the story had an unexpected result."""

    def in_one_line(self) -> str:
        """Return the message as a single line."""
        return " ".join(str(self).split())[:200]


class Refused(Unexpected):
    """A line of the story raised an exception. `name` is the exception's class name."""

    def __init__(self, line: str, error: Exception) -> None:
        super().__init__(f"{line}\n{type(error).__name__}: {error}")
        self.name = type(error).__name__


def expect(condition: object, otherwise: str) -> None:
    """Raise Unexpected unless the condition is true."""
    if not condition:
        raise Unexpected(otherwise)


class Voice:
    """Prints, in color only on a terminal and without NO_COLOR. After `silence`, only the main thread prints."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._speaking = threading.Lock()
        self._silenced = False
        self._unfinished = False
        self._colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, line: str = "", style: str = "", *, more: bool = False) -> None:
        """Print a line at once or, with `more`, a part of one."""
        with self._speaking:
            if self._silenced and threading.current_thread() is not threading.main_thread():
                raise SystemExit
            try:
                print(self.styled(line, style), end="" if more else "\n", flush=True)
                self._unfinished = more
            except OSError:  # the reader of the output has closed it
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._events.put(("signal", signal.SIGPIPE))

    def silence(self) -> None:
        """Let only the main thread print from now on, starting on a new line."""
        with self._speaking:
            self._silenced = True
        if self._unfinished:
            self.say()

    def styled(self, text: str, style: str) -> str:
        """Return the text in a style, or unchanged without colors."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and text and self._colourful else text


def shown(result: Any) -> str:
    """Format a result as Python prints it, and truncate a long list after its first item."""
    if isinstance(result, list) and len(result) > 2:
        return "[" + pformat(result[0], width=96, sort_dicts=False).replace("\n", "\n ") + ",\n ...\n]"
    return pformat(result, width=96, sort_dicts=False)


def start_server(options: list[str], events: Events) -> subprocess.Popen[str]:
    """Start `dtmf-server run` as a process; its output and exit become events."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, "run", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a terminal's Ctrl-C reaches only this process, which stops the server
    )

    def listen() -> None:
        assert server.stdout is not None
        for line in server.stdout:
            events.put(("line", line.rstrip("\n")))
        events.put(("ended", server.wait()))

    threading.Thread(target=listen, daemon=True).start()
    return server


def begin(tell: Callable[[], None], events: Events) -> None:
    """Play the story in a thread; its end becomes an event."""

    def play() -> None:
        try:
            tell()
        except Unexpected as error:
            events.put(("broken", str(error)))
        except Exception as error:
            events.put(("broken", f"{type(error).__name__}: {error}"))
        else:
            events.put(("played", None))

    threading.Thread(target=play, daemon=True).start()


def direct(
    server: subprocess.Popen[str],
    voice: Voice,
    events: Events,
    *,
    tell: Callable[[], None],
    stay: bool,
    data: str,
) -> int:
    """Start the story when the server is up, stop the server afterwards, and return the exit status."""
    opening = Opening(voice, data if stay else None)
    how, value = until_over(opening, voice, events, tell=tell, stay=stay)
    voice.silence()
    if how in ("ended", "ended early"):
        code = value
    else:
        server.terminate()
        code = until_ended(server, opening, events, signals=1 if how == "signal" else 0)
    code = 128 - code if code < 0 else code
    if how == "ended early":
        if "DTMF_TOKEN" in os.environ:  # otherwise, the server's last line explains why it did not start
            voice.say(f"\nThe story was aborted: the server stopped with status {code}", "red")
        return code or 1
    if how == "broken":
        voice.say(f"\nThe story was aborted: {value}", "red")
        return 1
    if how == "signal" and not (stay and "DTMF_TOKEN" in os.environ):
        return 128 + int(value)
    return int(code)


def until_over(
    opening: "Opening", voice: Voice, events: Events, *, tell: Callable[[], None], stay: bool
) -> tuple[str, Any]:
    """Wait for the end: 'played', 'broken', 'signal', 'ended' (the server, while it stayed up) or 'ended early'."""
    played = False
    while True:
        kind, value = events.get()
        if kind == "line":
            if opening.show(value):
                begin(tell, events)
        elif kind in ("played", "broken") and stay:
            played = True
            if kind == "broken":  # the sandbox is still useful
                voice.say(f"\nThe story is incomplete: {' '.join(value.split())[:300]}", "red")
            say_goodbye(voice)
        else:
            return ("ended early" if kind == "ended" and not played else kind), value


def until_ended(server: subprocess.Popen[str], opening: "Opening", events: Events, *, signals: int) -> Any:
    """Wait for the stopped server and return its status. A second signal or a timeout kills it."""
    while True:
        try:
            kind, value = events.get(timeout=STOP_WITHIN_S)
        except queue.Empty:
            kind, value, signals = "signal", None, 1
        if kind == "ended":
            return value
        if kind == "line":
            opening.show(value)
        elif kind == "signal":
            signals += 1
            if signals > 1:
                server.kill()


class Opening:
    """The server's first lines. If it stays up (on `data`), they are printed in order of usefulness: the sign-in link
    first."""

    def __init__(self, voice: Voice, data: str | None) -> None:
        self._voice = voice
        self._data = data
        self._sign_in = ""
        self._other: list[str] = []

    def show(self, line: str) -> bool:
        """Print a line of the server. Return True when its address and token are known and set in the environment."""
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if separator and name in ("DTMF_URL", "DTMF_TOKEN"):
            os.environ[name] = value
            if name == "DTMF_TOKEN" and self._data is not None:
                self._show_all(self._data)
            return name == "DTMF_TOKEN"
        kind, _, rest = line.strip().partition("  ")
        if kind == "Sign in":
            self._sign_in = rest.strip()
        elif kind not in ("Docs", "Website"):
            if self._data is None or "DTMF_TOKEN" in os.environ:
                self._voice.say(line, "dim")
            else:
                self._other.append(line)
        return False

    def _show_all(self, data: str) -> None:
        self._voice.say(f"  Sign in    {self._sign_in}", "bold")
        for line in self._other:
            if not line.startswith("DTMF sandbox on "):
                self._voice.say(f"             {line}")
        url = os.environ["DTMF_URL"]
        self._voice.say(f"  Sandbox    {data} on {url}, documentation at {url}/docs")


def say_goodbye(voice: Voice) -> None:
    """Print how to continue."""
    voice.say("\nThe sandbox runs until Ctrl-C. `make demo` shows every call of the story. In another terminal:\n")
    voice.say(f"  export DTMF_URL={os.environ['DTMF_URL']}")
    voice.say(f"  export DTMF_TOKEN={os.environ['DTMF_TOKEN']}")
