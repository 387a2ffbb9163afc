"""An SMS that was charged but never sent is refunded, for whatever reason it was given up."""

from dtmf_server.core import submission
from dtmf_server.core.backoff import Verdict
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.core.submission import LateAnswer, Segments
from dtmf_server.operations import account, deliver, doubt, receive, rent, send, submit, verify
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.storage import messages
from dtmf_server.storage.db import Database, Row
from dtmf_server.storage.delivery_log import Attempt
from harness import DAY_US, START_US, give_coins, open_account

BUSY = Attempt(START_US, 0, None, "the carrier is busy", None)
THREE_DAYS_US = 3 * DAY_US


def rented(db: Database) -> tuple[int, Row]:
    account_id = open_account(db)
    give_coins(db, account_id, 10_000)
    return account_id, db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))


def claim_one(db: Database) -> LeasedDelivery:
    (work,) = db.write_blocking(
        lambda tx: deliver.claim(tx, now_us=START_US, wall_us=START_US, lease_us=1, limit=9, except_destinations=[])
    )
    return work


def busy_for_three_days(db: Database, work: LeasedDelivery) -> None:
    db.write_blocking(
        lambda tx: deliver.not_delivered(
            tx,
            [deliver.FailedAttempt(work, Verdict.RETRY, BUSY, None, 0.0)],
            now_us=START_US + THREE_DAYS_US,
        )
    )


def assert_given_back(db: Database, account_id: int, message_id: int) -> None:
    message = db.read_blocking(lambda tx: messages.by_id(tx, message_id))
    assert message is not None
    assert (message["status"], message["cost"]) == ("failed", 0)
    assert db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=START_US)) == 10_000
    assert db.read_blocking(verify.differences) == []


def test_an_sms_not_accepted_by_a_carrier_in_three_days_is_refunded(db: Database) -> None:
    account_id, rental = rented(db)
    sent = db.write_blocking(
        lambda tx: send.send(
            tx,
            account_id,
            sender=rental["e164"],
            to="+13105550123",
            content="hello",
            now_us=START_US,
            daily_limit=None,
        )
    )
    busy_for_three_days(db, claim_one(db))
    assert_given_back(db, account_id, sent["id"])


def forwarding(db: Database) -> tuple[int, Row, LeasedDelivery, int]:
    """Create a forward that was charged and is waiting for its carrier."""
    account_id, rental = rented(db)
    action = Action(ActionKind.FORWARD, "+13105550123")
    db.write_blocking(lambda tx: rent.set_action(tx, account_id, rental["e164"], action, now_us=START_US))
    inbound = [InboundMessage(rental["e164"], "+1234", "hello")]
    db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=START_US))
    work = claim_one(db)
    outgoing = db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=START_US, daily_limit=None))
    assert outgoing is not None
    return account_id, rental, work, outgoing.message_id


def test_a_forward_not_accepted_by_a_carrier_in_three_days_is_refunded(db: Database) -> None:
    account_id, _, work, message_id = forwarding(db)
    busy_for_three_days(db, work)
    assert_given_back(db, account_id, message_id)


def test_a_waiting_forward_is_refunded_when_the_action_changes(db: Database) -> None:
    account_id, rental, work, message_id = forwarding(db)
    busy = [deliver.FailedAttempt(work, Verdict.RETRY, BUSY, None, 0.0)]
    db.write_blocking(lambda tx: deliver.not_delivered(tx, busy, now_us=START_US))
    db.write_blocking(lambda tx: rent.set_action(tx, account_id, rental["e164"], None, now_us=START_US))
    assert_given_back(db, account_id, message_id)


def test_a_forward_that_a_carrier_may_have_keeps_its_charge_when_the_action_changes(db: Database) -> None:
    account_id, rental, work, message_id = forwarding(db)
    before = db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=START_US))
    db.write_blocking(lambda tx: rent.set_action(tx, account_id, rental["e164"], None, now_us=START_US))
    message = db.read_blocking(lambda tx: messages.by_id(tx, message_id))
    assert message is not None and message["status"] == "queued" and message["cost"] > 0
    assert db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=START_US)) == before
    busy = [deliver.FailedAttempt(work, Verdict.RETRY, BUSY, None, 0.0)]
    db.write_blocking(lambda tx: deliver.not_delivered(tx, busy, now_us=START_US))
    assert_given_back(db, account_id, message_id)


def test_an_sms_in_doubt_that_the_carrier_refuses_late_is_refunded(db: Database) -> None:
    account_id, _, work, message_id = forwarding(db)
    failed = deliver.FailedAttempt(work, Verdict.RETRY, BUSY, None, 0.0)
    what = {"carrier": "london", "segments": Segments(1, {}, (1,))}
    when = {"now_us": START_US, "wall_us": START_US}
    db.write_blocking(lambda tx: doubt.begin(tx, failed, message_id, **what, **when))
    message = db.read_blocking(lambda tx: messages.by_id(tx, message_id))
    assert message is not None and message["status"] == "in_doubt" and message["cost"] > 0
    refused = LateAnswer(message_id, 1, 1, submission.Verdict.FINAL, reason="no")
    assert db.write_blocking(lambda tx: doubt.answered(tx, "london", [refused], **when)) == []
    assert_given_back(db, account_id, message_id)


def test_a_forward_whose_rental_has_just_run_out_of_money_is_parked_and_the_end_is_booked(db: Database) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 750)
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    action = Action(ActionKind.FORWARD, "+13105550123")
    db.write_blocking(lambda tx: rent.set_action(tx, account_id, rental["e164"], action, now_us=START_US))
    inbound = [InboundMessage(rental["e164"], "+1234", "hello")]
    db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=START_US))
    work, later_us = claim_one(db), START_US + DAY_US
    assert db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=later_us, daily_limit=None)) is None
    assert db.read_blocking(lambda tx: rent.live_rentals(tx, account_id, now_us=later_us)) == []
    assert db.read_blocking(verify.differences) == []
