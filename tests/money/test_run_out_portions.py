"""A mass run-out in batches: if killed at any point, the next run completes it; each batch is bounded regardless of how
many rentals there are; and a batch of SMS does not wait for all of them."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import account, meter, receive, rent, verify
from dtmf_server.operations.ledger import ENDS_MAX
from dtmf_server.storage.db import Database, DoFirst, Tx
from harness import DAY_US, give_coins
from money import dying_run_out
from money.large_accounts import PRICE, Counting, Renter, ends, sweep
from money.oracle.minutes import PlainRental, pay_minutes
from support import preloaded
from support.paths import PYTHONPATH

MANY = 450
MINUTES = 9
WHOLE = 10_000
# The rows one batch may read and write for each rental that it ends: the rental, its number, its share, its event, and
# three sums of minute costs.
ROWS_PER_END = 10
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def after_all(renter: Renter, *, now_us: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the final balance and how each rental ended, counted minute by minute."""
    rentals: list[PlainRental] = renter.plain()
    left = pay_minutes(len(rentals) * PRICE * (MINUTES - 1) + 7, rentals, now_us)
    assert all(rental.ended_us is not None for rental in rentals)
    return left, sorted((r.id, r.ended_us or 0, r.paid_minutes) for r in rentals)


def die(url: str, renter: Renter, *, now_us: int, nth: int, place: str, who: str) -> int:
    """Return the exit status of a process that settles the account and is killed."""
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests), PYTHONPATH])
    arguments = [url, renter.id, now_us, nth, place, who]
    command = [sys.executable, "-m", "money.dying_run_out", *map(str, arguments)]
    code, _, _ = preloaded.run(command, env={**os.environ, "PYTHONPATH": paths}, timeout_s=60)
    return code


@pytest.mark.parametrize(
    ("who", "place", "nth", "committed"),
    [("meter", "before", 2, 1), ("meter", "inside", 1, 0), ("coins", "inside", 3, 2)],
)
def test_a_killed_mass_run_out_is_completed_by_the_next_run_with_exact_money(
    db: Database, database_url: str, who: str, place: str, nth: int, committed: int
) -> None:
    renter = Renter(db, MANY, seed=1, apart_us=700_001, minutes=MINUTES)
    now_us = renter.now_us + DAY_US
    left, expected = after_all(renter, now_us=now_us)
    assert die(database_url, renter, now_us=now_us, nth=nth, place=place, who=who) == -signal.SIGKILL
    assert renter.live() == MANY - committed * ENDS_MAX, "only whole batches are committed"
    assert db.read_blocking(verify.differences) == []
    assert db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=now_us)) == left
    if who == "coins":  # the coins were not acknowledged, so the chain delivers them again
        give_coins(db, renter.id, dying_run_out.COINS, now_us=now_us)
        left += dying_run_out.COINS
    while sweep(db, now_us=now_us):
        pass
    assert ends(db, renter.id) == expected
    assert db.read_blocking(lambda tx: account.balance(tx, renter.id, now_us=now_us)) == left
    assert db.read_blocking(verify.differences) == []


@ON_SQLITE
def test_a_run_out_batch_is_bounded_with_10_000_rentals(db: Database) -> None:
    renter = Renter(db, WHOLE, seed=2, apart_us=5_999, minutes=MINUTES)
    now_us = renter.now_us + DAY_US

    def portion(tx: Tx) -> tuple[int, int, int]:
        counting, connection = Counting(tx), tx._cursor.connection
        before = connection.total_changes
        settled = meter.sweep(counting, now_us=now_us)
        return settled, counting.rows, connection.total_changes - before

    ended, was_live = [], WHOLE
    while True:
        settled, read, written = db.write_blocking(portion)
        if not settled:
            break
        live = renter.live()
        ended.append(was_live - live)
        assert read <= ROWS_PER_END * ENDS_MAX
        assert written <= ROWS_PER_END * ENDS_MAX
        was_live = live
    assert was_live == 0
    assert max(ended) <= ENDS_MAX
    assert db.read_blocking(verify.differences) == []


def without_waiting(do: Callable[[Tx], list[int | None]]) -> Callable[[Tx], list[int | None]]:
    """Wrap the function so that the test fails if other transactions are committed before it."""

    def run(tx: Tx) -> list[int | None]:
        try:
            return do(tx)
        except DoFirst:
            pytest.fail("it waited for other transactions")

    return run


@pytest.mark.regression("batch-does-not-wait-for-run-out")
@pytest.mark.parametrize("portions", [0, 1])
@pytest.mark.parametrize("apart_us", [0, 700_001])
def test_a_batch_does_not_wait_for_the_mass_run_out_of_one_of_its_accounts(
    db: Database, apart_us: int, portions: int
) -> None:
    renter = Renter(db, MANY, seed=3, apart_us=apart_us, minutes=MINUTES)
    neighbour = Renter(db, 1, seed=4, apart_us=0)
    now_us = renter.now_us + DAY_US
    for _ in range(portions):
        sweep(db, now_us=now_us)
    live = renter.live()
    assert live == MANY - portions * ENDS_MAX
    inbound = [InboundMessage(e164, "+1", "x") for e164 in (renter.e164s[-1], neighbour.e164s[0])]
    stray, stored = db.write_blocking(without_waiting(lambda tx: receive.receive_many(tx, inbound, now_us=now_us)))
    assert stray is None and stored is not None
    assert renter.live() == live, "the batch ended rentals of the account"
    assert db.read_blocking(verify.differences) == []


def test_an_sms_for_a_number_that_outlives_a_mass_run_out_is_stored(db: Database) -> None:
    renter = Renter(db, MANY, seed=5, apart_us=700_001, minutes=MINUTES)
    free = db.write_blocking(lambda tx: rent.start(tx, renter.id, "free", now_us=renter.now_us, cooldown_us=DAY_US))
    now_us = renter.now_us + DAY_US
    sweep(db, now_us=now_us)
    inbound = [InboundMessage(e164, "+1", "x") for e164 in (renter.e164s[-1], free["e164"])]
    stray, stored = db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=now_us))
    assert stray is None and stored is not None
    assert renter.live() == 1
    assert db.read_blocking(verify.differences) == []
