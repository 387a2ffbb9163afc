"""`dtmf-server` as a subprocess: started, killed, and restarted on the same data."""

import http.client
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dtmf_server
from support import preloaded

COMMAND = [sys.executable, "-c", "from dtmf_server.cli.main import main; raise SystemExit(main())"]
SOURCE = str(Path(dtmf_server.__file__).parents[1])
START_TIMEOUT_S = 60


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of the service, and with its code in PYTHONPATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
    kept["PYTHONPATH"] = os.pathsep.join([SOURCE, *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONUNBUFFERED": "1"} | more


@dataclass(frozen=True)
class Said:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path, **env: str) -> Said:
    """Run `dtmf-server` with these arguments to its end."""
    return Said(*preloaded.run([*COMMAND, *map(str, arguments)], env=environment(**env), timeout_s=START_TIMEOUT_S))


class Service:
    """A context manager for `dtmf-server run` on a folder, or for another command. The process always ends with the
    block."""

    def __init__(
        self,
        data: Path,
        *arguments: str | Path,
        port: int = 0,
        command: str = "run",
        program: list[str] = COMMAND,
        **env: str,
    ) -> None:
        where = [] if command == "worker" else ["--port", str(port)]
        self._arguments = [command, "--data", str(data), *where, *map(str, arguments)]
        self.out: list[str] = []
        self.err: list[str] = []
        self._ready = threading.Event()
        self.process = preloaded.popen([*program, *self._arguments], env=environment(**env))
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_reason: object) -> None:
        self.kill()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            if "DTMF_TOKEN=" in line or "production on" in line or lines[-1].endswith(" worker"):
                self._ready.set()
        self._ready.set()
        stream.close()

    def wait_ready(self) -> "Service":
        """Wait until the service has printed its address."""
        assert self._ready.wait(START_TIMEOUT_S), "the service did not start"
        assert self.process.poll() is None, f"the service ended: {self.out} {self.err}"
        return self

    @property
    def url(self) -> str:
        """The address that the service printed."""
        return self._said(r"on (http://\S+)")

    @property
    def token(self) -> str:
        """The token that the service printed."""
        return self._said(r"DTMF_TOKEN=(\S+)")

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.out))
        assert found, f"{pattern} is not in {self.out}"
        return found[1]

    def kill(self) -> None:
        """Kill the process with -9, and wait until it is gone."""
        self.process.kill()
        self.wait(START_TIMEOUT_S)

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = START_TIMEOUT_S) -> int:
        """Send a signal and return the exit code. Raises TimeoutExpired if the process takes longer."""
        self.process.send_signal(number)
        return self.wait(within_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end, read all output, and return the exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code


@dataclass(frozen=True)
class Answer:
    """A response of the API."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def request(
    url: str, token: str, method: str, path: str, body: object = None, *, key: str | None = None, timeout_s: float = 30
) -> Answer:
    """Send one request once, on its own connection. Raises OSError or HTTPException without a complete response."""
    headers = {"Authorization": f"Bearer {token}", "Prefer": "return=representation"}
    if key is not None:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout_s)) as connection:
        connection.request(method, f"/api/v1{path}", data, headers)
        reply = connection.getresponse()
        return Answer(reply.status, reply.read())


def rows(database: Path, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Run a statement on the database file of a service."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(statement, parameters).fetchall()
        connection.commit()
    return found
