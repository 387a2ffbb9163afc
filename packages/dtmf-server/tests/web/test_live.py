"""Live updates: open pages receive events, and reconnecting pages miss none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from dtmf_server.operations import sign_in
from dtmf_server.storage import events
from dtmf_server.storage.db import Database
from harness import START_US, give_coins, new_token
from support.visitor import Visitor

from .conftest import ONE_ENGINE, receive


@contextmanager
def stream(visitor: Visitor, after: int, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    """Parse the events of a stream."""
    address = f"/live?after={after}"
    with visitor.client.stream("GET", address, headers={"Accept": "text/event-stream", **headers}) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield fields_of(response)


def fields_of(response: httpx2.Response) -> Iterator[dict[str, str]]:
    """Parse events to fields."""
    found: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            found[name] = value
        elif "id" in found:
            yield found
            found = {}


def position(visitor: Visitor) -> int:
    """Return the position of a page opened now."""
    body = next(given for tag, given in visitor.open("/messages").tags if tag == "body")
    return int(body["data-after"])


def test_an_sms_arrives_as_rendered_html(renter: Visitor, db: Database, e164: str) -> None:
    after = position(renter)
    with stream(renter, after) as arriving:
        id_ = receive(db, e164, "Your code is <b>604 118</b>")
        event = next(arriving)
        assert event["event"] == "message"
        data = json.loads(event["data"])
        assert f'id="m{id_}"' in data["html"] and "&lt;b&gt;604 118&lt;/b&gt;" in data["html"]
        assert data["html"].strip() in renter.open("/messages").html.replace("\n\n", "\n") or "604118" in data["html"]
        assert data["balance"] == "999\u202f282"


def test_a_reconnecting_page_gets_all_missed_events_once_and_in_order(renter: Visitor, db: Database, e164: str) -> None:
    after = position(renter)
    ids = [receive(db, e164, f"text {number}") for number in range(250)]
    seen: list[str] = []
    last = str(after)
    for share in (1, 99, 150):  # the connection breaks twice, and the browser resumes
        with stream(renter, after, **{"Last-Event-ID": last}) as arriving:
            for _ in range(share):
                event = next(arriving)
                last = event["id"]
                seen.append(json.loads(event["data"])["html"].partition('id="m')[2].partition('"')[0])
    assert seen == [str(id_) for id_ in ids]


def test_other_events_only_notify_the_page_of_a_change(
    renter: Visitor, db: Database, e164: str, account_id: int
) -> None:
    after = position(renter)
    renter.do(f"/numbers/{e164}/end", f"/numbers/{e164}/end")
    with stream(renter, after) as arriving:
        assert next(arriving)["event"] == "changed"


def test_a_stream_has_only_its_own_accounts_events(renter: Visitor, other: Visitor, db: Database, e164: str) -> None:
    with stream(other, 0) as arriving:
        receive(db, e164, "for somebody else")
        other.do("/rent/tiny", "/rent/tiny")
        other.do("/numbers/+12025550200/end", "/numbers/+12025550200/end")
        event = next(arriving)
        assert event["event"] == "changed" and "somebody else" not in event["data"]


def test_a_stream_ends_with_its_session(renter: Visitor, db: Database, e164: str, account_id: int) -> None:
    from dtmf_server.storage import web_sessions

    with stream(renter, 0) as arriving:
        receive(db, e164, "first")
        assert next(arriving)["event"] == "message"
        db.write_blocking(lambda tx: web_sessions.end_all(tx, account_id))
        receive(db, e164, "second")
        assert list(arriving) == []
    assert renter.client.get("/live?after=0").status_code == 401


@ONE_ENGINE
@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 30, "1e3", "\u0661"])
def test_an_invalid_position_starts_at_the_beginning(renter: Visitor, db: Database, e164: str, after: str) -> None:
    receive(db, e164, "first")
    with renter.client.stream("GET", "/live", params={"after": after}) as response:
        assert next(fields_of(response))["event"] == "message"


@ONE_ENGINE
def test_an_idle_page_does_not_keep_its_session_alive(renter: Visitor, db: Database, wall, account_id: int) -> None:
    wall.advance(us=sign_in.IDLE_US - 1)
    give_coins(db, account_id, 1, now_us=START_US)
    with renter.client.stream("GET", "/live?after=0") as response:
        assert response.status_code == 200
    wall.advance(us=1)
    assert renter.client.get("/live?after=0").status_code == 401
    assert db.read_blocking(lambda tx: events.last_id(tx, account_id)) >= 0
    assert renter.sign_in(new_token(1)).path == "/messages"
