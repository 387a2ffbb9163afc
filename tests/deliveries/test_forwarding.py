"""Forwards in the log, rings of them, and what a deposit makes good: the basics are in tests/end_to_end/test_forwards.py."""

import re
from collections.abc import Callable

import pytest

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER
from dtmf_server.storage import messages
from dtmf_server.storage.db import Database
from harness import give_coins, new_token, open_account
from support.webhook_steps import DAY_S, ELSEWHERE, HOUR_S, ON_SQLITE, events, plan_of, rent, settle, states

REFUSED_FOR_GOOD, BUSY_TWICE = "+15005550001", "+15005550003"


def settle_twice(dtmf: DTMF) -> None:
    """What a forward brings to a number of ours is due only once it is there."""
    settle(dtmf)
    settle(dtmf)


def test_a_ring_of_three_numbers_ends_after_one_hop_and_is_charged_once(dtmf: DTMF, db: Database) -> None:
    ring = [rent(dtmf) for _ in range(3)]
    for number, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        dtmf.set_sms_action(number, "forward", following)
    dtmf.sandbox.receive(ring[0], "+1234", "round and round")
    settle_twice(dtmf)
    dtmf.sandbox.advance(DAY_S)
    assert [len(dtmf.number(number)["messages"]) for number in ring] == [2, 1, 0]
    assert states(db) == ["delivered", "parked"]
    assert dtmf.account() == {"balance": 99_000}
    (parked,) = dtmf.deliveries("parked")
    assert (parked["kind"], parked["reason"]) == ("forward", "a forwarded SMS is not forwarded again")


def test_a_forward_of_a_forward_stays_refused_however_late_it_is_replayed(dtmf: DTMF, db: Database) -> None:
    first, second = rent(dtmf), rent(dtmf, "forward", ELSEWHERE)
    dtmf.set_sms_action(first, "forward", second)
    dtmf.sandbox.receive(first, "+1234", "once")
    settle_twice(dtmf)
    (parked,) = dtmf.deliveries("parked")
    dtmf.sandbox.advance(3 * DAY_S)
    dtmf.retry_delivery(parked["id"])
    settle(dtmf)
    assert states(db) == ["delivered", "parked"]
    assert [sms["to"] for sms in dtmf.sandbox.sent()] == [second]


def test_whether_an_sms_is_a_forward_come_back_is_asked_of_no_other_forwards(db: Database) -> None:
    """The plan, not the time: all that was ever forwarded would be read for each SMS that is to be."""
    plan = plan_of(db, lambda tx: messages.is_forward(tx, sender="+1234", recipient=ELSEWHERE, content="x", since_us=0))
    assert "ix_messages_forwarded" in plan
    assert re.search(r"recipient=\? AND sender=\? AND at_us>\?|recipient = .*sender = .*at_us > ", plan)


@ON_SQLITE
def test_the_same_text_typed_again_days_later_is_forwarded(dtmf: DTMF) -> None:
    first, second = rent(dtmf), rent(dtmf)
    dtmf.set_sms_action(first, "forward", second)
    dtmf.sandbox.receive(first, "+1234", "hello")
    settle(dtmf)
    dtmf.set_sms_action(first, None, None)
    dtmf.set_sms_action(second, "forward", ELSEWHERE)
    dtmf.sandbox.advance(2 * DAY_S)
    dtmf.send_message(first, second, "From +1234: hello")
    settle_twice(dtmf)
    assert dtmf.sandbox.sent()[-1]["to"] == ELSEWHERE


@ON_SQLITE
def test_a_number_can_not_be_set_to_forward_to_itself(dtmf: DTMF) -> None:
    number = rent(dtmf)
    with pytest.raises(ValueError, match="itself"):
        dtmf.set_sms_action(number, "forward", number)
    assert dtmf.number(number)["sms_forwarded_to"] is None


def test_a_forward_without_money_is_parked_and_leaves_once_it_is_replayed_after_a_deposit(
    db: Database, url: str
) -> None:
    account_id = open_account(db)
    with DTMF(new_token(), base_url=url) as dtmf:
        number = rent(dtmf, "forward", ELSEWHERE)
        dtmf.sandbox.receive(number, "+1234", "x" * 150)
        settle(dtmf)
        (parked,) = dtmf.deliveries("parked")
        assert "2000 satoshis" in (parked["reason"] or "")
        assert len(events(db, "delivery.parked")) == 1
        dtmf.retry_delivery(parked["id"])
        settle(dtmf)
        assert states(db) == ["parked"], "nothing has changed"
        give_coins(db, account_id, 2_500)
        for _ in range(2):  # the second time there is nothing left to do, and nothing to pay
            dtmf.retry_delivery(parked["id"])
            settle(dtmf)
            assert states(db) == ["delivered"]
            assert dtmf.account() == {"balance": 500}
        assert dtmf.sandbox.sent() == [{"from": number, "to": ELSEWHERE, "content": f"From +1234: {'x' * 150}"}]


def test_a_forward_refused_for_good_is_refunded_said_in_the_log_and_never_charged_again(
    dtmf: DTMF, db: Database
) -> None:
    number = rent(dtmf, "forward", REFUSED_FOR_GOOD)
    message = dtmf.sandbox.receive(number, "+1234", "refused")
    settle(dtmf)
    (parked,) = dtmf.deliveries("parked")
    assert (parked["kind"], parked["destination"], parked["message_id"]) == ("forward", REFUSED_FOR_GOOD, message["id"])
    (attempt,) = parked["attempts"]
    assert (attempt["status"], attempt["reason"]) == (None, "the carrier does not know this number")
    dtmf.retry_delivery(parked["id"])
    settle(dtmf)
    assert states(db) == ["parked"]
    sent = dtmf.number(number)["messages"][1]
    assert (sent["from"], sent["to"], sent["success"], sent["cost"]) == (number, REFUSED_FOR_GOOD, False, 0)
    assert dtmf.account() == {"balance": 100_000}


@ON_SQLITE
def test_a_busy_carrier_is_tried_again_and_each_attempt_is_in_the_log(dtmf: DTMF) -> None:
    number = rent(dtmf, "forward", BUSY_TWICE)
    dtmf.sandbox.receive(number, "+1234", "patience")
    settle(dtmf)
    assert dtmf.number(number)["messages"][1]["success"] is None, "on its way"
    for delay_s in DELAYS_S[:2]:
        dtmf.sandbox.advance(delay_s * (1 + JITTER))
    (delivery,) = dtmf.deliveries("delivered")
    assert [attempt["reason"] for attempt in delivery["attempts"]] == [
        "the carrier is busy",
        "the carrier is busy",
        "the carrier took it",
    ]
    assert dtmf.account() == {"balance": 99_000}


def test_a_forward_that_was_never_charged_for_is_replayed_to_the_number_of_now(dtmf: DTMF, db: Database) -> None:
    db.write_blocking(lambda tx: tx.run("UPDATE destinations SET prefix = '44'"))
    number = rent(dtmf, "forward", "+33612345678")
    dtmf.sandbox.receive(number, "+1234", "no carrier goes there")
    settle(dtmf)
    (parked,) = dtmf.deliveries("parked")
    assert parked["reason"] == "no carrier here sends to +33612345678"
    dtmf.set_sms_action(number, "forward", ELSEWHERE)
    assert dtmf.retry_delivery(parked["id"])["destination"] == ELSEWHERE
    settle(dtmf)
    assert [sms["to"] for sms in dtmf.sandbox.sent()] == [ELSEWHERE]
    assert states(db) == ["delivered"]


def test_a_forward_that_was_charged_for_goes_where_it_was_charged_for_and_the_log_says_so(
    dtmf: DTMF, db: Database
) -> None:
    number = rent(dtmf, "forward", BUSY_TWICE)
    dtmf.sandbox.receive(number, "+1234", "charged for")
    settle(dtmf)
    dtmf.set_sms_action(number, "forward", ELSEWHERE)
    dtmf.sandbox.receive(number, "+1234", "behind it")
    settle(dtmf)
    assert states(db) == ["waiting", "delivered"]
    for _ in range(3):
        dtmf.sandbox.advance(HOUR_S)
    assert states(db) == ["delivered"] * 2
    assert [delivery["destination"] for delivery in dtmf.deliveries()] == [BUSY_TWICE, ELSEWHERE]
    assert [sms["to"] for sms in sorted(dtmf.sandbox.sent(), key=lambda sms: sms["content"])] == [ELSEWHERE, BUSY_TWICE]
    dtmf.retry_delivery(next(iter(dtmf.deliveries()))["id"])
    settle(dtmf)
    assert [delivery["destination"] for delivery in dtmf.deliveries()] == [BUSY_TWICE, ELSEWHERE]
    assert dtmf.account() == {"balance": 98_000}


@ON_SQLITE
def test_a_forward_over_the_daily_limit_is_parked_uncharged_and_leaves_on_another_day(
    account: int, db: Database, serve: Callable[..., str]
) -> None:
    with DTMF(new_token(), base_url=serve(daily_limit=1)) as dtmf:
        number = rent(dtmf, "forward", ELSEWHERE)
        for text in ("first", "second"):
            dtmf.sandbox.receive(number, "+1234", text)
        settle(dtmf)
        (parked,) = dtmf.deliveries("parked")
        assert "1 messages within 24 hours" in (parked["reason"] or "")
        assert dtmf.account() == {"balance": 99_000}
        dtmf.sandbox.advance(DAY_S + 1)
        dtmf.retry_delivery(parked["id"])
        settle(dtmf)
        assert [sms["content"] for sms in dtmf.sandbox.sent()] == ["From +1234: first", "From +1234: second"]
    assert states(db) == ["delivered"] * 2


@ON_SQLITE
def test_a_forward_with_emoji_is_charged_for_the_segments_that_it_takes(dtmf: DTMF) -> None:
    number = rent(dtmf, "forward", ELSEWHERE)
    dtmf.sandbox.receive(number, "+1234", "\U0001f642" * 30)  # 60 code units, 72 with `From +1234: ` before it
    settle(dtmf)
    assert dtmf.account() == {"balance": 98_000}


def test_a_forward_that_was_charged_for_is_sent_after_its_rental_has_ended(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf, "forward", BUSY_TWICE)
    for text in ("busy", "beside it"):
        dtmf.sandbox.receive(number, "+1234", text)
    settle(dtmf)
    dtmf.end_rental(number)
    for _ in range(2):
        dtmf.sandbox.advance(DAY_S)
    assert states(db) == ["delivered", "delivered"]
    assert dtmf.account() == {"balance": 98_000}


@ON_SQLITE
def test_a_forward_whose_rental_has_ended_before_it_began_is_parked_unpaid(
    account: int, db: Database, serve: Callable[..., str]
) -> None:
    with DTMF(new_token(), base_url=serve(daily_limit=0)) as dtmf:
        number = rent(dtmf, "forward", ELSEWHERE)
        dtmf.sandbox.receive(number, "+1234", "not today")
        settle(dtmf)
        dtmf.end_rental(number)
        (parked,) = dtmf.deliveries("parked")
        dtmf.retry_delivery(parked["id"])
        settle(dtmf)
        (parked,) = dtmf.deliveries("parked")
        assert "ended" in (parked["reason"] or "")
        assert dtmf.account() == {"balance": 100_000}


def test_a_sent_message_is_in_the_same_log(dtmf: DTMF) -> None:
    number = rent(dtmf)
    message = dtmf.send_message(number, ELSEWHERE, "sent by hand")
    settle(dtmf)
    (delivery,) = dtmf.deliveries()
    assert (delivery["kind"], delivery["destination"], delivery["message_id"], delivery["state"]) == (
        "send",
        ELSEWHERE,
        message["id"],
        "delivered",
    )
