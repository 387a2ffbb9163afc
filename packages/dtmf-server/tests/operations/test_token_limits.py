"""Limits of restricted tokens in satoshis: reserved when a rental starts, exact when it ends, never exceeded."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dtmf_server.core.errors import LimitReached, LimitTooLow, NotItsRental, Refusal, TokenLimitReached
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.token_grant import Grant
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import limits, meter, rent, send, tokens, verify
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Row, Tx
from harness import START_US, give_coins, open_account

PHONE = "+447700900123"


class Case:
    """An account with coins, a parent token, and a clock that the test moves."""

    def __init__(self, db: Database, **parent: Any) -> None:
        self.db, self.now_us, self._minted = db, START_US, 0
        self.account_id = open_account(db)
        give_coins(db, self.account_id, 1_000_000)
        db.write_blocking(_price)
        self.parent = self.mint(Grant(**parent), by=None)

    def mint(self, asked: Grant | None = None, *, by: int | None = -1) -> int:
        """A restricted token; by default a child of the parent."""
        self._minted += 1
        add = partial(
            tokens.add,
            account_id=self.account_id,
            token_sha256=bytes([self._minted]) * 32,
            label="x",
            now_us=self.now_us,
            asked=asked,
            created_by=self.parent if by == -1 else by,
        )
        return self.db.write_blocking(add)

    def do(self, fn: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """The result of an operation on the account, now."""
        return self.db.write_blocking(lambda tx: fn(tx, self.account_id, *args, now_us=self.now_us, **more))

    def rent(self, token: int, **more: Any) -> str:
        found = self.do(rent.start, "us-mobile", cooldown_us=0, started_by=token, **more)
        return str(found["e164"])

    def receive(self, *to: str) -> None:
        sms = [InboundMessage(each, PHONE, "code 123456") for each in to]
        self.db.write_blocking(lambda tx: receive_many(tx, sms, now_us=self.now_us))

    def send(self, e164: str, token: int | None) -> Row:
        row: Row = self.do(send.send, sender=e164, to=PHONE, content="hello", daily_limit=None, sent_by=token)
        return row

    def token(self, token: int) -> tuple[int, int]:
        """Return the satoshis reserved and spent."""
        row = self.row("tokens", token)
        return row["reserved_sats"], row["spent_sats"]

    def row(self, table: str, id_: int) -> Row:
        found = self.db.read_blocking(lambda tx: tx.one(f"SELECT * FROM {table} WHERE id = :id", id=id_))
        assert found is not None
        return found

    def rental(self, e164: str) -> Row:
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals WHERE e164 = :e ORDER BY id", e=e164))
        return rows[-1]

    def later(self, *, minutes: int) -> None:
        """Let time pass, and the meter run."""
        self.now_us += minutes * MINUTE_US
        while self.db.write_blocking(lambda tx: meter.sweep(tx, now_us=self.now_us)):
            pass

    def debits(self) -> int:
        """Return the satoshis that the account has paid, refunds deducted."""
        (row,) = self.db.read_blocking(
            lambda tx: tx.all("SELECT balance FROM accounts WHERE id = :id", id=self.account_id)
        )
        return 1_000_000 - int(row["balance"])

    def verify(self) -> None:
        assert self.db.read_blocking(verify.differences) == []


def _free(tx: Tx, _account_id: int, not_this: str, *, now_us: int) -> str:
    del now_us
    row = tx.one("SELECT e164 FROM numbers WHERE group_id = 'us-mobile' AND NOT rented AND e164 <> :e", e=not_this)
    assert row is not None
    return str(row["e164"])


def _price(tx: Tx) -> None:
    tx.run("UPDATE groups SET setup_cost = 50, rental_cost_per_minute = 10, cost_per_inbound_message = 7")
    tx.run("UPDATE destinations SET cost_per_segment = 20")


def refused(expected: type[Refusal], fn: Callable[..., Any], *args: Any, **more: Any) -> dict[str, Any]:
    with pytest.raises(expected) as caught:
        fn(*args, **more)
    return dict(caught.value.members)


def test_a_rental_reserves_its_limit_and_returns_what_it_did_not_use(db: Database) -> None:
    case = Case(db, sats_max=1000)
    child = case.mint(Grant(sats_max=600))
    e164 = case.rent(child, max_sats=300)
    assert case.token(child) == case.token(case.parent) == (300, 0)
    assert case.rental(e164)["max_sats"] == 300
    case.receive(e164)
    case.later(minutes=3)
    case.do(rent.end, e164, ended_by=child)
    cost = 50 + 4 * 10 + 7
    assert case.debits() == cost
    assert case.token(child) == case.token(case.parent) == (0, cost)
    case.verify()


def test_without_limits_of_its_own_a_rental_reserves_the_rest_and_ends_when_no_sms_could_be_paid(db: Database) -> None:
    case = Case(db, sats_max=200)
    first, second = case.mint(), case.mint()
    e164 = case.rent(first)
    assert case.token(case.parent) == (200, 0)
    members = refused(LimitTooLow, case.rent, second)
    assert (members["field"], members["minimum"], members["remaining"]) == ("sats_max", 67, 0)
    case.later(minutes=100)
    rental = case.rental(e164)
    # 50 + 14 minutes leave 10, and a 15th minute would leave less than an SMS.
    assert (rental["end_reason"], rental["ended_at_us"]) == ("limit", START_US + 14 * MINUTE_US)
    assert case.token(case.parent) == case.token(first) == (0, 190)
    assert case.token(second) == (0, 0)
    assert case.debits() == 190
    case.verify()


def test_a_rental_with_max_minutes_reserves_more_for_each_sms_while_there_is_more(db: Database) -> None:
    case = Case(db, sats_max=300)
    e164 = case.rent(case.parent, max_minutes=10)
    assert case.token(case.parent) == (50 + 100 + 7, 0)
    for _ in range(5):
        case.receive(e164)
    assert case.token(case.parent) == (50 + 100 + 7 + 35, 0)
    other = case.rent(case.parent, max_sats=300 - 192)  # the rest
    case.receive(e164)
    assert case.token(case.parent) == (300, 0)
    assert case.rental(e164)["limit_at_us"] == START_US + 9 * MINUTE_US  # the SMS took what the last minute needed
    case.later(minutes=20)
    assert case.rental(e164)["end_reason"] == case.rental(other)["end_reason"] == "limit"
    assert case.token(case.parent) == (0, case.debits())
    case.verify()


def test_what_a_token_has_left_is_named(db: Database) -> None:
    case = Case(db, sats_max=500)
    child = case.mint(Grant(sats_max=400))
    members = refused(TokenLimitReached, case.rent, child, max_sats=401)
    assert members == {"field": "sats_max", "limit": 400, "remaining": 400}
    case.rent(case.parent, max_sats=300)
    members = refused(TokenLimitReached, case.rent, child, max_minutes=30)
    assert members == {"field": "sats_max", "limit": 500, "remaining": 200}
    assert case.token(child) == (0, 0)
    case.verify()


def test_sent_sms_count_and_a_refund_returns_to_sats_max_but_not_to_the_day(db: Database) -> None:
    case = Case(db, sats_max=500, sats_per_day=400)
    e164 = case.rent(case.parent, max_sats=115)
    first = case.send(e164, case.parent)
    second = case.send(e164, case.parent)
    assert refused(LimitReached, case.send, e164, case.parent)["remaining"] == 15
    db.write_blocking(lambda tx: send.failed(tx, first["id"], reason="no", now_us=case.now_us))
    assert case.token(case.parent) == (95, 0)
    case.do(rent.end, e164, ended_by=case.parent)
    assert case.token(case.parent) == (0, 80)
    assert case.row("tokens", case.parent)["day_sats"] == 100
    db.write_blocking(lambda tx: send.failed(tx, second["id"], reason="no", now_us=case.now_us))
    assert case.token(case.parent) == (0, 60)
    assert case.row("tokens", case.parent)["day_sats"] == 100
    assert case.debits() == 60
    case.verify()


def test_a_day_costs_no_more_than_its_limit_and_the_next_day_begins_with_what_is_reserved(db: Database) -> None:
    case = Case(db, sats_per_day=300)
    e164 = case.rent(case.parent, max_sats=200)
    assert refused(TokenLimitReached, case.rent, case.parent, max_sats=101)["field"] == "sats_per_day"
    case.do(rent.end, e164, ended_by=case.parent)
    assert case.row("tokens", case.parent)["day_sats"] == 60
    assert case.token(case.parent) == (0, 60)
    midnight_us = (START_US // DAY_US + 1) * DAY_US
    case.now_us = midnight_us - MINUTE_US
    case.rent(case.parent, max_minutes=10)
    assert case.row("tokens", case.parent)["day_sats"] == 60 + 157
    assert refused(TokenLimitReached, case.rent, case.parent, max_sats=84)["remaining"] == 83
    case.now_us = midnight_us
    assert refused(TokenLimitReached, case.rent, case.parent, max_sats=144)["remaining"] == 143
    case.rent(case.parent, max_sats=143)
    assert case.row("tokens", case.parent)["day_sats"] == 300
    case.later(minutes=60)
    assert case.token(case.parent) == (0, case.debits())
    case.verify()


def test_a_token_with_a_limit_sends_and_forwards_only_from_rentals_of_its_own(db: Database) -> None:
    case = Case(db, sats_max=500)
    owners = str(case.do(rent.start, "us-mobile", cooldown_us=0)["e164"])
    siblings = case.rent(case.mint(), max_sats=100)
    child = case.mint()
    for e164 in (owners, siblings):
        with pytest.raises(NotItsRental):
            case.send(e164, child)
        with pytest.raises(NotItsRental):
            case.do(rent.end, e164, ended_by=child)
    assert case.send(siblings, case.parent)["cost"] == 20  # its child's
    uncapped = case.mint(Grant(scopes=("send",)), by=None)
    assert case.send(owners, uncapped)["cost"] == 20
    case.verify()


def test_changed_limits_reserve_and_return_the_difference(db: Database) -> None:
    case = Case(db, sats_max=500)
    e164 = case.rent(case.parent, max_sats=200)
    change = partial(case.do, limits.set_limits, e164)
    change(max_sats=300, set_by=case.parent)
    assert case.token(case.parent) == (300, 0)
    assert refused(TokenLimitReached, change, max_sats=501)["remaining"] == 200
    change(max_sats=None)
    assert case.token(case.parent) == (500, 0)
    change(max_minutes=5)
    assert case.token(case.parent) == (50 + 50 + 7, 0)
    assert refused(LimitTooLow, change, max_sats=66)["minimum"] == 67
    case.later(minutes=10)
    assert case.token(case.parent) == (0, 100)
    case.verify()


@pytest.mark.parametrize("given", [{}, {"max_minutes": 100}, {"max_sats": 500}])
def test_an_adopted_rental_no_longer_counts_and_keeps_only_limits_of_its_renter(
    db: Database, given: dict[str, int]
) -> None:
    case = Case(db, sats_max=2000)
    e164 = case.rent(case.parent, **given)
    case.receive(e164)
    case.later(minutes=2)
    case.do(rent.adopt, e164)
    assert case.token(case.parent) == (0, 50 + 30 + 7)
    rental = case.rental(e164)
    assert (rental["max_minutes"], rental["max_sats"]) == (given.get("max_minutes"), given.get("max_sats"))
    case.do(tokens.revoke, case.parent)
    case.later(minutes=10)
    assert case.rental(e164)["ended_at_us"] is None
    assert case.token(case.parent) == (0, 87)
    case.verify()


def test_an_sms_that_comes_after_the_end_counts_against_the_token_and_costs_no_more_than_it_has(db: Database) -> None:
    case = Case(db, sats_max=150)
    e164 = case.rent(case.parent)
    case.later(minutes=1)
    case.do(rent.end, e164, ended_by=case.parent)
    assert case.token(case.parent) == (0, 70)
    other = case.rent(case.parent, max_sats=75, e164=case.do(_free, e164))
    late = InboundMessage(e164, PHONE, "late", received_us=START_US)
    db.write_blocking(lambda tx: receive_many(tx, [late, late], now_us=case.now_us, wall_us=case.now_us))
    assert case.token(case.parent) == (75, 75)
    case.do(rent.end, other, ended_by=case.parent)
    assert case.token(case.parent) == (0, case.debits())
    case.verify()


def test_a_deleted_account_and_a_run_out_leave_nothing_reserved(db: Database) -> None:
    case = Case(db, sats_max=900_000_000)
    first = case.rent(case.parent, max_minutes=20)
    case.rent(case.parent)
    case.later(minutes=100_001)
    assert case.rental(first)["end_reason"] == "limit"
    assert case.token(case.parent) == (0, case.debits())
    case.verify()
