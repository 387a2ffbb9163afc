"""Reading: health, request ids, the long poll, numbers with very many messages, and the page for people."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from threading import Event
from typing import Any

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from harness import START_US, give_coins, new_token, open_account

from .connection import Connection, ask_for
from .operations import ONE_ENGINE, OTHER_PHONE, Renter, calls

MANY = 2_500
MESSAGE = ["from", "to", "content", "timestamp", "success", "cost"]


def test_health_and_readiness_are_told_without_a_token(connection: Connection) -> None:
    alive = connection.ask("GET", "/healthz")
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = connection.ask("GET", "/readyz")
    assert ready.status == 200
    assert (ready.json["status"], ready.json["database"], ready.json["mode"]) == ("ready", "ok", "sandbox")
    assert ready.json["schema"] not in ("", "none")


@ONE_ENGINE
def test_a_head_is_answered_as_the_get_without_its_body(renter: Renter, connection: Connection) -> None:
    """Monitors and proxies ask so."""
    named = {name: call for name, call in calls(renter).items() if name.startswith("GET ")}
    asked = [call.asked(name, renter.token) for name, call in named.items()]
    asked += [ask_for("GET", path) for path in ("/", "/schema/openapi.json", "/nowhere")]
    for each in asked:
        got, head = connection.send(each), connection.send(replace(each, method="HEAD"))
        assert (head.status, head.body) == (got.status, b"")
        assert sorted(head.headers) == sorted(got.headers)
        assert connection.ask("GET", "/healthz").status == 200  # nothing of the body follows


@ONE_ENGINE
def test_every_answer_has_a_request_id_of_its_own_which_its_problem_repeats(
    renter: Renter, connection: Connection
) -> None:
    seen = set()
    asked = [call.asked(name, renter.token) for name, call in calls(renter).items()]
    asked += [call.asked(name, None) for name, call in calls(renter).items()]
    for each in asked:
        reply = connection.send(each)
        id_ = reply.headers["x-request-id"]
        assert re.fullmatch(r"req_[0-9a-f]{16}", id_)
        if reply.status >= 400:
            assert reply.json["request_id"] == id_
        seen.add(id_)
    assert len(seen) == len(asked)
    # A caller's own id is not taken over: it could be anything.
    assert connection.ask("GET", "/healthz", headers={"X-Request-Id": "mine"}).headers["x-request-id"] != "mine"


@pytest.fixture
def polling(db: Database, monkeypatch: pytest.MonkeyPatch) -> Event:
    """Is set once a long poll has begun to wait."""
    accrued = Event()
    listen = db.wakeups.listen

    def noticed(*topics: str) -> Any:
        found = listen(*topics)
        if any("account" in topic or "event" in topic for topic in topics):
            accrued.set()
        return found

    monkeypatch.setattr(db.wakeups, "listen", noticed)
    return accrued


def poll(url: str, renter: Renter, **query: object) -> Any:
    """What a long poll of a minute is answered with."""
    with Connection(url) as connection:
        return connection.ask("GET", "/api/v1/messages", token=renter.token, query={"wait": 60, **query})


def test_a_long_poll_is_answered_by_the_message_it_waits_for(
    url: str, renter: Renter, other: Renter, connection: Connection, polling: Event
) -> None:
    first = connection.ask("GET", "/api/v1/messages", token=renter.token).json[-1]["id"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll, url, renter, after=first)
        assert polling.wait(20)
        # Somebody else's message does not end it.
        for who, content in ((other, "not this one"), (renter, "this one")):
            body = {"to": who.e164, "from": OTHER_PHONE, "content": content}
            assert connection.ask("POST", "/api/v1/sandbox/message", body, token=who.token).status == 201
        reply = waiting.result(20)  # the poll itself would last a minute
    assert [message["content"] for message in reply.json] == ["this one"]
    assert list(reply.json[0]) == [*MESSAGE, "id", "e164", "inbound", "status"]


def test_a_long_poll_ends_empty_when_its_time_is_over_and_at_once_if_there_is_something(
    renter: Renter, connection: Connection
) -> None:
    last = connection.ask("GET", "/api/v1/messages", token=renter.token, query={"wait": 60}).json[-1]
    assert last["content"] in renter.secrets
    reply = connection.ask("GET", "/api/v1/messages", token=renter.token, query={"wait": 0.05, "after": last["id"]})
    assert (reply.status, reply.body) == (200, b"[]")


def test_a_long_poll_shows_nothing_to_a_token_revoked_meanwhile(
    url: str, renter: Renter, connection: Connection, polling: Event
) -> None:
    second = connection.ask("POST", "/api/v1/tokens", {"label": "second"}, token=renter.token).json
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll, url, renter, after=10**6)
        assert polling.wait(20)
        own = connection.ask("GET", "/api/v1/tokens", token=renter.token).json[0]["id"]
        assert connection.ask("DELETE", "/api/v1/tokens", token=renter.token, query={"id": own}).status == 204
        body = {"to": renter.e164, "from": OTHER_PHONE, "content": "x"}
        assert connection.ask("POST", "/api/v1/sandbox/message", body, token=second["token"]).status == 201
        assert waiting.result(20).status == 401


def texts(count: int) -> list[str]:
    """So many texts, each with what JSON has to escape."""
    return [f'text {number} é\u2028"\\' for number in range(count)]


def receive_in_bulk(db: Database, e164: str, count: int) -> None:
    """So many messages for a number."""
    inbound = [InboundMessage(e164, OTHER_PHONE, text) for text in texts(count)]

    def store(tx: Tx) -> None:
        receive_many(tx, inbound, now_us=START_US)

    db.write_blocking(store)


def test_a_number_with_very_many_messages_is_whole_and_equal_to_its_pages(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 10_000_000)
    token = new_token()
    sizes = [MANY, 0, 500, 501, 1000]  # a page is read 500 at a time
    e164s = [
        connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=token).json["e164"] for _ in sizes
    ]
    for e164, size in zip(e164s, sizes, strict=True):
        receive_in_bulk(db, e164, size)
    every = connection.ask("GET", "/api/v1/numbers", token=token)
    assert "chunked" in every.headers["transfer-encoding"]
    for e164, size, number in zip(e164s, sizes, every.json, strict=True):
        alone = connection.ask("GET", "/api/v1/number", token=token, query={"e164": e164})
        assert alone.json == number
        assert [message["content"] for message in number["messages"]] == texts(size)
        assert number["messages"] == [{key: full[key] for key in MESSAGE} for full in pages(connection, token, e164)]
    changed = connection.ask(
        "PATCH", "/api/v1/number", {"sms_forwarded_to": OTHER_PHONE}, token=token, query={"e164": e164s[0]}
    )
    assert changed.json == {**every.json[0], "sms_forwarded_to": OTHER_PHONE}


def pages(connection: Connection, token: str, e164: str) -> list[dict[str, Any]]:
    """Every full message of a number, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        query = {"e164": e164, "limit": 700, "after": found[-1]["id"] if found else 0}
        page = connection.ask("GET", "/api/v1/messages", token=token, query=query).json
        if not page:
            return found
        assert [message["id"] for message in page] == sorted(message["id"] for message in page)
        found += page


class _Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@ONE_ENGINE
def test_the_page_of_the_api_shows_every_operation_and_needs_no_script(
    connection: Connection, document: dict[str, Any]
) -> None:
    reply = connection.ask("GET", "/docs")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    page = _Page()
    page.feed(reply.body.decode())
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "img", "form"}
    assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "src")]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page.text
            assert operation["description"] in page.text
            assert all(each["name"] in page.text for each in operation.get("parameters", []))
            for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(operation)):
                fields = document["components"]["schemas"][name].get("properties", {})
                assert all(field in page.text for field in fields), name
