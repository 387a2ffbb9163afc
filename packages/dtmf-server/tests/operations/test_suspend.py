"""An operator suspends an account: nothing leaves, nothing new costs, rentals are held or end; resuming undoes it."""

from collections.abc import Callable
from functools import partial

import pytest

from dtmf_server.core.errors import AccountSuspended, Refusal
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.operations import (
    account,
    account_webhook,
    close_account,
    deliver,
    deposit,
    limits,
    rent,
    send,
    submit,
    suspend,
    verify,
)
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.operations.find_account import UnknownAccount
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import accounts, delivery_log, messages, rentals
from dtmf_server.storage.db import Database, Row, Tx
from dtmf_server.storage.delivery_log import Attempt
from harness import DAY_US, START_US, give_coins, open_account

PHONE, HOOK = "+13105550123", "https://hook.example/x"
FORWARD, WEBHOOK = Action(ActionKind.FORWARD, PHONE), Action(ActionKind.WEBHOOK, HOOK)
COINS = 10_000
MINUTE_US = 60_000_000
REFUSED = Attempt(START_US, 0, None, "refused", None)


@pytest.fixture
def account_id(db: Database) -> int:
    found = open_account(db)
    give_coins(db, found, COINS)
    return found


@pytest.fixture
def rental(db: Database, account_id: int) -> Row:
    return db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))


def balance(db: Database, account_id: int, *, now_us: int = START_US) -> int:
    return db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=now_us))


def stop(db: Database, account_id: int, *, now_us: int = START_US, ends_rentals: bool = False) -> suspend.Suspended:
    return db.write_blocking(partial(suspend.suspend, account_id=account_id, now_us=now_us, ends_rentals=ends_rentals))


def resume(db: Database, account_id: int, *, now_us: int = START_US) -> suspend.Resumed:
    return db.write_blocking(partial(suspend.resume, account_id=account_id, now_us=now_us))


def act_on(db: Database, rental: Row, action: Action) -> None:
    db.write_blocking(lambda tx: rent.set_action(tx, rental["account_id"], rental["e164"], action, now_us=START_US))


def receive(db: Database, rental: Row, text: str = "hello") -> int:
    (id_,) = db.write_blocking(
        lambda tx: receive_many(tx, [InboundMessage(rental["e164"], "+1234", text)], now_us=START_US)
    )
    assert id_ is not None
    return id_


def send_one(tx: Tx, rental: Row) -> Row:
    return send.send(
        *(tx, rental["account_id"]),
        sender=rental["e164"],
        to=PHONE,
        content="hello",
        now_us=START_US,
        daily_limit=None,
    )


def claim(db: Database) -> list[LeasedDelivery]:
    return db.write_blocking(
        lambda tx: deliver.claim(tx, now_us=START_US, wall_us=START_US, lease_us=1, limit=9, except_destinations=[])
    )


def deliveries(db: Database, account_id: int) -> list[tuple[str, str, str | None]]:
    rows = db.read_blocking(
        lambda tx: delivery_log.of_account(tx, account_id, state=None, e164=None, since_us=0, after=0, limit=99)
    )
    return [(row["kind"], row["state"], row["reason"]) for row in rows]


def assert_right(db: Database) -> None:
    assert db.read_blocking(verify.differences) == []


def test_what_waits_is_parked_and_unsent_messages_are_refunded(db: Database, account_id: int, rental: Row) -> None:
    act_on(db, rental, WEBHOOK)
    receive(db, rental)
    sent = db.write_blocking(partial(send_one, rental=rental))
    assert balance(db, account_id) < COINS
    assert stop(db, account_id) == suspend.Suspended(held=1, ended=0, unsent=1)
    assert deliveries(db, account_id) == [(kind, "parked", suspend.SUSPENDED) for kind in ("webhook", "send")]
    assert balance(db, account_id) == COINS
    message = db.read_blocking(lambda tx: messages.by_id(tx, sent["id"]))
    assert message is not None and (message["status"], message["reason"]) == ("failed", suspend.SUSPENDED)
    assert claim(db) == []
    assert_right(db)


def test_a_waiting_forward_is_parked_before_it_costs(db: Database, account_id: int, rental: Row) -> None:
    act_on(db, rental, FORWARD)
    receive(db, rental)
    (work,) = claim(db)
    stop(db, account_id)
    assert db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=START_US, daily_limit=None)) is None
    assert balance(db, account_id) == COINS
    resume(db, account_id)
    assert deliveries(db, account_id) == [("forward", "parked", suspend.SUSPENDED)]
    assert claim(db) == []
    assert_right(db)


def test_a_submission_in_flight_keeps_its_charge_if_the_carrier_has_it(
    db: Database, account_id: int, rental: Row
) -> None:
    sent = db.write_blocking(partial(send_one, rental=rental))
    (work,) = claim(db)
    assert db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=START_US, daily_limit=None)) is not None
    assert stop(db, account_id).unsent == 0
    charged = balance(db, account_id)
    assert charged < COINS
    assert_right(db)
    db.write_blocking(
        lambda tx: submit.handed_over(
            *(tx, work, sent["id"]), carrier="a", refs=["1"], attempt=REFUSED, now_us=START_US, wall_us=START_US
        )
    )
    assert balance(db, account_id) == charged
    assert [state for _, state, _ in deliveries(db, account_id)] == ["delivered"]


def test_a_submission_that_no_carrier_takes_is_refunded_and_not_retried(
    db: Database, account_id: int, rental: Row
) -> None:
    sent = db.write_blocking(partial(send_one, rental=rental))
    (work,) = claim(db)
    db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=START_US, daily_limit=None))
    stop(db, account_id)
    failed = deliver.FailedAttempt(work, deliver.backoff.Verdict.RETRY, REFUSED, None, 0.0)
    db.write_blocking(
        lambda tx: submit.not_taken(
            tx, failed, sent["id"], carrier="", segments=None, now_us=START_US, wall_us=START_US
        )
    )
    assert balance(db, account_id) == COINS
    assert deliveries(db, account_id) == [("send", "parked", suspend.SUSPENDED)]
    assert_right(db)


def test_a_submission_in_flight_is_retried_after_the_account_is_resumed(
    db: Database, account_id: int, rental: Row
) -> None:
    sent = db.write_blocking(partial(send_one, rental=rental))
    (work,) = claim(db)
    db.write_blocking(lambda tx: submit.outgoing(tx, work, now_us=START_US, daily_limit=None))
    stop(db, account_id)
    resume(db, account_id)
    failed = deliver.FailedAttempt(work, deliver.backoff.Verdict.RETRY, REFUSED, None, 0.0)
    db.write_blocking(
        lambda tx: submit.not_taken(
            tx, failed, sent["id"], carrier="", segments=None, now_us=START_US, wall_us=START_US
        )
    )
    assert [state for _, state, _ in deliveries(db, account_id)] == ["waiting"]


@pytest.mark.parametrize(("action", "parked"), [(FORWARD, []), (WEBHOOK, [("webhook", "parked", suspend.SUSPENDED)])])
def test_sms_that_arrive_meanwhile_are_stored_and_not_passed_on(
    db: Database, account_id: int, rental: Row, action: Action, parked: list[object]
) -> None:
    act_on(db, rental, action)
    stop(db, account_id)
    message_id = receive(db, rental, "the code is 493817")
    message = db.read_blocking(lambda tx: messages.by_id(tx, message_id))
    assert message is not None and message["content"] == "the code is 493817"
    assert deliveries(db, account_id) == parked
    assert claim(db) == []
    assert_right(db)
    assert resume(db, account_id).deliveries == len(parked)
    assert [work.message_id for work in claim(db)] == [message_id] * len(parked)
    assert_right(db)


def test_events_of_the_account_wait_until_it_is_resumed(db: Database, account_id: int) -> None:
    db.write_blocking(lambda tx: account_webhook.set_url(tx, account_id, HOOK, now_us=START_US))
    stop(db, account_id)
    give_coins(db, account_id, 5)
    assert balance(db, account_id) == COINS + 5
    db.write_blocking(lambda tx: append_event(tx, account_id))
    assert claim(db) == []
    resume(db, account_id)
    assert_right(db)


def append_event(tx: Tx, account_id: int) -> None:
    """Append an event that the account's webhook gets."""
    event = account_webhook.Event(account_id, START_US, "deposit.credited", data={"amount": 5})
    (id_,) = account_webhook.events.append(tx, [event])
    account_webhook.queue(tx, [(id_, event)], now_us=START_US)


def test_webhooks_without_a_destination_stay_parked(db: Database, account_id: int, rental: Row) -> None:
    act_on(db, rental, WEBHOOK)
    stop(db, account_id)
    receive(db, rental)
    db.write_blocking(lambda tx: rentals.set_action(tx, rental["id"], None))  # as when a restricted token ends
    assert resume(db, account_id).deliveries == 0
    assert claim(db) == []


ACTIONS: dict[str, Callable[[Tx, Row], object]] = {
    "rent": lambda tx, r: rent.start(tx, r["account_id"], "free", now_us=START_US, cooldown_us=0),
    "end": lambda tx, r: rent.end(tx, r["account_id"], r["e164"], now_us=START_US),
    "set the action": lambda tx, r: rent.set_action(tx, r["account_id"], r["e164"], FORWARD, now_us=START_US),
    "adopt": lambda tx, r: rent.adopt(tx, r["account_id"], r["e164"], now_us=START_US),
    "set a limit": lambda tx, r: limits.set_limits(tx, r["account_id"], r["e164"], max_minutes=9, now_us=START_US),
    "set the label": lambda tx, r: limits.set_label(tx, r["account_id"], r["e164"], "x", now_us=START_US),
    "send": send_one,
}


@pytest.mark.parametrize("what", ACTIONS)
def test_what_costs_or_changes_is_refused_under_the_lock(db: Database, account_id: int, rental: Row, what: str) -> None:
    stop(db, account_id)
    with pytest.raises(AccountSuspended):
        db.write_blocking(lambda tx: ACTIONS[what](tx, rental))
    resume(db, account_id)
    db.write_blocking(lambda tx: ACTIONS[what](tx, rental))
    assert_right(db)


def test_held_rentals_go_on_and_cost_their_minutes(db: Database, account_id: int) -> None:
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    stop(db, account_id)
    before = balance(db, account_id)
    later_us = START_US + 10 * MINUTE_US
    assert balance(db, account_id, now_us=later_us) == before - 10 * rental["cost_per_minute"]
    resume(db, account_id, now_us=later_us)
    live = db.read_blocking(lambda tx: rent.live_rentals(tx, account_id, now_us=later_us))
    assert [each["id"] for each in live] == [rental["id"]]
    assert_right(db)


def test_a_held_rental_ends_when_the_balance_runs_out(db: Database, account_id: int) -> None:
    db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    stop(db, account_id)
    later_us = START_US + 30 * DAY_US
    resume(db, account_id, now_us=later_us)
    assert db.read_blocking(lambda tx: rentals.live(tx, account_id)) == []
    assert_right(db)


def test_rentals_end_on_request_also_when_they_were_held_before(db: Database, account_id: int, rental: Row) -> None:
    stop(db, account_id)
    assert stop(db, account_id, ends_rentals=True) == suspend.Suspended(held=0, ended=1, unsent=0)
    ended = db.read_blocking(lambda tx: rentals.by_id(tx, rental["id"]))
    assert (ended["ended_at_us"], ended["end_reason"]) == (START_US, "operator")
    with pytest.raises(suspend.AlreadySuspended):
        stop(db, account_id, ends_rentals=True)
    assert_right(db)


def test_a_suspended_account_is_topped_up(db: Database, account_id: int) -> None:
    stop(db, account_id)
    give_coins(db, account_id, 77)
    derived = db.write_blocking(
        lambda tx: deposit.new_address(
            tx, account_id, derive=lambda index: (f"address {index}", bytes([index + 1])), now_us=START_US
        )
    )
    assert derived
    assert balance(db, account_id) == COINS + 77


def test_resuming_restores_every_row(db: Database, account_id: int, rental: Row) -> None:
    act_on(db, rental, WEBHOOK)
    receive(db, rental)

    def state(tx: Tx) -> list[object]:
        return [
            [dict(row) for row in tx.all(f"SELECT * FROM {table} ORDER BY id")]
            for table in ("accounts", "rentals", "messages", "transfers", "deliveries")
        ]

    before = db.read_blocking(state)
    stop(db, account_id)
    resume(db, account_id)
    assert db.read_blocking(state) == before


@pytest.mark.parametrize("account_id_given", [0, 999, 4, 77_777, -1, 2**70])
@pytest.mark.parametrize("act", [suspend.suspend, suspend.resume])
def test_an_unknown_account_is_refused(
    db: Database, account_id: int, act: Callable[..., object], account_id_given: int
) -> None:
    with pytest.raises(UnknownAccount):
        db.write_blocking(lambda tx: act(tx, account_id_given, now_us=START_US))


def test_an_account_is_suspended_and_resumed_once(db: Database, account_id: int) -> None:
    with pytest.raises(suspend.NotSuspended):
        resume(db, account_id)
    stop(db, account_id)
    with pytest.raises(suspend.AlreadySuspended):
        stop(db, account_id)
    resume(db, account_id)
    with pytest.raises(suspend.NotSuspended):
        resume(db, account_id)


def test_a_closed_account_is_neither_suspended_nor_resumed(db: Database, account_id: int) -> None:
    db.write_blocking(
        lambda tx: close_account.close_account(tx, account_id, given_up_max=COINS, now_us=START_US, wall_us=START_US)
    )
    for act in (stop, resume):
        with pytest.raises(suspend.AccountClosed):
            act(db, account_id)


def test_a_refused_suspension_changes_nothing(db: Database, account_id: int) -> None:
    def suspend_and_fail(tx: Tx) -> None:
        suspend.suspend(tx, account_id, now_us=START_US)
        raise Refusal("the audit row could not be written")

    with pytest.raises(Refusal):
        db.write_blocking(suspend_and_fail)
    assert db.read_blocking(lambda tx: accounts.suspended_among(tx, [account_id])) == set()
