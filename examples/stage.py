"""What the story stands on: a voice that prints, and `dtmf-server run` as a process that never outlives it.

All that happens reaches `direct`, in the main thread, through one queue: the server's lines and its end, the story's
end, signals. So Ctrl-C means the same at any moment: the server is asked to stop, and this process leaves after it.
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
# `dtmf-server`, which also stops when its standard input ends: not even a killed story leaves it behind.
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
    sys.exit(f"{error}: `make run` and `make demo` install what is needed, and use it")
sys.exit(main())
"""
STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "cyan": "36"}


class Unexpected(Exception):
    """A step of the story was not what it should be."""

    def in_one_line(self) -> str:
        """What was wrong, for a line of its own."""
        return " ".join(str(self).split())[:200]


class Refused(Unexpected):
    """A line of the story raised. `name`: the exception's."""

    def __init__(self, line: str, error: Exception) -> None:
        super().__init__(f"{line}\n{type(error).__name__}: {error}")
        self.name = type(error).__name__


def expect(condition: object, otherwise: str) -> None:
    """Raises Unexpected unless the condition holds."""
    if not condition:
        raise Unexpected(otherwise)


class Voice:
    """Prints; in colour only on a terminal and without NO_COLOR. Once silenced, other threads say no more."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._speaking = threading.Lock()
        self._silenced = False
        self._unfinished = False
        self._colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, line: str = "", style: str = "", *, more: bool = False) -> None:
        """Prints a line at once, or (`more`) a part of one."""
        with self._speaking:
            if self._silenced and threading.current_thread() is not threading.main_thread():
                raise SystemExit
            try:
                print(self.styled(line, style), end="" if more else "\n", flush=True)
                self._unfinished = more
            except OSError:  # whoever read this has gone
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._events.put(("signal", signal.SIGPIPE))

    def silence(self) -> None:
        """Lets only the main thread speak from now on, on a line of its own."""
        with self._speaking:
            self._silenced = True
        if self._unfinished:
            self.say()

    def styled(self, text: str, style: str) -> str:
        """The text in a style, as it is where there are no colours."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and text and self._colourful else text


def shown(result: Any) -> str:
    """A result as Python prints it, a long list cut after its first item."""
    if isinstance(result, list) and len(result) > 2:
        return "[" + pformat(result[0], width=96, sort_dicts=False).replace("\n", "\n ") + ",\n ...\n]"
    return pformat(result, width=96, sort_dicts=False)


def start_server(options: list[str], events: Events) -> subprocess.Popen[str]:
    """`dtmf-server run` as a process; its lines and its end come as events."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, "run", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a terminal's Ctrl-C reaches only this process, which passes it on
    )

    def listen() -> None:
        assert server.stdout is not None
        for line in server.stdout:
            events.put(("line", line.rstrip("\n")))
        events.put(("ended", server.wait()))

    threading.Thread(target=listen, daemon=True).start()
    return server


def begin(tell: Callable[[], None], events: Events) -> None:
    """Plays the story in a thread; how it ends comes as an event."""

    def play() -> None:
        try:
            tell()
        except Unexpected as error:
            events.put(("broken", str(error)))
        except Exception as error:
            events.put(("broken", f"{type(error).__name__}: {error}"))
        else:
            events.put(("told", None))

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
    """Begins the story when the server is up, stops the server when it is over; the status to leave with."""
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
        if "DTMF_TOKEN" in os.environ:  # else its own last line says why it did not start
            voice.say(f"\nThe story broke off: the server stopped by itself, with status {code}", "red")
        return code or 1
    if how == "broken":
        voice.say(f"\nThe story broke off: {value}", "red")
        return 1
    if how == "signal" and not (stay and "DTMF_TOKEN" in os.environ):
        return 128 + int(value)
    return int(code)


def until_over(
    opening: "Opening", voice: Voice, events: Events, *, tell: Callable[[], None], stay: bool
) -> tuple[str, Any]:
    """How it is over: 'told', 'broken', 'signal', 'ended' (the server, while it stayed up) or 'ended early'."""
    told = False
    while True:
        kind, value = events.get()
        if kind == "line":
            if opening.show(value):
                begin(tell, events)
        elif kind in ("told", "broken") and stay:
            told = True
            if kind == "broken":  # the sandbox is of use all the same
                voice.say(f"\nThe story was not played to its end: {' '.join(value.split())[:300]}", "red")
            say_goodbye(voice)
        else:
            return ("ended early" if kind == "ended" and not told else kind), value


def until_ended(server: subprocess.Popen[str], opening: "Opening", events: Events, *, signals: int) -> Any:
    """The status of the server, which was asked to stop; a second signal kills it, and so does too long a wait."""
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
    """The server's first lines. Where it stays up (on `data`) they come in the order in which they are of use: the
    link that signs in first."""

    def __init__(self, voice: Voice, data: str | None) -> None:
        self._voice = voice
        self._data = data
        self._sign_in = ""
        self._other: list[str] = []

    def show(self, line: str) -> bool:
        """Shows what the server says; True once its address and token are known, which go into the environment."""
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
    """Says how to go on from here."""
    voice.say("\nThe sandbox stays up until Ctrl-C; `make demo` shows every call of the story. In another terminal:\n")
    voice.say(f"  export DTMF_URL={os.environ['DTMF_URL']}")
    voice.say(f"  export DTMF_TOKEN={os.environ['DTMF_TOKEN']}")
