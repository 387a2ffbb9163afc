"""Webhooks, end to end: the API, the real worker, a receiver on loopback, and a controlled clock."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER, LIFE_S
from dtmf_server.storage.db import Database
from harness import FakeWall, new_token, runtime_over, serving
from support.inspect import ELSEWHERE, ON_SQLITE, deliveries, events, rent, settle, states
from support.webhook_receiver import Posted, Receiver, receiving, refused_port


def answering(status: int) -> Callable[[Posted], int]:
    """Return a function that always returns this response."""
    return lambda _: status


def test_an_sms_is_posted_once_as_documented(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    message = dtmf.sandbox.receive(number, "+1234", 'SMS "text" \u20ac \U0001f642')
    settle(dtmf)
    dtmf.sandbox.advance(LIFE_S)
    (posted,) = receiver.posted
    assert list(posted.json.items()) == [
        ("id", message["id"]),
        ("e164", number),
        ("sender", "+1234"),
        ("content", 'SMS "text" \u20ac \U0001f642'),
    ]
    assert states(db) == ["delivered"]
    assert [m["content"] for m in dtmf.number(number)["messages"]] == [message["content"]]


def test_a_receiver_that_stays_down_is_retried_hourly_and_its_deliveries_parked_after_72_hours(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "late")
    settle(dtmf)
    for hour in range(71):
        assert len(receiver.posted) == hour + 1
        dtmf.sandbox.advance(3600)
        assert states(db) == ["waiting"]
    dtmf.sandbox.advance(3600)
    assert len(receiver.posted) == 73
    assert states(db) == ["parked"]
    assert [event["message_id"] for event in events(db, "delivery.parked")] == [deliveries(db)[0]["message_id"]]
    assert dtmf.number(number)["messages"][0]["content"] == "late"


def test_missed_messages_reach_a_recovered_receiver_in_order(dtmf: DTMF, db: Database) -> None:
    port = refused_port()
    texts = [f"missed {n}" for n in range(5)]
    number = rent(dtmf, "webhook", f"http://127.0.0.1:{port}/webhook")
    for text in texts:
        dtmf.sandbox.receive(number, "+1234", text)
    dtmf.sandbox.advance(24 * 3600)
    assert states(db) == ["waiting"] * 5
    with receiving(port=port) as receiver:
        dtmf.sandbox.advance(30 * 60 * (1 + JITTER))
        assert receiver.contents == texts
    assert states(db) == ["delivered"] * 5


def test_nothing_is_lost_across_a_restart(account: int, db: Database, wall: FakeWall, receiver: Receiver) -> None:
    receiver.answer = answering(503)
    with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
        number = rent(dtmf, "webhook", receiver.url)
        dtmf.sandbox.receive(number, "+1234", "before the restart")
        settle(dtmf)
    assert receiver.contents == ["before the restart"]
    receiver.answer = answering(200)
    with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
        dtmf.sandbox.advance(4.9)
        assert len(receiver.posted) == 1
        dtmf.sandbox.advance(1)
        assert receiver.contents == ["before the restart"] * 2
        assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("delivered", 2)]


def test_an_attempt_interrupted_by_a_stop_is_repeated(
    account: int, db: Database, wall: FakeWall, receiver: Receiver
) -> None:
    stopped = threading.Event()
    receiver.answer = lambda _: 200 if stopped.wait(10) else 500
    with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
        number = rent(dtmf, "webhook", receiver.url)
        dtmf.sandbox.receive(number, "+1234", "cut off")
        receiver.wait_for(1)
    stopped.set()
    assert states(db) == ["waiting"]
    wall.advance(seconds=61)  # its lease expires by the real clock
    with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
        settle(dtmf)
    assert receiver.contents == ["cut off"] * 2
    assert states(db) == ["delivered"]


def test_the_sms_of_a_number_arrive_in_order(dtmf: DTMF, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    ids = [dtmf.sandbox.receive(number, "+1234", f"{n}")["id"] for n in range(20)]
    settle(dtmf)
    assert [posted.json["id"] for posted in receiver.posted] == ids


def test_an_undeliverable_sms_delays_later_ones_by_a_minute_at_most(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    poisoned = True
    receiver.answer = lambda posted: 500 if poisoned and posted.json["content"] == "poison" else 200
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "poison")
    dtmf.sandbox.receive(number, "+1234", "code 123456")
    dtmf.sandbox.advance(59)
    assert set(receiver.contents) == {"poison"}
    dtmf.sandbox.advance(1)
    assert "code 123456" in receiver.contents
    assert states(db) == ["waiting", "delivered"]
    poisoned = False
    dtmf.sandbox.advance(DELAYS_S[2] * (1 + JITTER))
    assert states(db) == ["delivered", "delivered"]
    assert receiver.contents.count("code 123456") == 1


@ON_SQLITE
def test_a_slow_number_does_not_hold_up_another(dtmf: DTMF, receiver: Receiver) -> None:
    first, second = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
    arrived = threading.Event()

    def answer(posted: Posted) -> int:
        if posted.json["e164"] == second:
            arrived.set()
            return 200
        return 200 if arrived.wait(10) else 500

    receiver.answer = answer
    dtmf.sandbox.receive(first, "+1234", "slow")
    dtmf.sandbox.receive(second, "+1234", "quick")
    settle(dtmf)
    assert sorted(receiver.contents) == ["quick", "slow"]


def test_waiting_deliveries_follow_a_changed_url(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    for text in ("one", "two"):
        dtmf.sandbox.receive(number, "+1234", text)
    settle(dtmf)
    with receiving() as moved:
        dtmf.set_sms_action(number, "webhook", moved.url)
        settle(dtmf)
        assert moved.contents == ["one", "two"]
    assert receiver.contents == ["one"]
    assert states(db) == ["delivered", "delivered"]


@ON_SQLITE
@pytest.mark.parametrize(("action", "destination"), [(None, None), ("forward", ELSEWHERE)])
def test_another_action_parks_waiting_deliveries_with_an_event(
    dtmf: DTMF, db: Database, receiver: Receiver, action: Any, destination: str | None
) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "parked")
    settle(dtmf)
    dtmf.set_sms_action(number, action, destination)
    dtmf.sandbox.advance(LIFE_S)
    assert receiver.contents == ["parked"]
    assert states(db) == ["parked"]
    assert len(events(db, "delivery.parked")) == 1
    assert dtmf.sandbox.sent() == []
    assert dtmf.number(number)["messages"][0]["content"] == "parked"


@ON_SQLITE
def test_no_action_stores_only(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf)
    dtmf.sandbox.receive(number, "+1234", "stored")
    settle(dtmf)
    assert deliveries(db) == []
    assert [m["content"] for m in dtmf.number(number)["messages"]] == ["stored"]


@ON_SQLITE
def test_an_ended_rental_still_delivers(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "the last one")
    settle(dtmf)
    assert dtmf.end_rental(number) is True
    receiver.answer = answering(200)
    dtmf.sandbox.advance(DELAYS_S[0] * (1 + JITTER))
    assert receiver.contents == ["the last one"] * 2
    assert states(db) == ["delivered"]


def test_410_disables_the_webhook_with_an_event(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = answering(410)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "gone")
    settle(dtmf)
    assert dtmf.number(number)["sms_forwarded_to"] is None
    (event,) = events(db, "action.disabled")
    assert number in event["data"]
    dtmf.sandbox.receive(number, "+1234", "stored only")
    dtmf.sandbox.advance(LIFE_S)
    assert receiver.contents == ["gone"]
    assert states(db) == ["parked"]
    assert [m["content"] for m in dtmf.number(number)["messages"]] == ["gone", "stored only"]


@ON_SQLITE
@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(dtmf: DTMF, db: Database, receiver: Receiver, status: int) -> None:
    receiver.answer = answering(status)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "stays")
    settle(dtmf)
    assert [(row["state"], row["last_status"]) for row in deliveries(db)] == [("waiting", status)]
    assert len(receiver.posted) == 1


@ON_SQLITE
def test_a_receiver_that_returns_4xx_gets_five_attempts(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = answering(404)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "unreachable")
    settle(dtmf)
    for delay_s in DELAYS_S:
        dtmf.sandbox.advance(delay_s * (1 + JITTER))
    assert len(receiver.posted) == 5
    assert states(db) == ["parked"]
