"""Carrier callbacks are bounded, stored before they are answered, even by an API-only process, and kept out of the log."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection

import pytest

from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRefused,
    CallbackReply,
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
    InboundSink,
    LinkStats,
)
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.operations import ingest, rent
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import START_US, give_coins, open_account, serving

PATH = "/callbacks/carriers/pigeon"


class Pigeon:
    """Parses [[to, text, id], …]; a word instead of a list makes it fail in that way."""

    name = "pigeon"
    callback_methods: tuple[str, ...] = ("POST",)

    def __init__(self) -> None:
        self.requests: list[CallbackRequest] = []

    async def run(self, sink: InboundSink) -> None:
        await asyncio.Event().wait()

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        raise AssertionError("this test sends nothing")

    def can_submit(self) -> bool:
        return True

    def traffic(self) -> Sequence[LinkStats]:
        return ()

    def parse(self, request: CallbackRequest) -> CallbackResult:
        self.requests.append(request)
        if request.method == "GET":
            return CallbackResult(reply=CallbackReply(body=request.url.encode()))
        found = json.loads(request.body)
        if found == "forged":
            raise BadSignature("no key")
        if found == "unreadable":
            raise CallbackRefused("no list")
        if found == "receipt":
            return CallbackResult([Receipt("unknown", delivered=True)])
        if found == "many":
            return CallbackResult([Receipt("unknown", delivered=True)] * 1001)
        items = [InboundMessage(to, "Bank", text, carrier_ref=id_) for to, text, id_ in found]
        return CallbackResult(items, CallbackReply(201, b"<Response/>", "text/xml"))


@pytest.fixture
def e164(db: Database) -> str:
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)
    rented = db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))
    return str(rented["e164"])


@pytest.fixture
def pigeon() -> Pigeon:
    return Pigeon()


@pytest.fixture(params=[True, False], ids=["run", "api"])
def url(runtime: Runtime, pigeon: Pigeon, request: pytest.FixtureRequest) -> Iterator[str]:
    """The service with its workers, and an API-only process."""
    with serving(runtime, workers=request.param, carriers=[pigeon]) as address:
        yield address


def ask(url: str, body: object, *, path: str = PATH, method: str = "POST", **headers: str) -> tuple[int, bytes, str]:
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=30)) as connection:
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
        reply = connection.getresponse()
        return reply.status, reply.read(), reply.headers["content-type"]


def texts(db: Database) -> list[str]:
    return [row["content"] for row in db.read_blocking(lambda tx: tx.all("SELECT content FROM messages ORDER BY id"))]


def test_a_callback_is_stored_once_before_it_is_answered(
    db: Database, url: str, pigeon: Pigeon, e164: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = (201, b"<Response/>", "text/xml; charset=utf-8")
    assert ask(url, [[e164, "one", "a"], [e164, "two\0\ud83d", "b"]], path=PATH + "?x=%2B1", Host="elsewhere") == reply
    assert texts(db) == ["one", "two\ufffd\ufffd"]
    assert ask(url, [[e164, "one", "a"], [e164, "three", "c"]]) == reply
    assert ask(url, [["+12025559999", "nobody's", "d"]]) == reply
    assert ask(url, "receipt")[0] == 200
    assert texts(db) == ["one", "two\ufffd\ufffd", "three"]
    request = pigeon.requests[0]
    assert (request.method, request.url, request.headers["host"]) == ("POST", f"{PATH}?x=%2B1", "elsewhere")
    assert request.wall_us == START_US
    assert not caplog.records


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("forged", 403, b"callback_not_signed"),
        ("unreadable", 400, b"callback_unreadable"),
        ("many", 400, b"callback_unreadable"),
        ([["canary"]], 500, b"plugin_failed"),
        ([["+12025550100", {"canary": 1}, "a"]], 500, b"plugin_failed"),
        (b"canary", 500, b"plugin_failed"),
        (b" " * 70_000, 413, b"body_too_large"),
    ],
)
def test_an_invalid_callback_is_refused_and_logged_without_its_text(
    url: str, body: object, status: int, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(url, body)
    assert reply[0] == status
    assert said in reply[1]
    assert "canary" not in caplog.text
    assert len(caplog.records) == (status != 413)


def test_unknown_names_methods_and_encodings_are_refused_before_the_plugin_is_called(url: str, pigeon: Pigeon) -> None:
    assert ask(url, [], path="/callbacks/carriers/dove")[0] == 404
    assert ask(url, [], path="/callbacks/carriers/")[0] == 404
    assert ask(url, b"", method="GET")[0] == 405
    assert ask(url, b"", method="PUT")[0] == 405
    assert ask(url, [], **{"Content-Encoding": "gzip"})[0] == 415
    assert not pigeon.requests


def test_a_carrier_may_declare_callbacks_by_get(url: str, pigeon: Pigeon) -> None:
    pigeon.callback_methods = ("GET",)
    assert ask(url, b"", path=PATH + "?a=b%20c", method="GET")[:2] == (200, PATH.encode() + b"?a=b%20c")
    assert ask(url, [])[0] == 405


@pytest.mark.parametrize("error", [StorageUnavailable, ValueError])
def test_a_callback_that_cannot_be_stored_is_answered_with_503(
    runtime: Runtime, url: str, e164: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "ingest_batch", breaks)
        assert ask(url, [[e164, "canary", "a"]])[0] == 503
    assert texts(runtime.db) == []
    assert ask(url, [[e164, "canary", "a"]])[0] == 201
    assert texts(runtime.db) == ["canary"]
