"""The example carrier in a separate service, without being installed, against a local Acme server."""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF
from support.carrier_plugins import example
from support.server_process import SOURCE, Service, command

WAIT_S = 30.0
SIGNING_KEY = "canary-signing-key"
CONFIG = """
[[carrier]]
name = "acme"
kind = "acme"
api_url = "http://127.0.0.1:{port}"
signing_key = "canary-signing-key"
"""
PATH = "/callbacks/carriers/acme"


class Acme(ThreadingHTTPServer):
    """Accepts every SMS, and records it with its API key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taken)
        self.seen: list[tuple[str, Any]] = []


class Taken(BaseHTTPRequestHandler):
    server: Acme

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.headers["Authorization"], body))
        reply = json.dumps({"id": f"acme-{len(self.server.seen)}"}).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def acme() -> Iterator[Acme]:
    with Acme() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def python_path(tmp_path: Path) -> str:
    return os.pathsep.join([*map(str, example(tmp_path / "installed")), SOURCE])


@pytest.fixture
def config(tmp_path: Path, acme: Acme) -> Path:
    path = tmp_path / "dtmf.toml"
    path.write_text(CONFIG.format(port=acme.server_port))
    return path


def call_back(url: str, what: object, *, key: str = SIGNING_KEY, at_s: float | None = None) -> int:
    """Send a signed callback; return the status of the answer."""
    body, timestamp = json.dumps(what).encode(), str(round(time.time() if at_s is None else at_s))
    signature = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)) as connection:
        connection.request("POST", PATH, body, {"Acme-Timestamp": timestamp, "Acme-Signature": signature})
        return connection.getresponse().status


def until(done: Callable[[], object]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end_s, "the condition was not met in time"
        time.sleep(0.05)


@contextmanager
def database_refusing(path: Path) -> Iterator[None]:
    """Hold the database's only write lock from another connection."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def message(id_: str, to: str, text: str) -> dict[str, str]:
    return {"type": "message", "id": id_, "from": "+447700900999", "to": to, "text": text}


def test_the_example_receives_sends_and_gets_receipts(
    tmp_path: Path, acme: Acme, config: Path, python_path: str
) -> None:
    env = {"PYTHONPATH": python_path, "DTMF_CARRIER__0__API_KEY": "canary-api-key"}
    data = tmp_path / "data"
    with (
        Service(data, "--config", config, **env).wait_ready() as service,
        DTMF(service.token, base_url=service.url) as dtmf,
    ):
        dtmf.sandbox.deposit(dtmf.new_address()["address"], 1_000_000)
        e164 = dtmf.start_rental("gb-mobile")["e164"]

        def texts() -> list[str | None]:
            return [received["content"] for received in dtmf.messages(e164) if received["to"] == e164]

        assert call_back(service.url, message("m1", e164, "code 1")) == 200
        assert texts() == ["code 1"], "stored before it is answered"
        assert call_back(service.url, message("m1", e164, "code 1")) == 200
        assert call_back(service.url, message("m2", e164, "code 2"), key="wrong") == 403
        assert call_back(service.url, message("m2", e164, "code 2"), at_s=time.time() - 3600) == 403
        assert call_back(service.url, {"type": "message"}) == 400
        assert texts() == ["code 1"]
        with database_refusing(data / "dtmf.db"):
            assert call_back(service.url, message("m3", e164, "code 3")) == 503
        assert texts() == ["code 1"]
        assert call_back(service.url, message("m3", e164, "code 3")) == 200
        assert texts() == ["code 1", "code 3"]

        sent = dtmf.send_message(e164, "+447700900999", "Thank you!")["id"]

        def status() -> str:
            return next(each["status"] for each in dtmf.messages(e164) if each["id"] == sent)

        until(lambda: status() == "sent")
        sms = {"from": e164, "to": "+447700900999", "text": "Thank you!"}
        assert acme.seen == [("Bearer canary-api-key", sms)]
        assert call_back(service.url, {"type": "receipt", "id": "acme-1", "status": "delivered"}) == 200
        assert status() == "delivered"
        until(
            lambda: command("carriers", "--data", data, "--config", config, **env).out.startswith("acme https: bound")
        )
        assert service.stop() == 0
    log = "\n".join(service.err)
    assert log.count("was refused") == 1, "unauthenticated requests must not fill the log"
    assert not [text for text in ("canary", "code 1", "code 3", e164) if text in log]


def test_a_wrong_plugin_setting_is_named_and_secrets_are_not_shown(
    tmp_path: Path, config: Path, python_path: str
) -> None:
    said = command("doctor", "--data", tmp_path, "--config", config, PYTHONPATH=python_path)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"dtmf-server: {config}:2: carrier[0] needs api_key, the API key from Acme\n"
    config.write_text(config.read_text().replace("signing_key", "singing_key"))
    said = command("doctor", "--data", tmp_path, "--config", config, PYTHONPATH=python_path)
    assert f"{config}:6: carrier[0].singing_key is not a setting; the nearest is carrier.signing_key" in said.err
    assert "canary" not in said.err
