"""Webhooks and forwards, end to end: the API, the real worker, a receiver on loopback, a clock in our hands."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from deliveries.receiver import refused_port
from harness import FakeWall, give_coins, new_token, open_account, runtime_over, serving
from whole.receiver import Posted, Receiver, receiving

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER, LIFE_S
from dtmf_server.storage.db import Database

ELSEWHERE = "+447911000000"


@pytest.fixture
def account(db: Database) -> int:
    """An account with coins."""
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    return account_id


@pytest.fixture
def dtmf(account: int, url: str) -> Iterator[DTMF]:
    """The account's client."""
    with DTMF(new_token(), base_url=url) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything until told otherwise."""
    with receiving() as started:
        yield started


def rent(dtmf: DTMF, action: str | None = None, destination: str | None = None) -> str:
    """A number that costs nothing by the minute, so that only what a test is about costs something."""
    e164 = dtmf.start_rental("free")["e164"]
    dtmf.set_sms_action(e164, action, destination)  # type: ignore[arg-type]  # a test's string
    return e164


def deliveries(db: Database) -> list[Any]:
    """Every delivery, oldest first."""
    return db.read_now(lambda tx: [dict(row) for row in tx.all("SELECT * FROM deliveries ORDER BY id")])


def states(db: Database) -> list[str]:
    """The state of every delivery, oldest first."""
    return [row["state"] for row in deliveries(db)]


def events(db: Database, kind: str) -> list[Any]:
    """Every event of a kind, oldest first."""
    return db.read_now(lambda tx: [dict(row) for row in tx.all("SELECT * FROM events WHERE kind = :k ORDER BY id", k=kind)])


def answering(status: int) -> Callable[[Posted], int]:
    """An answer that is always this one."""
    return lambda _: status


def settle(dtmf: DTMF) -> None:
    """Returns once nothing is due and nothing is under way."""
    dtmf.sandbox.advance(0)


# --- webhooks ---------------------------------------------------------------------------------------------------


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


def test_a_failing_receiver_is_tried_by_the_schedule_and_parked_after_72_hours(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "late")
    settle(dtmf)
    attempts, elapsed_s = 1, 0.0
    while states(db) == ["waiting"]:
        assert len(receiver.posted) == attempts
        delay_s = DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
        dtmf.sandbox.advance(delay_s - 0.01)
        assert len(receiver.posted) == attempts, "tried before its time"
        dtmf.sandbox.advance(delay_s * JITTER + 0.02)
        attempts, elapsed_s = attempts + 1, elapsed_s + delay_s * (1 + JITTER) + 0.01
        assert len(receiver.posted) == attempts, f"not tried {delay_s} s after attempt {attempts - 1}"
    assert attempts > len(DELAYS_S)
    assert LIFE_S - DELAYS_S[-1] * (1 + JITTER) <= elapsed_s <= LIFE_S
    assert states(db) == ["parked"]
    assert [event["message_id"] for event in events(db, "delivery.parked")] == [deliveries(db)[0]["message_id"]]
    assert dtmf.number(number)["messages"][0]["content"] == "late"


def test_what_a_dead_receiver_missed_reaches_it_in_order_once_it_is_back(dtmf: DTMF, db: Database) -> None:
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


def test_an_attempt_cut_off_by_a_stop_is_made_again(
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
    wall.advance(seconds=61)  # its lease ends by the real clock
    with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
        settle(dtmf)
    assert receiver.contents == ["cut off"] * 2
    assert states(db) == ["delivered"]


def test_the_sms_of_a_number_arrive_in_order(dtmf: DTMF, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    ids = [dtmf.sandbox.receive(number, "+1234", f"{n}")["id"] for n in range(20)]
    settle(dtmf)
    assert [posted.json["id"] for posted in receiver.posted] == ids


def test_a_later_sms_waits_a_minute_at_most_for_one_that_can_not_be_delivered(
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


@pytest.mark.parametrize(("action", "destination"), [(None, None), ("forward", ELSEWHERE)])
def test_another_action_parks_what_waits_and_says_so(
    dtmf: DTMF, db: Database, receiver: Receiver, action: str | None, destination: str | None
) -> None:
    receiver.answer = answering(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "parked")
    settle(dtmf)
    dtmf.set_sms_action(number, action, destination)  # type: ignore[arg-type]  # a test's string
    dtmf.sandbox.advance(LIFE_S)
    assert receiver.contents == ["parked"]
    assert states(db) == ["parked"]
    assert len(events(db, "delivery.parked")) == 1
    assert dtmf.sandbox.sent() == []
    assert dtmf.number(number)["messages"][0]["content"] == "parked"


def test_no_action_stores_only(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf)
    dtmf.sandbox.receive(number, "+1234", "stored")
    settle(dtmf)
    assert deliveries(db) == []
    assert [m["content"] for m in dtmf.number(number)["messages"]] == ["stored"]


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


def test_410_switches_the_webhook_off_with_an_event(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
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


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(dtmf: DTMF, db: Database, receiver: Receiver, status: int) -> None:
    receiver.answer = answering(status)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "stays")
    settle(dtmf)
    assert [(row["state"], row["last_status"]) for row in deliveries(db)] == [("waiting", status)]
    assert len(receiver.posted) == 1


def test_a_receiver_that_says_4xx_is_left_alone_after_five_attempts(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = answering(404)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "nobody home")
    settle(dtmf)
    for delay_s in DELAYS_S:
        dtmf.sandbox.advance(delay_s * (1 + JITTER))
    assert len(receiver.posted) == 5
    assert states(db) == ["parked"]


# --- forwards ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["+1234", "MyBank", "40404"])
def test_a_forward_says_whom_it_is_from_is_charged_and_is_a_sent_message(dtmf: DTMF, sender: str) -> None:
    number = rent(dtmf, "forward", ELSEWHERE)
    balance = dtmf.account()["balance"]
    dtmf.sandbox.receive(number, sender, "hello")
    settle(dtmf)
    text = f"From {sender}: hello"
    assert dtmf.sandbox.sent() == [{"from": number, "to": ELSEWHERE, "content": text}]
    received, sent = dtmf.number(number)["messages"]
    assert (received["from"], received["to"], received["content"]) == (sender, number, "hello")
    assert (sent["from"], sent["to"], sent["content"]) == (number, ELSEWHERE, text)
    assert (sent["success"], sent["cost"]) == (True, 1000)
    assert dtmf.account()["balance"] == balance - 1000
    assert [t["amount"] for t in dtmf.transactions() if t["kind"] == "message_sent"] == [-1000]


def test_a_long_forward_is_charged_by_the_segment(dtmf: DTMF) -> None:
    number = rent(dtmf, "forward", ELSEWHERE)
    dtmf.sandbox.receive(number, "+1234", "x" * 150)  # one segment as it came, two with `From +1234: ` before it
    settle(dtmf)
    assert dtmf.number(number)["messages"][1]["cost"] == 2000


def test_two_numbers_that_forward_to_each_other_do_not_loop(dtmf: DTMF, db: Database) -> None:
    first, second = rent(dtmf), rent(dtmf)
    dtmf.set_sms_action(first, "forward", second)
    dtmf.set_sms_action(second, "forward", first)
    dtmf.sandbox.receive(first, "+1234", "round")
    settle(dtmf)
    dtmf.sandbox.advance(3600)
    assert [m["content"] for m in dtmf.number(first)["messages"]] == ["round", "From +1234: round"]
    assert [m["content"] for m in dtmf.number(second)["messages"]] == ["From +1234: round"]
    assert states(db) == ["delivered", "parked"]
    assert "forwarded" in deliveries(db)[1]["reason"]


def test_a_ring_through_two_accounts_does_not_loop(dtmf: DTMF, db: Database, url: str) -> None:
    give_coins(db, open_account(db, seed=1), 100_000)
    with DTMF(new_token(1), base_url=url) as other:
        first, second = rent(dtmf), rent(other)
        dtmf.set_sms_action(first, "forward", second)
        other.set_sms_action(second, "forward", first)
        dtmf.sandbox.receive(first, "+1234", "round")
        settle(dtmf)
        settle(dtmf)
        assert len(dtmf.number(first)["messages"]) == 2
        assert len(other.number(second)["messages"]) == 1
        assert other.sandbox.sent() == []
        assert other.account() == {"balance": 100_000}


def test_a_reply_to_a_forward_is_forwarded_like_any_sms(dtmf: DTMF) -> None:
    first, second = rent(dtmf), rent(dtmf)
    dtmf.set_sms_action(first, "forward", second)
    dtmf.set_sms_action(second, "forward", ELSEWHERE)
    dtmf.send_message(first, second, "From +1234: typed by a person")
    settle(dtmf)
    settle(dtmf)
    assert dtmf.sandbox.sent()[-1]["to"] == ELSEWHERE


def test_a_forward_that_can_not_be_paid_is_parked_and_the_sms_kept(db: Database, url: str) -> None:
    open_account(db)
    with DTMF(new_token(), base_url=url) as dtmf:
        number = rent(dtmf, "forward", ELSEWHERE)
        dtmf.sandbox.receive(number, "+1234", "no money")
        settle(dtmf)
        assert [m["content"] for m in dtmf.number(number)["messages"]] == ["no money"]
        assert dtmf.sandbox.sent() == []
        assert dtmf.account() == {"balance": 0}
    (delivery,) = deliveries(db)
    assert delivery["state"] == "parked"
    assert "1000 satoshis" in delivery["reason"]
    assert len(events(db, "delivery.parked")) == 1


@pytest.mark.parametrize(("destination", "state"), [("+15005550001", "parked"), ("+15005550002", "delivered")])
def test_a_forward_the_carrier_refuses_for_good_is_refunded_once(
    dtmf: DTMF, db: Database, destination: str, state: str
) -> None:
    number = rent(dtmf, "forward", destination)
    dtmf.sandbox.receive(number, "+1234", "refused")
    settle(dtmf)
    wait_for_status(dtmf, number, success=False)
    received, sent = dtmf.number(number)["messages"]
    assert (received["content"], received["success"]) == ("refused", True)
    assert (sent["success"], sent["cost"]) == (False, 0)
    assert dtmf.account() == {"balance": 100_000}
    moved = [(t["kind"], t["amount"]) for t in dtmf.transactions() if t["kind"].startswith("message_")]
    assert moved == [("message_sent", -1000), ("message_refunded", 1000)]
    assert states(db) == [state]


def wait_for_status(dtmf: DTMF, number: str, *, success: bool) -> None:
    """Returns once the carrier's receipt has come: it comes by itself, after the SMS was taken."""
    for _ in range(500):
        if dtmf.number(number)["messages"][-1]["success"] is success:
            return
    raise AssertionError("no receipt came")


def test_a_busy_carrier_is_asked_again_and_charged_once(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf, "forward", "+15005550003")
    dtmf.sandbox.receive(number, "+1234", "later")
    settle(dtmf)
    assert dtmf.number(number)["messages"][1]["success"] is None
    for delay_s in DELAYS_S[:2]:
        dtmf.sandbox.advance(delay_s * (1 + JITTER))
    assert dtmf.number(number)["messages"][1]["success"] is True
    assert dtmf.account() == {"balance": 99_000}
    assert states(db) == ["delivered"]
    assert deliveries(db)[0]["attempts"] == 3


def test_a_forward_waits_for_nothing_but_its_own_number(dtmf: DTMF) -> None:
    busy, free = rent(dtmf, "forward", "+15005550003"), rent(dtmf, "forward", ELSEWHERE)
    dtmf.sandbox.receive(busy, "+1234", "waits")
    dtmf.sandbox.receive(free, "+1234", "leaves")
    settle(dtmf)
    assert [sms["content"] for sms in dtmf.sandbox.sent()] == ["From +1234: leaves"]
