"""Invalid HTTP gets problem details that say why; valid but unusual HTTP works."""

import itertools
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from dtmf_server.asgi import protocol
from support.connection import TIMEOUT_S, Connection

from .operations import ONE_ENGINE, Renter, calls, dump, names_of

HOST = b"Host: localhost\r\n"
WEBSITE = [
    "/",
    "/sign-in",
    "/messages",
    "/account/delete",
    "/numbers/%2B12025550100",
    "/docs",
    "/docs/api",
    "/schema/openapi.json",
]


def replies(url: str, *pieces: bytes) -> bytes:
    """All that is answered until the service hangs up."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def taken_apart(reply: bytes) -> tuple[int, dict[str, str], bytes]:
    assert reply.startswith(b"HTTP/1.1 "), reply
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ")[1]), headers, body


def problem_of(reply: bytes) -> dict[str, Any]:
    status, headers, body = taken_apart(reply)
    assert headers["content-type"] == "application/problem+json", reply
    found: dict[str, Any] = json.loads(body)
    assert (found["status"], found["request_id"]) == (status, headers["x-request-id"])
    return found


def head(first: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([first, *lines, b"Connection: close", b"", b""])


GET, POST = b"GET /healthz HTTP/1.1", b"POST /api/v1/accounts HTTP/1.1"
L = b"Host: localhost"
CHUNKED = b"Transfer-Encoding: chunked"
# Each with a word that the problem must have.
WRONG = {
    "no Host": (head(GET), "Host"),
    "no Host on a POST": (head(POST, b"Content-Length: 0"), "Host"),
    "two Hosts": (head(GET, L, b"Host: example.org"), "Host"),
    "the same Host twice": (head(GET, L, L), "Host"),
    "two Hosts in HTTP/1.0": (head(b"GET /healthz HTTP/1.0", L, L), "Host"),
    "an empty Host": (head(GET, b"Host:"), "Host"),
    "a Host with a blank": (head(GET, b"Host: a b"), "Host"),
    "a Host with a path": (head(GET, b"Host: a/b"), "Host"),
    "a Host with a user": (head(GET, b"Host: user@a"), "Host"),
    "a Host that is a list": (head(GET, b"Host: a, b"), "Host"),
    "a Host with a wrong port": (head(GET, b"Host: a:b"), "Host"),
    "a Host with quotes": (head(GET, b'Host: "a"'), "Host"),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", "HTTP"),
    "HTTP/2.0": (head(b"GET /healthz HTTP/2.0", L), "HTTP"),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + bytes(100), "HTTP"),
    "length and chunks": (head(POST, L, b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n", "HTTP"),
    "chunks and length": (head(POST, L, CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n", "HTTP"),
    "gzip, then chunks": (head(POST, L, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", "Transfer-Encoding"),
    "gzip and chunks in two headers": (
        head(POST, L, b"Transfer-Encoding: gzip", CHUNKED) + b"0\r\n\r\n",
        "Transfer-Encoding",
    ),
    "chunks, then gzip": (head(POST, L, b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n", "HTTP"),
    "identity": (head(POST, L, b"Transfer-Encoding: identity"), "Transfer-Encoding"),
    "an unknown coding": (head(POST, L, b"Transfer-Encoding: xchunked") + b"0\r\n\r\n", "Transfer-Encoding"),
    "chunks twice": (head(POST, L, CHUNKED, CHUNKED) + b"0\r\n\r\n", "HTTP"),
    "chunks in HTTP/1.0": (
        head(b"POST /api/v1/accounts HTTP/1.0", L, CHUNKED) + b"0\r\n\r\n",
        "Transfer-Encoding",
    ),
    "a blank before the colon": (head(POST, L, b"Transfer-Encoding : chunked") + b"0\r\n\r\n", "HTTP"),
    "two lengths": (head(POST, L, b"Content-Length: 2", b"Content-Length: 2") + b"{}", "HTTP"),
    "a length below zero": (head(POST, L, b"Content-Length: -2") + b"{}", "HTTP"),
    "a length with a sign": (head(POST, L, b"Content-Length: +2") + b"{}", "HTTP"),
    "line feeds alone": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", "HTTP"),
    "a folded line": (head(GET, L, b"X: a\r\n b"), "HTTP"),
    "a chunk without a length": (head(POST, L, CHUNKED) + b"zz\r\n\r\n", "HTTP"),
}


@pytest.mark.regression("wrong-http-accepted")
@pytest.mark.parametrize("name", WRONG)
@ONE_ENGINE
def test_wrong_http_is_refused_with_400_and_does_nothing(url: str, db: Any, name: str) -> None:
    request, word = WRONG[name]
    before = dump(db)
    found = problem_of(replies(url, request))
    assert (found["status"], found["code"]) == (400, "bad_request")
    assert word in found["detail"]
    assert dump(db) == before


RIGHT = {
    "HTTP/1.0 without Host": head(b"GET /healthz HTTP/1.0"),
    "HTTP/1.0 with Host": head(b"GET /healthz HTTP/1.0", L),
    "a Host with a port": head(GET, b"Host: numbers.example.org:8000"),
    "a Host that is an address": head(GET, b"Host: [::1]:8000"),
    "a Host with blanks around it": head(GET, b"Host:  localhost \t"),
    "the whole URL": head(b"GET http://localhost/healthz HTTP/1.1", L),
    "an upgrade": head(GET, L, b"Upgrade: h2c").replace(b"Connection: close", b"Connection: upgrade, close"),
}


@pytest.mark.parametrize("name", RIGHT)
@ONE_ENGINE
def test_what_is_right_is_answered(url: str, name: str) -> None:
    status, _, body = taken_apart(replies(url, RIGHT[name]))
    assert (status, body) == (200, b'{"status":"ok"}')


@ONE_ENGINE
def test_expect_100_continue_is_answered_before_the_body_is_sent(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        connection.sendall(head(POST, L, b"Expect: 100-continue", b"Content-Length: 2"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.regression("refusal-before-earlier-answer")
@ONE_ENGINE
def test_a_refusal_comes_after_the_answers_to_the_requests_before_it(url: str, renter: Renter) -> None:
    asked = head(
        b"GET /api/v1/messages?after=999999&wait=0.3 HTTP/1.1", L, b"Authorization: Bearer " + renter.token.encode()
    )
    asked = asked.replace(b"Connection: close\r\n", b"")
    for wrong in (b"GARBAGE\r\n\r\n", head(GET), b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"):
        reply = replies(url, asked * 2 + wrong)
        assert [each[:3] for each in reply.split(b"HTTP/1.1 ")[1:]][:2] == [b"200", b"200"], reply
        assert reply.split(b"HTTP/1.1 ", 3)[3][:3] in (b"400", b"431"), reply


@pytest.mark.regression("slow-body")
@pytest.mark.parametrize(
    "beginning", [b"", b"{", b"Expect: 100-continue"], ids=["no body", "some of it", "100-continue"]
)
@ONE_ENGINE
def test_a_slow_body_of_any_operation_is_answered_with_408(
    url: str, renter: Renter, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 0.2)
    asked = calls(renter)
    assert set(asked) == names_of(document)
    for name, call in asked.items():
        method, path = name.split(" ")
        if method not in ("POST", "PUT", "PATCH"):
            continue
        target = call.asked(name, renter.token).target
        lines = [L, b"Authorization: Bearer " + renter.token.encode(), b"Content-Length: 600"]
        lines += [beginning] if b":" in beginning else []
        whole = b"\r\n".join([method.encode() + b" " + target + b" HTTP/1.1", *lines, b"", b""])
        reply = replies(url, whole + (b"" if b":" in beginning else beginning)).removeprefix(
            b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        found = problem_of(reply)
        assert (found["status"], found["code"]) == (408, "request_timeout"), (name, path)


@pytest.mark.regression("options-of-all")
@ONE_ENGINE
def test_options_of_the_whole_service_allows_what_any_route_takes(connection: Connection, renter: Renter) -> None:
    reply = connection.ask("OPTIONS", "*")
    assert (reply.status, reply.body) == (204, b"")
    documented = {name.partition(" ")[0] for name in calls(renter)}
    assert set(reply.headers["allow"].split(", ")) == documented | {"HEAD", "OPTIONS"}
    assert connection.ask("GET", "*").status == 404


@pytest.mark.regression("options-and-allow")
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@ONE_ENGINE
def test_options_and_the_allow_of_a_405_agree_and_are_true(
    connection: Connection, document: dict[str, Any], renter: Renter, accept: str
) -> None:
    documented: dict[str, set[str]] = {}
    for name, call in calls(renter).items():
        method, _ = name.split(" ")
        documented.setdefault(call.asked(name, None).target.decode().partition("?")[0], set()).add(method)
    for path in [*documented, *WEBSITE]:
        options = connection.ask("OPTIONS", path, headers={"Accept": accept})
        refused = connection.ask("TRACE", path, headers={"Accept": accept})
        assert (options.status, options.body, refused.status) == (204, b"", 405), path
        assert options.headers.get("allow") == refused.headers.get("allow") is not None, path
        allowed = set(options.headers["allow"].split(", "))
        assert documented.get(path, allowed) | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set()) == allowed, path
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            reply = connection.ask(method, path, headers={"Accept": accept})
            assert (reply.status, reply.headers.get("allow")) == (405, options.headers["allow"]), (method, path)
    for path in ("/nope", "/api/v1/nope", "/api/v1/account/nope", "/static/nope"):
        assert connection.ask("OPTIONS", path).status == 404, path


@pytest.mark.regression("compressed-body")
@ONE_ENGINE
def test_a_compressed_body_is_refused_with_415_by_every_operation_and_form(
    connection: Connection, document: dict[str, Any], renter: Renter, db: Any
) -> None:
    asked = calls(renter)
    assert set(asked) == names_of(document)
    before = dump(db)
    for (name, call), encoding in itertools.product(
        asked.items(), ("gzip", "deflate, gzip", "br", "identity, gzip", "x")
    ):
        if not name.startswith(("POST", "PUT", "PATCH")):
            continue
        method, path = name.split(" ")
        reply = connection.ask(
            method,
            path.format(**call.path),
            b"\x1f\x8b\x08\x00",
            token=renter.token,
            query=call.query,
            headers={"Content-Encoding": encoding},
        )
        assert (reply.status, reply.code) == (415, "unsupported_encoding"), (name, encoding)
        assert "Content-Encoding" in reply.json["detail"] and encoding in reply.json["detail"], name
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    assert connection.ask("POST", "/sign-in", b"\x1f\x8b\x08\x00", headers=form).status == 415
    assert dump(db) == before


@ONE_ENGINE
def test_identity_and_an_encoding_without_a_body_are_accepted(connection: Connection, renter: Renter) -> None:
    identity, gzip = {"Content-Encoding": "identity"}, {"Content-Encoding": "gzip"}
    assert connection.ask("POST", "/api/v1/accounts", headers=identity).status == 201
    assert connection.ask("POST", "/api/v1/tokens", {"label": "x"}, token=renter.token, headers=identity).status == 201
    assert connection.ask("GET", "/api/v1/account", token=renter.token, headers=gzip).status == 200
    assert connection.ask("POST", "/api/v1/accounts", headers=gzip).status == 201
