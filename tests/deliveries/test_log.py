"""The delivery log: every attempt with what came of it, replays, test deliveries, and nobody else's business."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dtmf import DTMF, DTMFError, NotFoundError
from dtmf_server.core.backoff import LIFE_S, PROBE_S
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import retention
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import delivery_log
from dtmf_server.storage.db import Database
from harness import HOUR_US, START_US, FakeWall, give_coins, new_token, open_account
from support.webhook_receiver import Receiver, Reply, receiving
from support.webhook_steps import (
    DAY_S,
    ELSEWHERE,
    HOUR_S,
    ON_SQLITE,
    attempts,
    deliveries,
    events,
    plan_of,
    rent,
    settle,
    states,
)


def at(us: int) -> str:
    """A time of the wire."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def park(dtmf: DTMF, receiver: Receiver, number: str, *texts: str) -> None:
    """SMS whose delivery is given up: the receiver answers 404 five times."""
    receiver.answer = lambda _: 404
    for text in texts:
        dtmf.sandbox.receive(number, "+1234", text)
    for _ in range(12):
        dtmf.sandbox.advance(HOUR_S)
    receiver.answer = lambda _: 200
    receiver.posted.clear()


def test_each_attempt_is_in_the_log_with_time_status_duration_reply_and_reason(dtmf: DTMF, receiver: Receiver) -> None:
    answers = [Reply(500, body=b"out of order\x00\xff" + b"x" * 2000), Reply(0), Reply(201, body=b"taken")]
    receiver.answer = lambda _: answers[len(receiver.posted) - 1]
    number = rent(dtmf, "webhook", receiver.url)
    message = dtmf.sandbox.receive(number, "+1234", "logged")
    settle(dtmf)
    dtmf.sandbox.advance(6)
    (waiting,) = dtmf.deliveries("waiting")
    assert (waiting["finished_at"], waiting["reason"]) == (None, "the receiver closed the connection without an answer")
    assert waiting["next_attempt_at"] == at(START_US + 6_000_000 + PROBE_S * 1_000_000)
    dtmf.sandbox.advance(66)
    (delivery,) = dtmf.deliveries()
    log = delivery.pop("attempts")  # type: ignore[misc]  # what is left is compared as a whole
    assert delivery == {
        "id": delivery["id"],
        "e164": number,
        "kind": "webhook",
        "destination": receiver.url,
        "state": "delivered",
        "message_id": message["id"],
        "created_at": message["timestamp"],
        "next_attempt_at": None,
        "finished_at": at(START_US + 72_000_000),
        "reason": None,
    }
    assert [(a["at"], a["status"], a["reason"]) for a in log] == [
        (at(START_US), 500, "the receiver answered 500"),
        (at(START_US + 6_000_000), None, "the receiver closed the connection without an answer"),
        (at(START_US + 72_000_000), 201, "the receiver answered 201"),
    ]
    assert log[0]["reply"] == "out of order\ufffd\ufffd" + "x" * (1024 - 14)
    assert [a["reply"] for a in log[1:]] == [None, "taken"]
    assert all(0 < a["duration_ms"] < 15_000 for a in log)


def test_one_delivery_is_replayed_whatever_became_of_it_and_its_programme_begins_anew(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    park(dtmf, receiver, number, "given up")
    (parked,) = dtmf.deliveries("parked")
    receiver.answer = lambda _: 404
    again = dtmf.retry_delivery(parked["id"])
    assert (again["id"], again["state"], again["attempts"]) == (parked["id"], "waiting", parked["attempts"])
    settle(dtmf)
    assert states(db) == ["waiting"], "four more refusals before it is parked again"
    receiver.answer = lambda _: 200
    dtmf.sandbox.advance(6)
    assert states(db) == ["delivered"]
    dtmf.retry_delivery(parked["id"])
    settle(dtmf)
    assert receiver.contents == ["given up"] * 3
    (delivered,) = dtmf.deliveries("delivered")
    assert [a["status"] for a in delivered["attempts"]] == [404] * 6 + [200] * 2
    ids = {posted.headers["webhook-id"] for posted in receiver.posted}
    assert len(ids) == 1, "a receiver can't tell a repeat"


def test_a_replay_goes_where_the_webhook_points_now_or_pointed_last(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    park(dtmf, receiver, number, "one", "two")
    with receiving() as new:
        dtmf.set_sms_action(number, "webhook", new.url)
        first, second = dtmf.deliveries("parked")
        assert dtmf.retry_delivery(first["id"])["destination"] == new.url
        assert dtmf.retry_deliveries(datetime(2018, 1, 1, tzinfo=UTC)) == 1
        settle(dtmf)
        assert (new.contents, receiver.contents) == (["one", "two"], [])
        dtmf.set_sms_action(number, None, None)
        dtmf.retry_delivery(second["id"])
        settle(dtmf)
        assert (new.contents, receiver.contents) == (["one", "two", "two"], [])
    assert states(db) == ["delivered"] * 2


def test_all_parked_since_a_time_are_replayed_in_order_and_nothing_else(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "delivered before")
    settle(dtmf)
    park(dtmf, receiver, number, "too early")
    park(dtmf, receiver, number, "one", "two")
    park(dtmf, receiver, rent(dtmf, "webhook", receiver.url), "of another number")
    since = datetime.fromisoformat(list(dtmf.deliveries("parked"))[1]["created_at"])
    assert dtmf.retry_deliveries(since + timedelta(days=300)) == 0
    assert dtmf.retry_deliveries(since) == 3
    settle(dtmf)
    assert sorted(receiver.contents) == ["of another number", "one", "two"]
    assert [text for text in receiver.contents if text in ("one", "two")] == ["one", "two"]
    assert states(db) == ["delivered", "parked", "delivered", "delivered", "delivered"]
    assert dtmf.retry_deliveries(since) == 0


def test_a_test_delivery_is_a_signed_sample_posted_once(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    receiver.answer = lambda _: Reply(500, body=b"not yet")
    queued = dtmf.test_webhook(number)
    assert (queued["kind"], queued["message_id"], queued["attempts"]) == ("test", None, [])
    dtmf.sandbox.advance(LIFE_S)
    (posted,) = receiver.posted
    assert list(posted.json) == ["id", "e164", "sender", "content"]
    assert (posted.json["id"], posted.json["e164"]) == (0, number)
    (tested,) = dtmf.deliveries("parked")
    assert [(a["status"], a["reply"]) for a in tested["attempts"]] == [(500, "not yet")]
    assert events(db, "delivery.parked") == []
    assert dtmf.number(number)["messages"] == []


@ON_SQLITE
def test_a_test_delivery_waits_for_no_sms_and_410_to_it_switches_nothing_off(dtmf: DTMF, receiver: Receiver) -> None:
    receiver.answer = lambda posted: 410 if posted.json["id"] == 0 else 500
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "fails")
    dtmf.test_webhook(number)
    settle(dtmf)
    assert sorted(posted.json["id"] for posted in receiver.posted)[0] == 0
    assert dtmf.number(number)["sms_forwarded_to"] == receiver.url


@ON_SQLITE
def test_a_number_without_a_webhook_has_nothing_to_test(dtmf: DTMF) -> None:
    for action, destination in ((None, None), ("forward", ELSEWHERE)):
        number = rent(dtmf, action, destination)
        with pytest.raises(DTMFError) as refused:
            dtmf.test_webhook(number)
        assert (refused.value.status, refused.value.code) == (409, "no_webhook")
    with pytest.raises(NotFoundError):
        dtmf.test_webhook(ELSEWHERE)


def test_deliveries_are_listed_by_state_number_time_and_page(
    dtmf: DTMF, db: Database, url: str, receiver: Receiver
) -> None:
    import httpx2

    first, second = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
    sms = [InboundMessage((first, second)[n % 2], "+1234", f"{n}") for n in range(130)]
    db.write_blocking(lambda tx: receive_many(tx, sms, now_us=START_US))
    dtmf.sandbox.advance(DAY_S)
    receiver.answer = lambda _: 500
    dtmf.sandbox.receive(first, "+1234", "waits")
    settle(dtmf)
    ids = [row["id"] for row in deliveries(db)]
    assert [d["id"] for d in dtmf.deliveries()] == ids
    assert [d["id"] for d in dtmf.deliveries(after=ids[99])] == ids[100:]
    assert [d["id"] for d in dtmf.deliveries("waiting")] == ids[-1:]
    assert len(list(dtmf.deliveries("delivered"))) == 130
    assert [d["id"] for d in dtmf.deliveries(e164=second)] == ids[1::2]
    assert [d["id"] for d in dtmf.deliveries("delivered", e164=first)] == ids[:-1:2]
    assert list(dtmf.deliveries(e164="+12125559999")) == []
    an_hour_later = datetime.fromtimestamp((START_US + HOUR_US) / 1_000_000, UTC)
    for since in (
        an_hour_later,
        an_hour_later.replace(tzinfo=None),
        an_hour_later.astimezone(timezone(timedelta(hours=5))),
    ):
        assert [d["id"] for d in dtmf.deliveries(since=since)] == ids[-1:]
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {new_token()}"}) as plain:

        def asked(**query: Any) -> list[int]:
            answer = plain.get("/api/v1/deliveries", params=query)
            assert answer.status_code == 200, answer.text
            return [delivery["id"] for delivery in answer.json()]

        assert asked(limit=3, after=ids[0]) == ids[1:4]
        assert asked(since=at(START_US + HOUR_US)) == ids[-1:]
        assert asked(since=at(START_US + HOUR_US) + "+00:00", state="delivered") == []
        for bad in ({"state": "lost"}, {"e164": "1234"}, {"since": "yesterday"}, {"limit": 0}, {"after": -1}):
            assert plain.get("/api/v1/deliveries", params=bad).status_code in (400, 422), bad


def test_what_is_parked_is_found_without_reading_what_is_not(db: Database) -> None:
    plan = plan_of(
        db,
        lambda tx: delivery_log.of_account(tx, 1, state="parked", e164=None, since_us=0, after=0, limit=100),
    )
    assert "ix_deliveries_parked" in plan


def test_one_account_neither_sees_nor_replays_what_is_anothers(
    dtmf: DTMF, db: Database, url: str, receiver: Receiver
) -> None:
    give_coins(db, open_account(db, seed=1), 100_000)
    number = rent(dtmf, "webhook", receiver.url)
    park(dtmf, receiver, number, "mine")
    (mine,) = dtmf.deliveries()
    with DTMF(new_token(1), base_url=url) as other:
        assert list(other.deliveries()) == list(other.deliveries(e164=number)) == []
        for id_ in (mine["id"], 10**6):
            with pytest.raises(NotFoundError):
                other.retry_delivery(id_)
        assert other.retry_deliveries(datetime(2018, 1, 1, tzinfo=UTC)) == 0
        with pytest.raises(NotFoundError):
            other.test_webhook(number)
        assert other.webhook_secret() != dtmf.webhook_secret()
        settle(other)
    assert states(db) == ["parked"]
    assert receiver.posted == []


def test_replies_are_erased_with_the_texts_and_neither_comes_back(
    account: int, db: Database, serve: Callable[..., str], receiver: Receiver
) -> None:
    with DTMF(new_token(), base_url=serve(retention_us=HOUR_US)) as dtmf:
        kept, erased = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
        for number in (kept, erased):
            receiver.answer = lambda posted: Reply(404, body=f"what is {posted.json['content']}?".encode())
            dtmf.sandbox.receive(number, "+1234", "secret")
        settle(dtmf)
        dtmf.end_rental(erased)
        for _ in range(12):
            dtmf.sandbox.advance(HOUR_S)
        of_kept, of_erased = dtmf.deliveries()
        assert [a["reply"] for a in of_kept["attempts"]] == ["what is secret?"] * 5
        assert [a["reply"] for a in of_erased["attempts"]] == [None] * len(of_erased["attempts"])
        kept_replies = [row["reply"] for row in attempts(db) if row["reply"] is not None]
        assert kept_replies == ["what is secret?"] * 5
        with pytest.raises(DTMFError) as refused:
            dtmf.retry_delivery(of_erased["id"])
        assert (refused.value.status, refused.value.code) == (409, "text_erased")
        receiver.answer = lambda _: 200
        assert dtmf.retry_deliveries(datetime(2018, 1, 1, tzinfo=UTC)) == 1


def test_a_reply_that_comes_after_the_texts_were_erased_is_not_kept(
    dtmf: DTMF, db: Database, wall: FakeWall, receiver: Receiver
) -> None:
    erased = threading.Event()
    receiver.answer = lambda _: Reply(500, body=b"secret quoted") if erased.wait(20) else 200
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "secret")
    receiver.wait_for(1)
    dtmf.end_rental(number)
    assert db.write_blocking(lambda tx: retention.erase(tx, now_us=wall(), retention_us=0)) == 1
    erased.set()
    settle(dtmf)
    assert [(row["status"], row["reply"]) for row in attempts(db)] == [(500, None)]
