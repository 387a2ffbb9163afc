"""A sandbox in a subprocess: start it, create accounts, end it.

It ends with the process that started it, even if that process is killed: it exits when its stdin, a pipe, closes."""

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
from dtmf.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_TIMEOUT_S = 60.0
_BALANCE_SATS = 1_000_000
_LOG = "log.txt"


class Account:
    """An account of the sandbox, with its url, token and clients."""

    __slots__ = ("token", "url")

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.url!r})"

    def client(self, **options: Any) -> DTMF:
        """Create a client of this account, with the options of DTMF()."""
        return DTMF(self.token, base_url=self.url, **options)

    def async_client(self, **options: Any) -> AsyncDTMF:
        """Create a client for asyncio: `async with account.async_client() as dtmf`."""
        return AsyncDTMF(self.token, base_url=self.url, **options)


class Sandbox(Account):
    """A running sandbox, with its first account."""

    __slots__ = ()

    def new_account(self, *, balance: int = _BALANCE_SATS) -> Account:
        """Create an account with `balance` satoshis. Other tests don't see it."""
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
    """The clock of a sandbox. It runs like any other clock, and can be advanced."""

    __slots__ = ("_sandbox",)

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def advance(self, time: float | timedelta) -> datetime:
        """Advance the clock by a number of seconds and return the new time in UTC. Everything due by then is done:
        minutes are charged, rentals without funds end, webhooks are retried."""
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        with self._sandbox.client(timeout=90.0) as dtmf:
            return datetime.fromisoformat(dtmf.sandbox.advance(seconds)["now"]).replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the sandbox's time in UTC."""
        return self.advance(0)


@contextmanager
def running(folder: Path) -> Iterator[Sandbox]:
    """Run a sandbox with its data in this folder until the block ends. Raises RuntimeError if it can't start."""
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
        return subprocess.Popen(  # noqa: S603  # this interpreter, with fixed arguments
            command,
            cwd=folder,  # `-m` searches it first, and it contains no modules
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # the tests handle a terminal's Ctrl-C
        )


def _announced(process: subprocess.Popen[str], folder: Path) -> tuple[str, str]:
    """Return the address and token that the sandbox prints once it is ready. Raises RuntimeError with its log if it
    doesn't start."""
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
    process.kill()  # its data is not needed any more
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _token(answer: Any) -> str:
    return str(answer["token"])
