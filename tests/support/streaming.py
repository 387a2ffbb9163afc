"""A reader of Server-Sent Events, by hand: one socket, read as far as the test wants to."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import urlsplit

from dtmf_server.storage.db import Database

from .connection import TIMEOUT_S, ask_for


class EventSource:
    """One stream of a token's events. A block is a dict of its fields, comments under the name ''; `rest` is what no
    blank line has ended."""

    def __init__(self, url: str, token: str | None, *, takes_bytes: int | None = None, **asked: Any) -> None:
        parts = urlsplit(url)
        self._socket = socket.socket()
        self._socket.settimeout(TIMEOUT_S)
        if takes_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes_bytes)
        self._file, self.rest = self._socket.makefile("rb"), ""
        try:
            self._socket.connect((parts.hostname, parts.port))
            self._socket.sendall(ask_for("GET", "/api/v1/events", token=token, **asked).to_bytes())
            self.status = int(self._line().split(b" ")[1])
            lines = [line.decode().partition(":") for line in iter(self._line, b"\r\n")]
        except Exception:
            self.close()
            raise
        self.headers = {name.lower(): value.strip() for name, _, value in lines}

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line:
            raise ConnectionError("the service hung up without an end of the stream")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._file.close()
        self._socket.close()

    def blocks(self) -> Iterator[dict[str, str]]:
        """Each block as it comes, until the service ends the stream properly."""
        while True:
            while "\n\n" in self.rest:
                block, _, self.rest = self.rest.partition("\n\n")
                yield dict(_field(line) for line in block.split("\n"))
            size = int(self._line(), 16)
            self.rest += self._file.read(size + 2)[:-2].decode()
            if size == 0:
                assert all(line.startswith((":", "retry:")) for line in self.rest.splitlines()), "half a block"
                return

    def events(self) -> Iterator[dict[str, Any]]:
        """The events alone, what stands around their data checked."""
        for block in self.blocks():
            event: dict[str, Any] = json.loads(block["data"])
            fields = {name: value for name, value in block.items() if name not in {"", "retry"}}
            assert fields == {"id": str(event["id"]), "event": event["kind"], "data": block["data"]}
            yield event


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


@contextmanager
def listening(db: Database) -> Iterator[Event]:
    """Is set once somebody has begun to listen for what happens to an account."""
    with _noticed(db, "listen") as event:
        yield event


@contextmanager
def forgetting(db: Database) -> Iterator[Event]:
    """Is set once somebody listens no longer."""
    with _noticed(db, "unlisten") as event:
        yield event


@contextmanager
def _noticed(db: Database, name: str) -> Iterator[Event]:
    happened, method = Event(), getattr(db.wakeups, name)

    def noticed(*arguments: Any) -> Any:
        topics = arguments if name == "listen" else db.wakeups._topics.get(arguments[0], ())
        found = method(*arguments)
        if any(str(topic).startswith("events/") for topic in topics):
            happened.set()
        return found

    with patch.object(db.wakeups, name, noticed):
        yield happened
