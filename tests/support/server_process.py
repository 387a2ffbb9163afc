"""`dtmf-server` as a process of its own: started, killed, started again on the same data."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dtmf_server

COMMAND = [sys.executable, "-c", "from dtmf_server.cli.main import main; raise SystemExit(main())"]
SOURCE = str(Path(dtmf_server.__file__).parents[1])
START_TIMEOUT_S = 60


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of the service, and with its code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
    kept["PYTHONPATH"] = os.pathsep.join([SOURCE, *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONUNBUFFERED": "1"} | more


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path, **env: str) -> Said:
    """Runs `dtmf-server` with these arguments to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        env=environment(**env),
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Service:
    """`dtmf-server run` on a folder, or another command. A context manager: whatever happens, the process ends with
    the block."""

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
        self.process = subprocess.Popen(
            [*program, *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**env),
        )
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
        """Returns once it has said where it listens."""
        assert self._ready.wait(START_TIMEOUT_S), "the service did not start"
        assert self.process.poll() is None, f"the service ended: {self.out} {self.err}"
        return self

    @property
    def url(self) -> str:
        """Where it listens, as it said."""
        return self._said(r"on (http://\S+)")

    @property
    def token(self) -> str:
        """The token it printed."""
        return self._said(r"DTMF_TOKEN=(\S+)")

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.out))
        assert found, f"{pattern} is not in {self.out}"
        return found[1]

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.wait(START_TIMEOUT_S)

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = START_TIMEOUT_S) -> int:
        """Sends the signal; the exit status. Raises TimeoutExpired if it takes longer."""
        self.process.send_signal(number)
        return self.wait(within_s)

    def wait(self, timeout_s: float) -> int:
        """The exit status, everything it said read."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code


@dataclass(frozen=True)
class Answer:
    """A reply of the API."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def request(
    url: str, token: str, method: str, path: str, body: object = None, *, key: str | None = None, timeout_s: float = 30
) -> Answer:
    """One request, sent once on a connection of its own. Raises OSError or HTTPException without a whole reply."""
    headers = {"Authorization": f"Bearer {token}", "Prefer": "return=representation"}
    if key is not None:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout_s)) as connection:
        connection.request(method, f"/api/v1{path}", data, headers)
        reply = connection.getresponse()
        return Answer(reply.status, reply.read())


def rows(database: Path, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """What a statement reads from, or does to, the file of a service."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(statement, parameters).fetchall()
        connection.commit()
    return found
