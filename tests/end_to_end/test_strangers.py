"""Strangers cost little: disconnects are not logged, bad requests don't fill the log, and other clients don't notice.

DTMF_TEST_STRANGERS   the number of their connections (default 600; `make prove` uses 20,000)
"""

import contextlib
import json
import os
import socket
import struct
import threading
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from support.server_process import Service, request

CONNECTIONS = int(os.environ.get("DTMF_TEST_STRANGERS", "600"))
LINES_A_MINUTE = 60  # that all strangers together can cause
HEALTHY_AT_LEAST = 50


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def post(path: str, *lines: str) -> bytes:
    return get(path, *lines).replace(b"GET ", b"POST ", 1)


def provocations(token: str) -> dict[str, bytes]:
    """The data that a stranger sends before disconnecting, with a token where a renter does the same."""
    mine = f"Authorization: Bearer {token}"
    stream = "Accept: text/event-stream"
    return {
        "two requests at once": get("/healthz") * 2,
        "two lists of numbers": get("/api/v1/numbers") * 2,
        "two lists of one's own numbers": get("/api/v1/numbers", mine) * 2,
        "fifty requests at once": get("/api/v1/account", mine) * 50,
        "long polls": get("/api/v1/messages?after=0&wait=30", mine) * 2,
        "streams": get("/api/v1/events?after=0", mine, stream) * 2,
        "a page and its parts": get("/") * 3,
        "the document, twenty times": get("/schema/openapi.json") * 20,
        "nothing": b"",
        "half a head": b"GET /api/v1",
        "half a body": post("/api/v1/numbers", mine, "Content-Length: 600") + b'{"group_id"',
        "half a body without a token": post("/api/v1/accounts", "Content-Length: 600") + b"{",
        "half a form": post("/sign-in", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 60")
        + b"tok",
        "a body that was promised": post("/api/v1/accounts", "Expect: 100-continue", "Content-Length: 5"),
        "a broken chunk": post("/api/v1/message", mine, "Transfer-Encoding: chunked") + b"zz\r\n",
        "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(100),
        "HTTP/0.9": b"GET /\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an upgrade": get("/healthz", "Connection: upgrade", "Upgrade: h2c") * 2,
        "a WebSocket": get("/api/v1/events", "Connection: upgrade", "Upgrade: websocket"),
        "rubbish after a request": get("/healthz") + b"\x00\xff rubbish\r\n\r\n",
        "rubbish after a stream": get("/api/v1/events?after=0", mine, stream) + b"rubbish\r\n\r\n" + b"x" * 5000,
        "a wrong token": get("/api/v1/account", "Authorization: Bearer dtmf_wrong"),
        "no such path": get("/wp-login.php"),
        "a head that is too large": get("/" + "x" * 70_000),
        "a body that is too large": post("/api/v1/accounts", "Content-Length: 9999999") + b"x" * 5000,
        "a body that isn't JSON": post("/api/v1/accounts", "Content-Length: 2") + b"{[",
        "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    }


def leave(connection: socket.socket, how: int) -> None:
    """Disconnect: at once, after a while, after the start of the response, or by closing only the sending side."""
    if how == 1:
        time.sleep(0.002)
    elif how == 2:
        connection.settimeout(0.02)
        connection.recv(10)
    elif how == 3:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.02)
        connection.recv(10)


def provoke(url: str, token: str, count: int) -> None:
    """Open a number of connections, and reset half of them."""
    address, sent = urlsplit(url), list(provocations(token).values())
    for n in range(count):
        with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(sent[n % len(sent)])
                leave(connection, n // len(sent) % 4)
            if n // len(sent) // 4 % 2 == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def healthy(url: str, token: str, stop: threading.Event, statuses: list[int]) -> None:
    """Run a renter's requests until the strangers have gone."""
    while not stop.is_set() or len(statuses) < HEALTHY_AT_LEAST:
        try:
            statuses.append(request(url, token, "GET", "/account").status)
        except (OSError, ValueError):
            statuses.append(0)


def after_strangers(folder: Path, *arguments: str, count: int) -> tuple[list[str], float, list[int]]:
    """Return the log of the service, its duration in seconds, and the responses to a healthy client."""
    with Service(folder, *arguments) as service:
        service.wait_ready()
        stop, statuses = threading.Event(), list[int]()
        renter = threading.Thread(target=healthy, args=(service.url, service.token, stop, statuses))
        began = time.monotonic()
        renter.start()
        try:
            provoke(service.url, service.token, count)
        finally:
            stop.set()
            renter.join()
        assert service.stop() == 0
        assert service.token not in "".join(service.err)
        return list(service.err), time.monotonic() - began, statuses


@pytest.mark.regression("hang-ups-logged")
def test_strangers_cost_no_log_lines_and_healthy_clients_nothing(tmp_path: Path) -> None:
    lines, took_s, statuses = after_strangers(tmp_path, count=CONNECTIONS)
    wrong = sum(status != 200 for status in statuses)
    tracebacks = sum("Traceback" in line for line in lines)
    beyond = max(0, len(lines) - LINES_A_MINUTE * (int(took_s // 60) + 1))
    print(
        f"{CONNECTIONS} connections of strangers: {len(lines)} log lines, {beyond} log lines beyond"
        f" {LINES_A_MINUTE} a minute, {tracebacks} tracebacks, {wrong} errors of {len(statuses)} healthy requests"
    )
    assert (lines[:3], beyond, tracebacks, wrong) == ([], 0, 0, 0)


@pytest.mark.regression("stranger-lines-unlimited")
def test_at_level_info_strangers_cause_a_line_a_minute_of_each_kind(tmp_path: Path) -> None:
    lines, took_s, statuses = after_strangers(tmp_path, "--log-level", "info", count=min(CONNECTIONS, 600))
    records = [json.loads(line) for line in lines]
    renters = [each for each in records if each["logger"] == "dtmf.access"]
    others = [each for each in records if each["logger"] != "dtmf.access"]
    bound = LINES_A_MINUTE * (int(took_s // 60) + 1) + 10  # the service's own lines at start and stop
    assert len(others) <= bound, [each["message"] for each in others[:80]]
    assert len(renters) >= len(statuses), "what is done with a token is logged, each request"
    assert all(each["request_id"] for each in records if each["logger"].startswith("dtmf.access"))
    assert [each["message"] for each in records if each["level"] in ("warning", "error")] == []


@pytest.mark.regression("metrics-hang-ups-logged")
def test_a_metrics_scraper_that_disconnects_is_not_logged(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = tmp_path / "dtmf.toml"
    configuration.write_text(f'[metrics]\nport = {port}\nhost = "127.0.0.1"\n')
    with Service(tmp_path / "data", "--config", configuration) as service:
        service.wait_ready()
        for n in range(60):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall([get("/metrics"), b"GET /metr", b"\x16\x03\x01\x02\x00", b""][n % 4])
                    leave(connection, n // 4 % 4)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                assert answer.status == 200
        except URLError as error:
            raise AssertionError("nothing is served any more") from error
        service.stop()
        assert service.err == []
