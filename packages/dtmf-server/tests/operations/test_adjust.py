"""An operator credits, debits and closes: booked once, within limits, recorded, and known to `verify`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from dtmf_server.core import money
from dtmf_server.core.errors import Refusal
from dtmf_server.operations import (
    account,
    adjust,
    close_account,
    daily_sums,
    rent,
    send,
    suspend,
    verify,
)
from dtmf_server.operations.audit import By
from dtmf_server.operations.find_account import UnknownAccount
from dtmf_server.operations.money import position
from dtmf_server.storage import operator_actions, transfers
from dtmf_server.storage.db import Database, Row, Tx
from harness import DAY_US, START_US, give_coins, open_account

BY = By("alice", "an outage", START_US)
COINS, LIMIT = 10_000, 1000
MINUTE_US = 60_000_000


@pytest.fixture
def account_id(db: Database) -> int:
    found = open_account(db)
    give_coins(db, found, COINS)
    return found


def book(
    db: Database,
    account_id: int,
    sats: int,
    *,
    reference: str = "ticket 7",
    by: By = BY,
    limit: int = LIMIT,
    as_debt: bool = False,
) -> adjust.Adjusted:
    """Credit, or with a negative amount debit, the account."""
    terms: dict[str, Any] = {
        "reference": reference,
        "text": "sorry",
        "by": by,
        "per_day_sats": limit,
        "now_us": START_US,
    }
    if sats >= 0:
        return db.write_blocking(lambda tx: adjust.credit(tx, account_id, sats, **terms))
    return db.write_blocking(lambda tx: adjust.debit(tx, account_id, -sats, as_debt=as_debt, **terms))


def owned(db: Database, account_id: int) -> tuple[int, int]:
    """Return the account's balance and debt."""
    usage = db.read_blocking(lambda tx: account.usage(tx, account_id, now_us=START_US))
    return usage.balance, usage.debt


def recorded(db: Database) -> list[tuple[str, str, int | None]]:
    rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=2**62, limit=100))
    return [(row["action"], row["object"], row["sats"]) for row in rows[::-1]]


def assert_right(db: Database) -> None:
    """Check the books, and the daily sums of all transfers."""
    db.write_blocking(lambda tx: daily_sums.add(tx, through=tx.one("SELECT max(id) AS last FROM transfers")["last"]))
    assert db.read_blocking(verify.differences) == []


def test_a_credit_is_booked_against_the_promotion_account_and_recorded(db: Database, account_id: int) -> None:
    assert book(db, account_id, 500) == adjust.Adjusted(is_new=True, balance=COINS + 500, debt=0)
    assert owned(db, account_id) == (COINS + 500, 0)
    (row, _) = db.read_blocking(lambda tx: transfers.newest_of_account(tx, account_id, before=2**62, limit=2))
    assert (row["kind"], row["debit"], row["credit"], row["amount"], row["reference"]) == (
        *("operator_credit", money.PROMOTION, account_id),
        *(500, "sorry"),
    )
    assert recorded(db) == [("accounts credit", f"account {account_id}, reference ticket 7", 500)]
    assert_right(db)


def test_the_coins_held_do_not_change(db: Database, account_id: int) -> None:
    before = db.read_blocking(position)
    book(db, account_id, 500)
    book(db, account_id, -200, reference="ticket 8")
    after = db.read_blocking(position)
    assert (after.booked_sats, after.owed_sats) == (before.booked_sats, before.owed_sats + 300)
    assert after.promotion_sats == -300
    assert sum(after.ledger.values()) == 0


def test_a_repeated_reference_books_once(db: Database, account_id: int) -> None:
    for sats in (500, -300):
        first = book(db, account_id, sats, reference=f"for {sats}")
        again = book(db, account_id, sats, reference=f"for {sats}")
        assert (first.is_new, again.is_new) == (True, False)
        assert again.balance == first.balance
    assert len(recorded(db)) == 2
    assert_right(db)


def test_a_repeated_reference_is_accepted_when_the_limit_is_used_up(db: Database, account_id: int) -> None:
    book(db, account_id, LIMIT)
    assert not book(db, account_id, LIMIT).is_new


@pytest.mark.parametrize("sats", [499, -500])
def test_a_reference_is_not_used_for_something_else(db: Database, account_id: int, sats: int) -> None:
    book(db, account_id, 500)
    with pytest.raises(adjust.ReferenceUsed, match="accounts credit"):
        book(db, account_id, sats)
    other = open_account(db, seed=1)
    with pytest.raises(adjust.ReferenceUsed):
        book(db, other, 500)
    assert owned(db, account_id) == (COINS + 500, 0)


def test_the_daily_limit_names_its_setting_and_what_is_left(db: Database, account_id: int) -> None:
    book(db, account_id, 700)
    with pytest.raises(
        adjust.OperatorLimitReached, match=r"credit_per_day_sats = 1000 leaves 300 satoshis for credits"
    ):
        book(db, account_id, 301, reference="2")
    book(db, account_id, -900, reference="3")
    with pytest.raises(adjust.OperatorLimitReached, match=r"leaves 100 satoshis for debits"):
        book(db, account_id, -101, reference="4")
    book(db, account_id, 300, reference="5")
    book(db, account_id, 1000, reference="6", by=By("bob", "tomorrow", BY.wall_us + DAY_US))
    with pytest.raises(adjust.OperatorLimitReached, match="leaves 0 satoshis"):
        book(db, account_id, 1, reference="7", limit=0)
    assert_right(db)


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Return what threads that start together get: the result, or the refusal."""
    barrier = Barrier(count, timeout=30)

    def start(number: int) -> object:
        barrier.wait()
        try:
            return act(number)
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(start, range(count)))


def test_two_operators_at_once_stay_within_the_limit(db: Database, account_id: int) -> None:
    other = open_account(db, seed=1)
    found = at_once(4, lambda n: book(db, (account_id, other)[n % 2], 400, reference=f"{n}"))
    assert sum(isinstance(each, adjust.Adjusted) for each in found) == LIMIT // 400
    assert owned(db, account_id)[0] + owned(db, other)[0] == COINS + 800
    assert_right(db)


def test_a_reference_used_by_two_operators_at_once_is_booked_once(db: Database, account_id: int) -> None:
    found = at_once(4, lambda _: book(db, account_id, 400))
    assert sorted(each.is_new for each in found if isinstance(each, adjust.Adjusted)) == [False, False, False, True]
    assert owned(db, account_id)[0] == COINS + 400
    assert_right(db)


def test_two_operators_suspend_an_account_once(db: Database, account_id: int) -> None:
    found = at_once(3, lambda _: db.write_blocking(lambda tx: suspend.suspend(tx, account_id, now_us=START_US)))
    assert sorted(isinstance(each, suspend.Suspended) for each in found) == [False, False, True]


def test_what_races_with_a_suspension_is_refused_or_refunded(db: Database, account_id: int) -> None:
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))

    def act(number: int) -> object:
        if number == 0:
            return db.write_blocking(lambda tx: suspend.suspend(tx, account_id, now_us=START_US))
        return db.write_blocking(lambda tx: send_one(tx, rental))

    at_once(6, act)
    assert owned(db, account_id) == (COINS, 0)
    assert_right(db)


def send_one(tx: Tx, rental: Row) -> Row:
    return send.send(
        *(tx, rental["account_id"]),
        sender=rental["e164"],
        to="+13105550123",
        content="hello",
        now_us=START_US,
        daily_limit=None,
    )


def test_a_debit_beyond_the_balance_needs_to_become_debt(db: Database, account_id: int) -> None:
    with pytest.raises(adjust.BalanceTooLow, match="10000 satoshis, 500 fewer than 10500"):
        book(db, account_id, -COINS - 500, limit=10**6)
    assert book(db, account_id, -COINS - 500, limit=10**6, as_debt=True) == adjust.Adjusted(
        is_new=True, balance=0, debt=500
    )
    assert owned(db, account_id) == (0, 500)
    assert_right(db)


def test_a_credit_pays_the_debt_first(db: Database, account_id: int) -> None:
    book(db, account_id, -COINS - 500, limit=10**6, as_debt=True)
    assert book(db, account_id, 700, reference="2") == adjust.Adjusted(is_new=True, balance=200, debt=0)
    assert_right(db)


@pytest.mark.parametrize("sats", [0, money.SATS_MAX + 1, -money.SATS_MAX - 1])
def test_an_impossible_amount_is_refused(db: Database, account_id: int, sats: int) -> None:
    with pytest.raises(ValueError, match="is not a number of satoshis"):
        book(db, account_id, sats)


def test_an_unknown_or_closed_account_gets_no_credit(db: Database, account_id: int) -> None:
    with pytest.raises(UnknownAccount):
        book(db, 77_777, 5)
    close(db, account_id, forfeit=True)
    with pytest.raises(suspend.AccountClosed):
        book(db, account_id, 5)
    assert_right(db)


def test_verify_finds_a_credit_that_is_not_recorded(db: Database, account_id: int) -> None:
    book(db, account_id, 500)

    def record_more(tx: Tx) -> None:
        operator_actions.append(
            tx,
            operator="x",
            action="accounts credit",
            object_="",
            reason="",
            wall_us=0,
            account_id=account_id,
            sats=1,
        )

    db.write_blocking(record_more)
    (found,) = db.read_blocking(verify.differences)
    assert (found.recorded_sats, found.booked_sats) == (501, 500)  # type: ignore[union-attr]  # the only difference


# --- closing


def close(db: Database, account_id: int, *, forfeit: bool) -> int:
    return db.write_blocking(
        lambda tx: close_account.close_by_operator(tx, account_id, forfeit=forfeit, now_us=START_US, wall_us=START_US)
    )


def test_an_account_with_a_balance_is_closed_only_if_that_is_forfeited(db: Database, account_id: int) -> None:
    with pytest.raises(close_account.BalanceLeft, match="10000 satoshis: pay it out first, or add --forfeit"):
        close(db, account_id, forfeit=False)
    assert close(db, account_id, forfeit=True) == COINS
    assert owned(db, account_id) == (0, 0)
    assert_right(db)


def test_a_suspended_account_is_closed(db: Database, account_id: int) -> None:
    db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    db.write_blocking(lambda tx: suspend.suspend(tx, account_id, now_us=START_US))
    book(db, account_id, -(COINS - 13), limit=10**6)
    assert close(db, account_id, forfeit=False) == 0
    assert_right(db)
