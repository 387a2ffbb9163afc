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
    from dtmf_server.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}: `make run` and `make demo` install what is needed, and use it")
sys.exit(main())
"""
STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "cyan": "36"}


class Unexpected(Exception):
    """A step of the story was not what it should be."""


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
        self._colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, line: str = "", style: str = "") -> None:
        """Prints a line at once."""
        with self._speaking:
            if self._silenced and threading.current_thread() is not threading.main_thread():
                raise SystemExit
            try:
                print(self.styled(line, style), flush=True)
            except OSError:  # whoever read this has gone
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._events.put(("signal", signal.SIGPIPE))

    def silence(self) -> None:
        """Lets only the main thread speak from now on."""
        with self._speaking:
            self._silenced = True

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


def direct(server: subprocess.Popen[str], voice: Voice, events: Events, *, tell: Callable[[], None], stay: bool) -> int:
    """Begins the story when the server is up, stops the server when it is over; the status to leave with."""
    how, value = until_over(voice, events, tell=tell, stay=stay)
    voice.silence()
    if how in ("ended", "ended early"):
        code = value
    else:
        server.terminate()
        code = until_ended(server, voice, events, signals=1 if how == "signal" else 0)
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


def until_over(voice: Voice, events: Events, *, tell: Callable[[], None], stay: bool) -> tuple[str, Any]:
    """How it is over: 'told', 'broken', 'signal', 'ended' (the server, while it stayed up) or 'ended early'."""
    told = False
    while True:
        kind, value = events.get()
        if kind == "line":
            if show_line(voice, value):
                begin(tell, events)
        elif kind == "told" and stay:
            told = True
            say_goodbye(voice)
        else:
            return ("ended early" if kind == "ended" and not told else kind), value


def until_ended(server: subprocess.Popen[str], voice: Voice, events: Events, *, signals: int) -> Any:
    """The status of the server, which was asked to stop; a second signal kills it, and so does too long a wait."""
    while True:
        try:
            kind, value = events.get(timeout=STOP_WITHIN_S)
        except queue.Empty:
            kind, value, signals = "signal", None, 1
        if kind == "ended":
            return value
        if kind == "line":
            show_line(voice, value)
        elif kind == "signal":
            signals += 1
            if signals > 1:
                server.kill()


def show_line(voice: Voice, line: str) -> bool:
    """Shows what the server says; True once its address and token are known, which go into the environment."""
    name, separator, value = line.strip().removeprefix("export ").partition("=")
    if separator and name in ("DTMF_URL", "DTMF_TOKEN"):
        os.environ[name] = value
        return name == "DTMF_TOKEN"
    kind, _, rest = line.strip().partition("  ")
    if kind == "Sign in":
        os.environ["STORY_SIGN_IN"] = rest.strip()
    elif kind not in ("API docs", "Website"):  # shown at the end
        voice.say(line, "dim")
    return False


def say_goodbye(voice: Voice) -> None:
    """Says how to go on from here."""
    url = os.environ["DTMF_URL"]
    voice.say("\nThat was the whole story. The sandbox stays up; in another terminal, go on where it ended:\n", "bold")
    voice.say(f"  export DTMF_URL={url}")
    voice.say(f"  export DTMF_TOKEN={os.environ['DTMF_TOKEN']}")
    voice.say("\nOr in your browser:\n", "bold")
    voice.say(f"  Dashboard  {url}/messages\n  Sign in    {os.environ.get('STORY_SIGN_IN', url + '/sign-in')}")
    voice.say(f"\n  API docs   {url}/docs\n  Stop       Ctrl-C", "dim")
