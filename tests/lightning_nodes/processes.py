"""Processes of the tests of Lightning: started with a log, awaited, killed."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

START_WITHIN_S = 120


class Program:
    """A process that is started again with the same arguments. Its output goes to a log."""

    def __init__(self, command: list[object], log: Path, *, environ: Mapping[str, str], folder: Path) -> None:
        self._command, self._log, self._folder = [str(part) for part in command], log, folder
        self._environ = {**os.environ, **environ}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, is_ready: Callable[[], object]) -> None:
        """Start it, and wait until `is_ready` returns something instead of raising OSError."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environ,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # LNbits serves in a child, which must end with it
            )
        self.wait_until(is_ready, "start")

    def wait_until(self, is_ready: Callable[[], object], what: str) -> None:
        """Wait until `is_ready` returns something true instead of raising OSError."""
        deadline_s = time.monotonic() + START_WITHIN_S
        while True:
            try:
                if is_ready():
                    return
            except OSError:
                pass
            assert self._process is not None
            assert self._process.poll() is None, f"{self._command[0]} ended:\n{self._tail()}"
            assert time.monotonic() < deadline_s, f"{self._command[0]} did not {what}:\n{self._tail()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it, as a power failure would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def stop(self) -> None:
        """End it in an orderly way."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


class HttpRefused(Exception):
    """A program answered with an error."""


def post(url: str, body: object, *, method: str = "POST", login: str = "", headers: Mapping[str, str] = {}) -> Any:
    """Send JSON and return the JSON of the answer. Raises HttpRefused, and OSError if there is no answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    if login:
        request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=90) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise HttpRefused(error.read().decode(errors="replace")) from error
