"""The account's own webhook: `balance.low` goes there by the outbox, signed, retried, logged and replayed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dtmf import DTMF, InvalidRequestError, webhook
from dtmf_server.core.backoff import DELAYS_S
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database
from harness import Group, give_coins, initialise, open_account
from support.webhook_receiver import Receiver, receiving
from support.webhook_steps import DAY_S, HOUR_S, events, settle, states

PRICED = Group("priced", "local", "A satoshi a minute", "xx", rental_cost_per_minute=1, cost_per_inbound_message=0)
LATE = 1.2


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open database with numbers that cost a satoshi a minute."""
    database = open_database(database_url)
    initialise(database, {PRICED: ["+12125550100", "+12125550101"]})
    yield database
    database.close()


@pytest.fixture
def account(db: Database) -> int:
    """An account with two days of money for one number."""
    account_id = open_account(db)
    give_coins(db, account_id, 2 * 1440)
    return account_id


@pytest.fixture
def renter(dtmf: DTMF, receiver: Receiver) -> DTMF:
    """Its client, a number rented and the webhook set."""
    dtmf.start_rental("priced")
    assert dtmf.account_webhook() is None
    assert dtmf.set_account_webhook(receiver.url) is True
    assert dtmf.account_webhook() == receiver.url
    return dtmf


def always(status: int) -> Any:
    """The answers of a receiver that always answers the same."""
    return lambda _: status


def log(dtmf: DTMF) -> list[Any]:
    """The delivery log."""
    return list(dtmf.deliveries())


def test_a_replayed_warning_goes_to_the_webhook_of_now(renter: DTMF, receiver: Receiver) -> None:
    receiver.answer = always(404)
    for _ in range(10):
        renter.sandbox.advance(DAY_S / 3)
    assert {delivery["state"] for delivery in log(renter)} == {"parked"}
    with receiving() as moved:
        renter.set_account_webhook(moved.url)
        assert renter.retry_deliveries(datetime(2018, 1, 1, tzinfo=UTC)) == 2
        settle(renter)
        assert sorted(posted.json["data"]["hours"] for posted in moved.posted) == [1, 24]  # a replay has no order


def test_each_warning_is_posted_once_signed_and_logged(renter: DTMF, receiver: Receiver) -> None:
    runs_out_at = renter.usage()["runs_out_at"]
    renter.sandbox.advance(3 * DAY_S)
    receiver.wait_for(2)
    told = sorted((posted.json for posted in receiver.posted), key=lambda body: body["timestamp"])
    assert told == [
        {
            "type": "balance.low",
            "timestamp": f"2018-01-0{day}T{hour}:01:01.000000",
            "data": {
                "hours": hours,
                "balance": balance,
                "runs_out_at": runs_out_at,
                "shortfall": 1440,
                "topup_url": "/top-up?amount=1440",
            },
        }
        for day, hour, hours, balance in ((2, "01", 24, 1439), (3, "00", 1, 59))
    ]
    for posted in receiver.posted:
        sent_at_s = float(posted.headers["webhook-timestamp"])
        webhook.verify(posted.body, posted.headers, renter.webhook_secret(), now=sent_at_s)
    for delivery in log(renter):
        assert (delivery["e164"], delivery["kind"], delivery["message_id"]) == (None, "event", None)
        assert (delivery["destination"], delivery["state"]) == (receiver.url, "delivered")
        assert [attempt["status"] for attempt in delivery["attempts"]] == [200]
    assert len(log(renter)) == 2
    renter.sandbox.advance(DAY_S)
    assert len(receiver.posted) == 2


def test_a_warning_is_given_again_after_the_runway_was_longer(renter: DTMF, receiver: Receiver) -> None:
    renter.sandbox.advance(DAY_S)
    receiver.wait_for(1)
    renter.sandbox.deposit(renter.new_address()["address"], 1440)
    renter.sandbox.advance(DAY_S)
    receiver.wait_for(3)
    warnings = [posted.json["data"] for posted in receiver.posted if posted.json["type"] == "balance.low"]
    assert [warning["hours"] for warning in warnings] == [24, 24]


def test_without_a_webhook_nothing_is_queued(dtmf: DTMF, db: Database) -> None:
    dtmf.start_rental("priced")
    dtmf.sandbox.advance(3 * DAY_S)
    assert len(events(db, "balance.low")) == 2
    assert states(db) == []


def test_a_receiver_that_fails_is_tried_again_and_then_parked_and_replayed(
    renter: DTMF, receiver: Receiver, db: Database
) -> None:
    receiver.answer = always(500)
    renter.sandbox.advance(DAY_S)
    receiver.wait_for(1)
    renter.sandbox.advance(DELAYS_S[0] * LATE)
    receiver.wait_for(2)
    for _ in range(2):  # the second warning is tried at the end of the first four days
        renter.sandbox.advance(4 * DAY_S)
    assert set(states(db)) == {"parked"}
    assert len(events(db, "delivery.parked")) == len(states(db)) == 2
    receiver.answer, before = always(204), len(receiver.posted)
    renter.retry_delivery(log(renter)[0]["id"])
    settle(renter)
    assert states(db) == ["delivered", "parked"]
    assert receiver.posted[before].headers["webhook-id"] == receiver.posted[0].headers["webhook-id"]
    assert renter.retry_deliveries(datetime.fromtimestamp(0, UTC)) == 1
    settle(renter)
    assert states(db) == ["delivered", "delivered"]


def test_waiting_events_follow_the_url_and_are_parked_without_one(
    renter: DTMF, receiver: Receiver, db: Database
) -> None:
    receiver.answer = always(500)
    renter.sandbox.advance(DAY_S)
    receiver.wait_for(1)
    with receiving() as moved:
        renter.set_account_webhook(moved.url)
        settle(renter)
        assert [posted.json["type"] for posted in moved.posted] == ["balance.low"]
    assert states(db) == ["delivered"]
    renter.set_account_webhook(receiver.url)
    renter.sandbox.advance(23 * HOUR_S)
    receiver.wait_for(2)
    renter.set_account_webhook(None)
    assert states(db) == ["delivered", "parked"]
    (event,) = events(db, "delivery.parked")
    assert "removed" in event["data"]


def test_410_takes_the_webhook_away_with_an_event(renter: DTMF, receiver: Receiver, db: Database) -> None:
    receiver.answer = always(410)
    renter.sandbox.advance(DAY_S)
    receiver.wait_for(1)
    settle(renter)
    assert renter.account_webhook() is None
    (event,) = events(db, "action.disabled")
    assert receiver.url in event["data"]
    assert states(db) == ["parked"]
    renter.sandbox.advance(23 * HOUR_S)
    assert len(events(db, "balance.low")) == 2
    assert len(receiver.posted) == 1


def test_events_do_not_wait_for_each_other_nor_for_sms(renter: DTMF, receiver: Receiver, db: Database) -> None:
    e164 = renter.numbers()[0]["e164"]
    renter.set_sms_action(e164, "webhook", receiver.url)
    receiver.answer = lambda posted: 500 if "hours" in posted.body.decode() else 200
    renter.sandbox.advance(DAY_S + 23 * HOUR_S)
    renter.sandbox.receive(e164, "+1234", "a code")
    settle(renter)
    assert "a code" in [posted.json.get("content") for posted in receiver.posted]
    assert {posted.json["data"]["hours"] for posted in receiver.posted if "data" in posted.json} == {1, 24}


@pytest.mark.parametrize(
    "nowhere", ["http://example.org/", "https://10.0.0.1/", "https://169.254.169.254/", "https://example.org:22/"]
)
def test_where_webhooks_may_not_go_none_is_set(dtmf: DTMF, nowhere: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        dtmf.set_account_webhook(nowhere)
    assert refused.value.status == 422
    assert dtmf.account_webhook() is None
