"""`GET /events`: everything that happened, in order, from any position on, then each thing as it happens."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.http import sse
from dtmf_server.operations import rent
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database
from harness import START_US
from support.connection import Connection
from support.streaming import EventSource, forgetting, listening

from .operations import AS_LIST, ONE_ENGINE, OTHER_PHONE, Renter

MANY = 350  # more than three pages of a stream


def receive(db: Database, renter: Renter, *texts: str) -> None:
    """SMS arrive for a renter, in one transaction."""
    arrived = [InboundMessage(renter.e164, OTHER_PHONE, text) for text in texts]
    db.write_blocking(lambda tx: receive_many(tx, arrived, now_us=START_US))


def listed(connection: Connection, renter: Renter, **query: object) -> list[dict[str, Any]]:
    """The list of a renter's events."""
    reply = connection.ask("GET", "/api/v1/events", token=renter.token, query=query, headers=AS_LIST)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json"), reply
    assert reply.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = reply.json
    return found


def upto(source: EventSource, text: str) -> list[dict[str, Any]]:
    """A stream's events until one has a message of this text."""
    found = []
    for event in source.events():
        found.append(event)
        if event.get("message", {}).get("content") == text:
            return found
    raise AssertionError("the stream ended before")


def texts(found: list[dict[str, Any]]) -> list[str]:
    """The texts of the messages that arrived."""
    return [event["message"]["content"] for event in found if event["kind"] == "message"]


def test_a_stream_sends_stored_events_then_new_ones(url: str, db: Database, renter: Renter, other: Renter) -> None:
    with EventSource(url, renter.token) as source:
        assert source.status == 200
        assert source.headers["content-type"].startswith("text/event-stream")
        assert (source.headers["cache-control"], source.headers["x-accel-buffering"]) == ("no-store", "no")
        assert texts(upto(source, renter.text)) == [renter.text]
        receive(db, other, "for somebody else")
        receive(db, renter, "one", "two")
        assert texts(upto(source, "two")) == ["one", "two"]
        receive(db, renter, "three\n\ndata: {}\r\rfour")
        assert texts([next(source.events())]) == ["three\n\ndata: {}\r\rfour"]


def test_every_position_can_be_gone_on_from(url: str, db: Database, renter: Renter, connection: Connection) -> None:
    receive(db, renter, *(f"text {number}" for number in range(7)))
    every = listed(connection, renter)
    ids = [event["id"] for event in every]
    assert ids == sorted(set(ids)) and len(ids) >= 8
    for position, id_ in enumerate([0, *ids]):
        rest = every[position:]
        assert listed(connection, renter, after=id_) == rest
        assert listed(connection, renter, after=id_, limit=3) == rest[:3]
        in_header = {"headers": {"Last-Event-ID": str(id_)}, "query": {"after": 0, "wait": 0}}
        for asked in ({"query": {"after": id_, "wait": 0}}, in_header):
            with EventSource(url, renter.token, **asked) as source:
                assert list(source.events()) == rest


def test_a_long_history_is_replayed_whole_in_pages(url: str, db: Database, renter: Renter) -> None:
    receive(db, renter, *(f"text {number}" for number in range(MANY)))
    for query, count in (({"wait": 0}, MANY), ({"limit": 250}, 250)):
        with EventSource(url, renter.token, query=query) as source:
            found = [event for event in source.events() if event["message"]["content"] != renter.text]
        assert texts(found) == [f"text {number}" for number in range(MANY)][: len(found)]
        assert count - 1 <= len(found) <= count  # the renter's first message is one of the 250


def test_a_list_waits_for_what_it_does_not_have_yet(url: str, db: Database, renter: Renter) -> None:
    with Connection(url) as connection, ThreadPoolExecutor(1) as pool:
        last = listed(connection, renter)[-1]["id"]
        assert listed(connection, renter, after=last) == []
        assert listed(connection, renter, after=last, wait=0.05) == []
        with listening(db) as accrued:
            waiting = pool.submit(listed, connection, renter, after=last, wait=60)
            assert accrued.wait(20)
            receive(db, renter, "at last")
        assert texts(waiting.result(20)) == ["at last"]


def test_each_kind_carries_what_it_is_about(db: Database, renter: Renter, connection: Connection) -> None:
    token, after = renter.token, listed(connection, renter)[-1]["id"]
    sent = {"from": renter.e164, "to": OTHER_PHONE, "content": "on my way"}
    assert connection.ask("POST", "/api/v1/message", sent, token=token).status == 204
    seen = connection.ask(
        "POST", "/api/v1/sandbox/deposit", {"address": renter.address, "amount": 5000, "confirmations": 0}, token=token
    ).json
    paid = connection.ask(
        "POST", "/api/v1/sandbox/deposit", {"address": renter.address, "amount": 6000}, token=token
    ).json
    page = listed(connection, renter, after=after)
    while "delivered" not in {event.get("status") for event in page}:
        page = listed(connection, renter, after=page[-1]["id"], wait=15)
    assert connection.ask("DELETE", "/api/v1/number", token=token, query={"e164": renter.e164}).status == 204
    found = listed(connection, renter, after=after)
    statuses = [event for event in found if event["kind"] == "message.status"]
    assert [event["status"] for event in statuses] in (["sent", "delivered"], ["delivered"])  # receipts may be first
    message = connection.ask("GET", "/api/v1/messages", token=token).json[-1]
    assert all(event["message"] == message and event["e164"] == renter.e164 for event in statuses)
    deposits = [event for event in found if event["kind"].startswith("deposit.")]
    for event in deposits:
        assert (event["vout"], event["address"], event["e164"]) == (0, renter.address, None)
    told = {(event["kind"], event["txid"], event["amount"], event["confirmations"]) for event in deposits}
    assert told >= {
        ("deposit.seen", seen["txid"], 5000, 0),
        ("deposit.credited", seen["txid"], 5000, 2),
        ("deposit.credited", paid["txid"], 6000, 2),
    }
    assert found[-1] == {
        "id": found[-1]["id"],
        "timestamp": "2018-01-01T01:01:01.000000",
        "kind": "rental.ended",
        "e164": renter.e164,
        "reason": "renter",
    }


def test_the_event_of_a_parked_delivery_has_its_number_and_delivery_id(
    db: Database, renter: Renter, connection: Connection
) -> None:
    after = listed(connection, renter)[-1]["id"]

    def park(tx: Any) -> None:
        receive_many(tx, [InboundMessage(renter.e164, OTHER_PHONE, "not posted")], now_us=START_US)
        rent.set_action(tx, renter.account_id, renter.e164, None, now_us=START_US)

    db.write_blocking(park)
    message, parked = listed(connection, renter, after=after)
    query = {"state": "parked", "after": renter.delivery_id}
    (delivery,) = connection.ask("GET", "/api/v1/deliveries", token=renter.token, query=query).json
    assert delivery["message_id"] == message["message"]["id"]
    assert {name: parked[name] for name in ("kind", "e164", "delivery_id", "reason")} == {
        "kind": "delivery.parked",
        "e164": renter.e164,
        "delivery_id": delivery["id"],
        "reason": rent.ACTION_CHANGED,
    }
    assert "message" not in parked


@ONE_ENGINE
@pytest.mark.parametrize(
    ("accept", "is_list"),
    [
        (None, False),
        ("*/*", False),
        ("text/event-stream", False),
        ("application/json", True),
        ("Application/JSON;q=0.9, text/plain", True),
        ("application/json, text/event-stream", False),
        ("application/jsonx", False),
        ("", False),
    ],
)
def test_the_accept_header_decides_the_form(url: str, renter: Renter, accept: str | None, is_list: bool) -> None:
    headers = {} if accept is None else {"Accept": accept}
    with EventSource(url, renter.token, headers=headers, query={"wait": 0}) as source:
        assert source.headers["content-type"].startswith("application/json") == is_list


@ONE_ENGINE
@pytest.mark.parametrize("position", ["x", "-1", "1.5", "1e3", "0x1", "9223372036854775808", "9" * 400, "1,2", "\xb2"])
def test_a_position_that_is_none_is_refused_by_its_name(renter: Renter, connection: Connection, position: str) -> None:
    for headers in ({"Last-Event-ID": position}, {"Last-Event-ID": position} | AS_LIST):
        raw = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        reply = connection.ask("GET", "/api/v1/events", token=renter.token, headers=raw)
        assert (reply.status, reply.code, reply.json["field"]) == (422, "invalid_request", "Last-Event-ID")


@ONE_ENGINE
def test_an_empty_last_event_id_is_none(url: str, renter: Renter) -> None:
    with EventSource(url, renter.token, headers={"Last-Event-ID": ""}, query={"wait": 0}) as source:
        assert len(list(source.events())) >= 1


@ONE_ENGINE
def test_the_tables_are_asked_from_where_the_position_is_however_high(renter: Renter, connection: Connection) -> None:
    assert listed(connection, renter, after=2**63 - 1) == []


def test_an_idle_stream_shows_that_it_lives_and_ends_when_its_life_is_over(
    url: str, renter: Renter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    with EventSource(url, renter.token, query={"after": 10**6, "wait": 0.3}) as source:
        assert list(source.blocks()) == []  # it ends by itself, and properly
    first, *beats = source.rest.splitlines()
    assert first == "retry: 1000"
    assert len(beats) > 1 and set(beats) == {":"}


@pytest.mark.regression("no-empty-events")
def test_every_block_of_a_stream_is_an_event(
    url: str, db: Database, renter: Renter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many readers make an event of each block, with or without `data:`."""
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.05)
    with EventSource(url, renter.token, query={"wait": 0.3}) as source:
        blocks = list(source.blocks())
    assert len(blocks) >= 1
    assert all("data" in block for block in blocks), blocks
    assert [block.get("retry") for block in blocks] == ["1000"] + [None] * (len(blocks) - 1)
    with EventSource(url, renter.token, query={"after": 10**6, "wait": 0.3}) as source:
        assert list(source.blocks()) == []


def test_a_revoked_token_ends_the_stream_and_opens_no_other(
    url: str, db: Database, renter: Renter, connection: Connection
) -> None:
    new = connection.ask("POST", "/api/v1/tokens", {"label": "short-lived"}, token=renter.token).json
    with EventSource(url, new["token"]) as source:
        upto(source, renter.text)
        assert connection.ask("DELETE", "/api/v1/tokens", token=renter.token, query={"id": new["id"]}).status == 204
        receive(db, renter, "not for that token")
        assert list(source.events()) == []
    with EventSource(url, new["token"]) as source:
        assert source.status == 401


def test_a_service_that_stops_ends_streams_and_polls_at_once(url: str, db: Database, renter: Renter) -> None:
    with Connection(url) as connection, ThreadPoolExecutor(1) as pool, EventSource(url, renter.token) as source:
        last = upto(source, renter.text)[-1]["id"]
        with listening(db) as accrued:
            waiting = pool.submit(listed, connection, renter, after=last, wait=60)
            assert accrued.wait(20)
        db.wakeups.stop()
        assert list(source.events()) == []
        assert waiting.result(20) == []
        # Clients that reconnect now get stored events only, not a stream that would delay the shutdown.
        with EventSource(url, renter.token) as again:
            assert [event["id"] for event in again.events()][-1] == last


def test_a_reader_that_hangs_up_is_forgotten(url: str, db: Database, renter: Renter) -> None:
    with forgetting(db) as gone:
        with EventSource(url, renter.token) as source:
            upto(source, renter.text)
            assert not gone.is_set()
        assert gone.wait(20)  # long before the next heartbeat would fail
