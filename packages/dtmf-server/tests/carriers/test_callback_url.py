"""The check of a callback URL distinguishes this service from others, and compares the clocks."""

import asyncio
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from dtmf_server.carriers.base import CheckResult
from dtmf_server.carriers.callback_url import check_callback_url
from harness import START_US
from support.webhook_receiver import refused_port

NOW_S = START_US / 1_000_000


def checked(url: str | None) -> dict[str, CheckResult]:
    return {result.name: result for result in asyncio.run(check_callback_url(url, wall_us=lambda: START_US))}


def answered(status: int, body: bytes, *, at_s: float = NOW_S) -> dict[str, CheckResult]:
    """Check a URL where a server answers this once."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", formatdate(at_s, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        found = checked(f"http://127.0.0.1:{server.server_port}/callbacks/carriers/acme")
        thread.join()
    return found


OURS = b'{"status": 405, "code": "method_not_allowed", "request_id": "r"}'


def test_this_service_is_recognized_by_its_refusal() -> None:
    found = answered(405, OURS)
    assert all(result.is_ok for result in found.values())
    assert list(found) == ["public_url", "callback", "clock"]


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (404, b'{"status": 404, "code": "not_found", "request_id": "r"}', "this service answers 404 not_found"),
        (200, b"<html>It works!</html>", "another program answers 200"),
        (502, b'{"error": "bad gateway"}', "another program answers 502"),
        (405, b"[]", "another program answers 405"),
    ],
)
def test_another_answer_is_a_failure_with_its_fix(status: int, body: bytes, detail: str) -> None:
    result = answered(status, body)["callback"]
    assert result.is_ok is False and detail in result.detail and result.fix


@pytest.mark.parametrize(("apart_s", "is_ok"), [(59, True), (-59, True), (61, False), (-3600, False)])
def test_clocks_may_differ_by_a_minute(apart_s: int, is_ok: bool) -> None:
    assert answered(405, OURS, at_s=NOW_S + apart_s)["clock"].is_ok is is_ok


def test_a_url_that_is_missing_insecure_or_unreachable_is_a_failure() -> None:
    assert checked(None)["public_url"].is_ok is False
    found = checked(f"http://127.0.0.1:{refused_port()}/callbacks/carriers/acme")
    assert found["callback"].is_ok is False and "can't connect" in found["callback"].detail
    assert checked("http://numbers.invalid/callbacks/carriers/acme")["public_url"].is_ok is False
