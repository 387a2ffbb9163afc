"""A receiver that is down is found to be back within a minute, and what waits for it keeps its programme meanwhile."""

import pytest

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER, LIFE_S, PROBE_S
from dtmf_server.storage.db import Database
from dtmf_server.storage.delivery_log import FIRST_KEPT, LAST_KEPT
from support.webhook_receiver import Receiver, Reply, receiving
from support.webhook_steps import DAY_S, HOUR_S, MINUTE_S, ON_SQLITE, deliveries, events, rent, settle, states

LATE = 1 + JITTER


def seconds(dtmf: DTMF, count: int) -> None:
    """Lets so many seconds pass one by one, so that each attempt is made at its time."""
    for _ in range(count):
        dtmf.sandbox.advance(1)


def test_all_that_waits_is_delivered_within_a_minute_of_the_receivers_return_however_long_it_was_down(
    dtmf: DTMF, db: Database
) -> None:
    with receiving(down=True) as receiver:
        numbers = [rent(dtmf, "webhook", receiver.url) for _ in range(3)]
        for number in numbers:
            for text in ("one", "two"):
                dtmf.sandbox.receive(number, "+1234", text)
        dtmf.sandbox.advance(DAY_S)
        seconds(dtmf, 70)
        receiver.bring_up()
        seconds(dtmf, MINUTE_S)
        assert states(db) == ["delivered"] * 6
        for number in numbers:
            assert sorted(p.json["content"] for p in receiver.posted if p.json["e164"] == number) == ["one", "two"]


@pytest.mark.parametrize("status", [0, 302, 408, 425, 429, 500, 502, 503])
@ON_SQLITE
def test_of_all_that_waits_for_a_receiver_that_is_down_only_the_oldest_is_tried_early(
    dtmf: DTMF, db: Database, receiver: Receiver, status: int
) -> None:
    def oldest_has_a_lead() -> bool:
        oldest_us, *others_us = (row["due_at_us"] for row in deliveries(db))
        return min(others_us) - oldest_us > 10 * PROBE_S * 1_000_000

    receiver.answer = lambda _: status
    for text in ("oldest", "second", "third"):
        dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", text)
    for delay_s in DELAYS_S[:5]:
        dtmf.sandbox.advance(delay_s * LATE)
    while not oldest_has_a_lead():  # of those under way together, who failed first was the oldest: others lag behind
        dtmf.sandbox.advance(PROBE_S)
    before = len(receiver.posted)
    for _ in range(10):
        dtmf.sandbox.advance(PROBE_S)
    assert receiver.contents[before:] == ["oldest"] * 10


@pytest.mark.parametrize(
    "answer", [Reply(404), Reply(503, {"Retry-After": "36000"}), Reply(429, {"Retry-After": "36000"})]
)
@ON_SQLITE
def test_a_receiver_that_refuses_or_asks_for_rest_is_not_tried_early(
    dtmf: DTMF, receiver: Receiver, answer: Reply
) -> None:
    receiver.answer = lambda _: answer
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    for delay_s in DELAYS_S[:3]:
        dtmf.sandbox.advance(delay_s * LATE)
    before = len(receiver.posted)
    for _ in range(6):
        dtmf.sandbox.advance(PROBE_S)
    assert len(receiver.posted) == before


@ON_SQLITE
def test_an_outage_takes_none_of_the_five_attempts_after_which_a_refusal_parks(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 502
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    for _ in range(30):
        dtmf.sandbox.advance(PROBE_S)
    receiver.answer = lambda _: 404  # the proxy is back before what stands behind it
    dtmf.sandbox.advance(10 * MINUTE_S)
    assert states(db) == ["waiting"]
    receiver.answer = lambda _: 200
    dtmf.sandbox.advance(30 * MINUTE_S * LATE)
    assert states(db) == ["delivered"]


@ON_SQLITE
def test_who_is_tried_early_is_tried_for_72_hours_all_the_same_and_the_next_takes_over(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    first, second = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(first, "+1234", "first")
    dtmf.sandbox.advance(HOUR_S)
    dtmf.sandbox.receive(second, "+1234", "second")
    dtmf.sandbox.advance(LIFE_S - HOUR_S - 1)
    assert states(db) == ["waiting"] * 2
    dtmf.sandbox.advance(PROBE_S)
    assert states(db) == ["parked", "waiting"]
    before = len(receiver.posted)
    for _ in range(4):
        dtmf.sandbox.advance(PROBE_S)
    assert receiver.contents[before:] == ["second"] * 4
    dtmf.sandbox.advance(HOUR_S)
    assert states(db) == ["parked"] * 2
    assert len(events(db, "delivery.parked")) == 2


@ON_SQLITE
def test_an_sms_that_is_tried_early_moves_to_a_new_url_with_the_others_and_starts_anew_when_replayed(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    number = rent(dtmf, "webhook", receiver.url)
    for text in ("one", "two"):
        dtmf.sandbox.receive(number, "+1234", text)
    for _ in range(10):
        dtmf.sandbox.advance(PROBE_S)
    row = deliveries(db)[0]
    assert row["attempts"] - row["attempts_before"] < row["attempts"]
    dtmf.retry_delivery(row["id"])
    settle(dtmf)
    row = deliveries(db)[0]
    assert row["attempts"] - row["attempts_before"] == 1
    with receiving() as moved:
        dtmf.set_sms_action(number, "webhook", moved.url)
        settle(dtmf)
        assert moved.contents == ["one", "two"]
    assert states(db) == ["delivered"] * 2


@ON_SQLITE
def test_forwards_and_tests_are_not_tried_early(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.test_webhook(number)
    settle(dtmf)
    dtmf.sandbox.advance(DAY_S)
    assert len(receiver.posted) == 1
    assert states(db) == ["parked"]


def test_the_log_of_a_delivery_that_nobody_takes_keeps_its_first_attempts_and_its_last(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "text")
    settle(dtmf)
    for _ in range(FIRST_KEPT + LAST_KEPT + 5):
        dtmf.sandbox.advance(PROBE_S)
    receiver.answer = lambda _: 200
    dtmf.sandbox.advance(PROBE_S)
    (delivery,) = dtmf.deliveries()
    at = [attempt["at"] for attempt in delivery["attempts"]]
    assert at == sorted(at)
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500] * (FIRST_KEPT + LAST_KEPT - 1) + [200]
    assert deliveries(db)[0]["attempts"] > FIRST_KEPT + LAST_KEPT + 5
    assert delivery["attempts"][0]["at"] == delivery["created_at"]
