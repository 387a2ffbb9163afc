"""What a renter does while an attempt is under way neither loses an SMS, nor doubles it, nor hides the attempt."""

import asyncio
import threading

import pytest

from dtmf import DTMF
from dtmf_server.core.money import SATS_MAX
from dtmf_server.operations.close_account import close_account
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from dtmf_server.webhooks.client import WebhookClient
from dtmf_server.workers import delivery_worker
from dtmf_server.workers.adaptive_concurrency import START
from dtmf_server.workers.delivery_worker import LEASE_LEFT_US, LEASE_US
from harness import START_US, FakeWall
from support.webhook_receiver import Posted, Receiver
from support.webhook_steps import (
    ELSEWHERE,
    HOUR_S,
    attempts,
    deliveries,
    delivering,
    events,
    receive,
    rent,
    rent_now,
    settle,
    states,
)


@pytest.fixture(autouse=True)
def _woken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nobody looks again after a while: whatever is to be done has to wake who does it."""
    monkeypatch.setattr(delivery_worker, "POLL_INTERVAL_S", 3600.0)


def test_a_replay_while_it_is_under_way_posts_nothing_twice(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    def answer(_: Posted) -> int:
        for _ in range(2):
            assert dtmf.retry_delivery(deliveries(db)[0]["id"])["state"] == "waiting"
        return 200

    receiver.answer = answer
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    assert states(db) == ["delivered"]
    assert [row["status"] for row in attempts(db)] == [200]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_replay_while_it_is_under_way_is_tried_again_at_once_if_that_fails(
    dtmf: DTMF, db: Database, receiver: Receiver, status: int
) -> None:
    def answer(_: Posted) -> int:
        if len(receiver.posted) > 1:
            return 200
        dtmf.retry_delivery(deliveries(db)[0]["id"])
        return status

    receiver.answer = answer
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    assert states(db) == ["delivered"]
    assert [row["status"] for row in attempts(db)] == [status, 200]


def test_a_replay_while_the_last_attempt_of_a_refused_sms_is_under_way_does_not_park_it(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 404
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    for _ in range(3):
        dtmf.sandbox.advance(7200)
    assert states(db) == ["waiting"]

    def answer(_: Posted) -> int:
        dtmf.retry_delivery(deliveries(db)[0]["id"])
        receiver.answer = lambda _: 200
        return 404

    receiver.answer = answer
    dtmf.sandbox.advance(7200)
    assert states(db) == ["delivered"]
    assert [row["status"] for row in attempts(db)] == [404, 404, 404, 404, 404, 200]
    assert events(db, "delivery.parked") == []


def test_a_replay_of_what_is_held_and_then_given_back_is_delivered_and_logged_once(
    dtmf: DTMF, db: Database, wall: FakeWall, receiver: Receiver
) -> None:
    go = threading.Event()
    receiver.answer = lambda _: 200 if go.wait(20) else 500
    numbers = [rent(dtmf, "webhook", receiver.url) for _ in range(START + 2)]
    for number in numbers:
        dtmf.sandbox.receive(number, "+1234", number)
    receiver.wait_for(START)
    for delivery in dtmf.deliveries():
        dtmf.retry_delivery(delivery["id"])
    wall.advance(us=LEASE_US - LEASE_LEFT_US + 1)  # what is held has too little of its lease left
    go.set()
    settle(dtmf)
    assert states(db) == ["delivered"] * len(numbers)
    assert sorted(receiver.contents) == sorted(numbers)
    assert [(row["attempt"], row["status"]) for row in attempts(db)] == [(1, 200)] * len(numbers)


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (500, "parked"), (404, "parked"), (410, "parked")])
@pytest.mark.parametrize(("action", "destination"), [(None, None), ("forward", ELSEWHERE)])
def test_another_action_while_it_is_under_way_parks_what_does_not_arrive_and_the_log_has_the_attempt(
    dtmf: DTMF, db: Database, receiver: Receiver, status: int, state: str, action: str | None, destination: str | None
) -> None:
    number = rent(dtmf, "webhook", receiver.url)

    def answer(_: Posted) -> int:
        dtmf.set_sms_action(number, action, destination)  # type: ignore[call-overload]  # one call for both actions
        return status

    receiver.answer = answer
    dtmf.sandbox.receive(number, "+1234", "text")
    looks = iter(range(2000))
    while not attempts(db):  # nothing is due or held any more, so nothing else waits for the attempt's end
        assert next(looks, None) is not None, "the attempt was not written down"
        settle(dtmf)
    assert states(db) == [state]
    assert [row["status"] for row in attempts(db)] == [status]
    assert dtmf.number(number)["sms_forwarded_to"] == destination
    receiver.answer = lambda _: 200
    dtmf.set_sms_action(number, "webhook", receiver.url)
    dtmf.sandbox.advance(86_400)
    assert states(db) == [state], "what is parked waits for a replay"
    dtmf.retry_delivery(deliveries(db)[0]["id"])
    settle(dtmf)
    assert states(db) == ["delivered"]


async def test_of_an_attempt_under_way_when_its_account_is_deleted_only_that_it_was_made_is_kept(
    account: int, db: Database, runtime: Runtime
) -> None:
    asked, go = threading.Event(), threading.Event()

    def look_up(_: str) -> list[str]:
        asked.set()
        go.wait(20)
        return []

    number = rent_now(runtime, account, "https://whose.example.org/")
    async with delivering(runtime, WebhookClient(sandbox=True, lookup=look_up)):
        await receive(runtime, (number, "text"))
        await asyncio.to_thread(asked.wait, 20)
        await runtime.db.write(
            lambda tx: close_account(tx, account, given_up_max=SATS_MAX, now_us=START_US, wall_us=START_US)
        )
        attempted = runtime.db.wakeups.listen("attempted")
        go.set()
        await asyncio.wait_for(attempted.wait(), 20)
    assert [(row["attempt"], row["reason"], row["reply"]) for row in attempts(db)] == [(1, "", None)]
    assert [(row["state"], row["destination"]) for row in deliveries(db)] == [("parked", "")]


def test_an_sms_whose_text_was_erased_meanwhile_is_parked_and_not_posted(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    posted = len(receiver.posted)
    db.write_blocking(lambda tx: tx.run("UPDATE messages SET content = NULL"))
    dtmf.sandbox.advance(HOUR_S)
    assert (states(db), len(receiver.posted)) == (["parked"], posted)
    (delivery,) = dtmf.deliveries()
    assert delivery["reason"] == "its text was erased before it could be delivered"
    assert len(events(db, "delivery.parked")) == 1
