"""Forwards, end to end: the API, the real worker, and the simulated carrier with its failing numbers."""

import pytest

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER
from dtmf_server.storage.db import Database
from harness import give_coins, new_token, open_account
from support.inspect import ELSEWHERE, ON_SQLITE, deliveries, events, rent, settle, states


@ON_SQLITE
@pytest.mark.parametrize("sender", ["+1234", "MyBank", "40404"])
def test_a_forward_names_its_sender_is_charged_and_is_a_sent_message(dtmf: DTMF, sender: str) -> None:
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


@ON_SQLITE
def test_a_long_forward_is_charged_per_segment(dtmf: DTMF) -> None:
    number = rent(dtmf, "forward", ELSEWHERE)
    dtmf.sandbox.receive(number, "+1234", "x" * 150)  # one segment as received, two with the prefix `From +1234: `
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


@ON_SQLITE
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


@ON_SQLITE
def test_a_reply_to_a_forward_is_forwarded_like_any_sms(dtmf: DTMF) -> None:
    first, second = rent(dtmf), rent(dtmf)
    dtmf.set_sms_action(first, "forward", second)
    dtmf.set_sms_action(second, "forward", ELSEWHERE)
    dtmf.send_message(first, second, "From +1234: typed by a person")
    settle(dtmf)
    settle(dtmf)
    assert dtmf.sandbox.sent()[-1]["to"] == ELSEWHERE


@ON_SQLITE
def test_an_unaffordable_forward_is_parked_and_the_sms_is_stored(db: Database, url: str) -> None:
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
def test_a_forward_that_the_carrier_rejects_permanently_is_refunded_once(
    dtmf: DTMF, db: Database, destination: str, state: str
) -> None:
    number = rent(dtmf, "forward", destination)
    dtmf.sandbox.receive(number, "+1234", "refused")
    settle(dtmf)
    received, sent = dtmf.number(number)["messages"]
    assert (received["content"], received["success"]) == ("refused", True)
    assert (sent["success"], sent["cost"]) == (False, 0)
    assert dtmf.account() == {"balance": 100_000}
    moved = [(t["kind"], t["amount"]) for t in dtmf.transactions() if t["kind"].startswith("message_")]
    assert moved == [("message_sent", -1000), ("message_refunded", 1000)]
    assert states(db) == [state]


def test_the_result_of_an_sms_is_known_when_the_clock_call_returns(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf)
    for _ in range(20):
        dtmf.send_message(number, ELSEWHERE, "there")
        dtmf.send_message(number, "+15005550002", "unreachable")
    settle(dtmf)
    statuses = [message["status"] for message in dtmf.messages(number)]
    assert statuses == ["delivered", "failed"] * 20
    assert len(events(db, "message.status")) == 80, "each was sent first"


@ON_SQLITE
def test_a_submit_to_a_busy_carrier_is_retried_and_charged_once(dtmf: DTMF, db: Database) -> None:
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


@ON_SQLITE
def test_a_forward_only_waits_for_its_own_number(dtmf: DTMF) -> None:
    busy, free = rent(dtmf, "forward", "+15005550003"), rent(dtmf, "forward", ELSEWHERE)
    dtmf.sandbox.receive(busy, "+1234", "waits")
    dtmf.sandbox.receive(free, "+1234", "leaves")
    settle(dtmf)
    assert [sms["content"] for sms in dtmf.sandbox.sent()] == ["From +1234: leaves"]
