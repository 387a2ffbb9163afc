"""An operator refunds a message or a rental: once, never more than it cost, recorded, and known to `verify`."""

from typing import Any

import pytest

from dtmf_server.core import money
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import (
    operator_refunds,
    rent,
    rental_refunds,
    send,
)
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import accounts, messages
from dtmf_server.storage.db import Database, Row, Tx
from harness import START_US

from .test_adjust import BY, COINS, MINUTE_US, account_id, assert_right, at_once, close, owned, recorded, send_one

__all__ = ["account_id"]


def refund(db: Database, charge: str, id_: int, **terms: Any) -> operator_refunds.Refunded:
    act = operator_refunds.refund_message if charge == "message" else operator_refunds.refund_rental
    return db.write_blocking(lambda tx: act(tx, id_, by=BY, now_us=START_US + 10 * MINUTE_US, **terms))


def rented(db: Database, account_id: int, group: str = "us-mobile") -> Row:
    return db.write_blocking(lambda tx: rent.start(tx, account_id, group, now_us=START_US, cooldown_us=0))


def ended(db: Database, account_id: int, group: str = "us-mobile") -> Row:
    """A rental that lasted five minutes."""
    rental = rented(db, account_id, group)
    db.write_blocking(lambda tx: rent.end(tx, account_id, rental["e164"], now_us=START_US + 4 * MINUTE_US))
    return rental


def receive(db: Database, rental: Row) -> int:
    (id_,) = db.write_blocking(
        lambda tx: receive_many(tx, [InboundMessage(rental["e164"], "+1234", "hello")], now_us=START_US)
    )
    assert id_ is not None
    return id_


def test_a_message_is_refunded_once(db: Database, account_id: int) -> None:
    rental = rented(db, account_id)
    before = owned(db, account_id)
    message_id = receive(db, rental)
    assert owned(db, account_id) < before
    assert refund(db, "message", message_id) == operator_refunds.Refunded(message_id, account_id, 705)
    assert owned(db, account_id)[0] == before[0] - 10 * 13, "only its minutes cost something"
    with pytest.raises(operator_refunds.AlreadyRefunded, match="by an operator"):
        refund(db, "message", message_id)
    assert recorded(db) == [("accounts refund", f"message {message_id}", 705)]
    assert_right(db)


def test_a_delivered_message_stays_delivered_and_is_not_refunded_again_when_it_fails(
    db: Database, account_id: int
) -> None:
    sent = db.write_blocking(lambda tx: send_one(tx, rented_in(tx, account_id)))
    db.write_blocking(lambda tx: send.accepted(tx, sent["id"], now_us=START_US))
    refund(db, "message", sent["id"])
    assert owned(db, account_id)[0] == COINS
    db.write_blocking(lambda tx: send.failed(tx, sent["id"], reason="too late", now_us=START_US))
    assert owned(db, account_id)[0] == COINS
    message = db.read_blocking(lambda tx: messages.by_id(tx, sent["id"]))
    assert message is not None and message["status"] == "failed"


def rented_in(tx: Tx, account_id: int) -> Row:
    return rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0)


def test_a_message_on_its_way_is_not_refunded(db: Database, account_id: int) -> None:
    sent = db.write_blocking(lambda tx: send_one(tx, rented_in(tx, account_id)))
    with pytest.raises(operator_refunds.NotRefundable, match="is queued"):
        refund(db, "message", sent["id"])
    db.write_blocking(lambda tx: send.failed(tx, sent["id"], reason="refused", now_us=START_US))
    with pytest.raises(operator_refunds.AlreadyRefunded, match="automatically"):
        refund(db, "message", sent["id"])
    assert owned(db, account_id)[0] == COINS
    assert recorded(db) == []


def test_an_ended_rental_is_refunded_once_and_never_more_than_it_cost(db: Database, account_id: int) -> None:
    rental = rented(db, account_id)
    with pytest.raises(operator_refunds.NotRefundable, match="is live"):
        refund(db, "rental", rental["id"])
    db.write_blocking(lambda tx: rent.end(tx, account_id, rental["e164"], now_us=START_US + 4 * MINUTE_US))
    cost = COINS - owned(db, account_id)[0]
    assert cost == 5 * 13
    for sats in (0, -1, cost + 1):
        with pytest.raises(operator_refunds.NotRefundable, match=f"cost {cost} satoshis"):
            refund(db, "rental", rental["id"], sats=sats)
    assert refund(db, "rental", rental["id"], sats=cost - 1).sats == cost - 1
    with pytest.raises(operator_refunds.AlreadyRefunded, match="by an operator"):
        refund(db, "rental", rental["id"], sats=1)
    assert owned(db, account_id)[0] == COINS - 1
    assert_right(db)


def test_a_refund_after_an_automatic_one_is_refused(db: Database, account_id: int) -> None:
    db.write_blocking(
        lambda tx: tx.run("UPDATE groups SET refund_within_minutes = 60, refund_percent = 90 WHERE id = 'us-mobile'")
    )
    rental = ended(db, account_id)
    assert owned(db, account_id)[0] == COINS - 65 + 58
    with pytest.raises(operator_refunds.AlreadyRefunded, match="automatically"):
        refund(db, "rental", rental["id"])
    assert_right(db)


def pay_automatically(tx: Tx) -> None:
    while rental_refunds.decide_due(tx, caps=rental_refunds.DEFAULT_CAPS, now_us=START_US + 5 * MINUTE_US):
        pass


def test_a_rental_refunded_by_an_operator_is_not_refunded_automatically(db: Database, account_id: int) -> None:
    rental = ended(db, account_id)
    db.write_blocking(  # undecided, as after a limit ended it
        lambda tx: tx.run(
            "UPDATE rentals SET network = :network, refund_within_minutes = 60, refund_percent = 90", network=b""
        )
    )
    refund(db, "rental", rental["id"], sats=5)
    db.write_blocking(pay_automatically)
    assert owned(db, account_id)[0] == COINS - 65 + 5
    assert_right(db)


def test_a_rental_is_found_by_its_number(db: Database, account_id: int) -> None:
    rental = ended(db, account_id)
    assert db.read_blocking(lambda tx: operator_refunds.rental_of(tx, rental["e164"])) == rental["id"]
    with pytest.raises(operator_refunds.UnknownCharge):
        db.read_blocking(lambda tx: operator_refunds.rental_of(tx, "+999"))


@pytest.mark.parametrize("charge", ["message", "rental"])
@pytest.mark.parametrize("id_", [0, -1, 77_777, 2**70])
def test_an_unknown_charge_is_refused(db: Database, account_id: int, charge: str, id_: int) -> None:
    with pytest.raises(operator_refunds.UnknownCharge):
        refund(db, charge, id_)


def test_the_refund_of_a_closed_account_goes_to_suspense(db: Database, account_id: int) -> None:
    rental = ended(db, account_id)
    close(db, account_id, forfeit=True)
    assert refund(db, "rental", rental["id"]).sats == 65
    assert owned(db, account_id) == (0, 0)
    assert db.read_blocking(lambda tx: accounts.load(tx, money.SUSPENSE)).balance == 65
    assert_right(db)


def test_two_operators_refund_a_charge_once(db: Database, account_id: int) -> None:
    rental = ended(db, account_id)
    found = at_once(3, lambda _: refund(db, "rental", rental["id"]))
    assert sorted(isinstance(each, operator_refunds.Refunded) for each in found) == [False, False, True]
    assert owned(db, account_id)[0] == COINS
    assert_right(db)
