"""A callback of Twilio over HTTP, against a bare Starlette endpoint that checks the same signature and stores nothing.

Ours is answered with 204 once the SMS is charged and durable. Every SMS is for another account and has its own SID.

Unloaded: 100 callbacks a second, from when each is due until the renter's webhook has arrived. Both
processes read the same monotonic clock."""

import contextlib
import hmac
import itertools
import json
import socket
import sqlite3
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import databases, environments, fill, processes
from benchmarks.interleave import Finding, Line, at_least, at_most, ratio, rounds
from benchmarks.load import requests_per_second
from benchmarks.size import Size

CONNECTIONS = 16
WARM_UP = 50  # callbacks
PATH = "/callbacks/carriers/twilio"
PUBLIC_URL = "https://sms.example.net"
ACCOUNT, TOKEN = "AC" + "1" * 32, "token"
CONFIG = f"""
[server]
public_url = "{PUBLIC_URL}"
[[carrier]]
name = "twilio"
kind = "twilio"
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
base_url = "http://127.0.0.1:9"
catch_up = false
"""
_ids = itertools.count()


def run(size: Size) -> Iterator[Finding]:
    """Measure on SQLite, on which the service runs by default."""
    count, times, unloaded = size.of((4_000, 7, 3_000), (1_000, 3, 300), (200, 1, 50))
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(databases.sqlite())
        config = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "dtmf.toml"
        config.write_text(CONFIG)
        url = files.empty()
        fill.populate(url, fill.Population(time.time_ns() // 1000, count))
        service = stack.enter_context(processes.service(url, "--config", str(config)))
        arguments = ("--url", PUBLIC_URL + PATH, "--token", TOKEN)
        bare = stack.enter_context(
            processes.peer(environments.python_of("starlette"), "signed_callback.py", *arguments)
        )
        contenders = {"ours": partial(_rate, service.port, count), "bare": partial(_rate, bare.port, count)}
        rounds(contenders, 1)  # warm up
        measured = rounds(contenders, times)
        with contextlib.closing(sqlite3.connect(databases.path_of(url))) as connection:
            (stored,) = connection.execute("SELECT count(*) FROM messages").fetchone()
        assert stored == count * (times + 1), f"{stored} SMS are stored"
        yield _until_the_webhook(stack, files, str(config), unloaded)
    name = f"callback of Twilio until 204, {CONNECTIONS} connections, SQLite"
    yield ratio(measured, "ours", "bare", name=name, bound=at_least(0.5), raw="{} requests/s")


def _until_the_webhook(stack: contextlib.ExitStack, files: databases.Engine, config: str, count: int) -> Line:
    sink = stack.enter_context(processes.peer(environments.python_of("sink"), "sink.py"))
    webhook = f"http://127.0.0.1:{sink.port}"
    url = files.empty()
    fill.populate(url, fill.Population(time.time_ns() // 1000, count, webhook=webhook + "/"))
    service = stack.enter_context(processes.service(url, "--config", config))
    _rate(service.port, WARM_UP)
    due_ns = _post_on_time(service.port, count)
    arrived: dict[int, int] = {}
    until_s = time.monotonic() + 30
    while len(arrived) < WARM_UP + count and time.monotonic() < until_s:
        with urllib.request.urlopen(webhook) as reply:
            arrived |= dict(json.load(reply))
        time.sleep(0.1)
    with contextlib.closing(sqlite3.connect(databases.path_of(url))) as connection:
        texts = connection.execute("SELECT id, content FROM messages ORDER BY id LIMIT -1 OFFSET ?", (WARM_UP,))
        took_ms = sorted((arrived[id_] - due_ns[int(text.split()[4][:-1])]) / 1e6 for id_, text in texts)
    assert len(took_ms) == count, f"{len(took_ms)} SMS are stored"
    raw = f"p50 {took_ms[count // 2]:.1f} ms · greatest {took_ms[-1]:.1f} ms"
    name = "callback of Twilio at 100 a second until the webhook, p99, SQLite"
    return Line(name, took_ms[count * 99 // 100], at_most(20), raw, unit="ms")


def _post_on_time(port: int, count: int) -> list[int]:
    """Post a callback every 10 ms, whether or not the previous ones are answered. Return when each was due."""
    start_ns = time.monotonic_ns() + 100_000_000
    due_ns = [start_ns + n * 10_000_000 for n in range(count)]

    def post_some(first: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for n in range(first, count, CONNECTIONS):
                time.sleep(max(0, due_ns[n] - time.monotonic_ns()) / 1e9)
                connection.sendall(_request(n))
                reply = b""
                while b"\r\n\r\n" not in reply:
                    reply += connection.recv(65_536)
                assert reply.startswith(b"HTTP/1.1 204"), reply

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(post_some, range(CONNECTIONS)))
    return due_ns


def _rate(port: int, count: int) -> float:
    requests = [_request(n) for n in range(count)]
    return requests_per_second(port, requests, count=count, connections=CONNECTIONS)


def _request(n: int) -> bytes:
    """Return the callback of one more SMS for the n-th number."""
    sid = f"SM{next(_ids):032x}"
    fields = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "",
        "SmsSid": sid, "FromState": "CA", "SmsStatus": "received", "FromCity": "SAN FRANCISCO",
        "Body": f"Your verification code is {n:06d}. It is valid for 10 minutes.", "FromCountry": "US",
        "To": fill.e164(n), "ToZip": "", "NumSegments": "1", "MessageSid": sid, "AccountSid": ACCOUNT,
        "From": "+14155550123", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    signed = PUBLIC_URL + PATH + "".join(name + value for name, value in sorted(fields.items()))
    signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
    body = urlencode(fields).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Twilio-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
