"""The long poll of messages."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from dtmf_server.storage.db import Database
from support.connection import Connection

from .operations import OTHER_PHONE, Renter

MESSAGE = ["from", "to", "content", "timestamp", "success", "cost"]


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
    """Return the response to a long poll of one minute."""
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
    assert list(reply.json[0]) == [*MESSAGE, "id", "e164", "inbound", "status", "reason"]


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
