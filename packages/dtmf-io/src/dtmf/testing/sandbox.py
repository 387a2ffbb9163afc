"""A sandbox as a process: started, given accounts, ended.

It ends with the process that started it, even if that one is killed: its standard input is a pipe from there, and it
stops when the pipe ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtmf import DTMF, AsyncDTMF
from dtmf.endpoints import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_TIMEOUT_S = 60.0
_BALANCE_SATS = 1_000_000
_LOG = "log.txt"


class Account:
    """An account of the sandbox: its url and token, and clients for it."""

    __slots__ = ("token", "url")

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.url!r})"

    def client(self, **options: Any) -> DTMF:
        """A client of this account; options are those of DTMF()."""
        return DTMF(self.token, base_url=self.url, **options)

    def async_client(self, **options: Any) -> AsyncDTMF:
        """The same for asyncio: `async with account.async_client() as dtmf`."""
        return AsyncDTMF(self.token, base_url=self.url, **options)


class Sandbox(Account):
    """A running sandbox, with its first account."""

    __slots__ = ()

    def new_account(self, *, balance: int = _BALANCE_SATS) -> Account:
        """A new account with that many satoshis: what a test does there, no other test sees."""
        with self.client() as dtmf:
            account = Account(self.url, dtmf._perform((Operation("POST", "/accounts"), _token)))
        if balance:
            with account.client() as dtmf:
                dtmf.sandbox.deposit(dtmf.new_address()["address"], balance)
        return account

    @property
    def clock(self) -> Clock:
        """The sandbox's clock."""
        return Clock(self)


class Clock:
    """The clock of a sandbox: it goes as every clock does, and jumps ahead when told to."""

    __slots__ = ("_sandbox",)

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def advance(self, time: float | timedelta) -> datetime:
        """The new time, in UTC, that many seconds later; what was due by then is done: minutes paid, rentals ended
        whose money ran out, webhooks tried again."""
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        with self._sandbox.client(timeout=90.0) as dtmf:
            return datetime.fromisoformat(dtmf.sandbox.advance(seconds)["now"]).replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return self.advance(0)


@contextmanager
def running(folder: Path) -> Iterator[Sandbox]:
    """A sandbox that keeps everything in this folder, until the block ends. Raises RuntimeError if it can't start."""
    process = _start(folder)
    try:
        yield Sandbox(*_announced(process, folder))
    finally:
        _end(process)


def _start(folder: Path) -> subprocess.Popen[str]:
    found = find_spec("dtmf_server")
    if found is None or found.origin is None or find_spec("litestar") is None:
        raise RuntimeError("the sandbox is not installed: pip install 'dtmf-io[testing]'")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
    source = str(Path(found.origin).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "dtmf_server", "run", "--data", str(folder), "--port", "0", "--stop-with-stdin"]
    with (folder / _LOG).open("w", encoding="utf-8") as log:
        return subprocess.Popen(  # noqa: S603  # this interpreter, with words of our own
            command,
            cwd=folder,  # `-m` looks there first, and there is nothing
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a terminal's Ctrl-C is the tests' to answer
        )


def _announced(process: subprocess.Popen[str], folder: Path) -> tuple[str, str]:
    """The address and token it prints once it answers. Raises RuntimeError with what it said instead."""
    assert process.stdout is not None
    said: dict[str, str] = {}
    giving_up = threading.Timer(_START_TIMEOUT_S, process.kill)
    giving_up.start()
    try:
        for line in process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            said[name] = value
            if "DTMF_URL" in said and "DTMF_TOKEN" in said:
                return said["DTMF_URL"], said["DTMF_TOKEN"]
    finally:
        giving_up.cancel()
    log = (folder / _LOG).read_text("utf-8", errors="replace").strip()
    raise RuntimeError(f"the sandbox did not start (exit status {process.wait()}): {log[-2_000:]}")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()  # nothing of what it has is kept
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _token(answer: Any) -> str:
    return str(answer["token"])
