"""Clock jumps never charge twice, never refund, and never bill past the run-out."""

import asyncio
from contextlib import suppress

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import account, meter, rent, verify
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.server import process
from dtmf_server.storage import events
from dtmf_server.storage.db import Database, Row
from dtmf_server.workers import meter as meter_worker
from dtmf_server.workers.clock_guard import ClockGuard
from dtmf_server.workers.meter import run_meter
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall, give_coins, open_account

YEAR_US = 365 * DAY_US
PRICE = 13  # per minute of us-mobile
COINS = 1000
LASTS = COINS // PRICE  # minutes
RUN_OUT_US = START_US + LASTS * MINUTE_US

both = pytest.mark.parametrize("settled", [False, True], ids=["fresh", "settled"])


class Renter:
    """An account with COINS that rents one number from START_US."""

    def __init__(self, db: Database, *, settled: bool = False) -> None:
        self.db, self.id = db, open_account(db)
        give_coins(db, self.id, COINS)
        self.e164 = self.rents(START_US)
        if settled:
            self.is_settled(START_US + 10 * MINUTE_US)

    def rents(self, at_us: int) -> str:
        row = self.db.write_blocking(lambda tx: rent.start(tx, self.id, "us-mobile", now_us=at_us, cooldown_us=DAY_US))
        return str(row["e164"])

    def is_settled(self, at_us: int) -> None:
        def settle(tx):  # type: ignore[no-untyped-def]  # a function over a transaction
            with open_ledger(tx, [self.id], now_us=at_us):
                pass

        self.db.write_blocking(settle)

    def receives(self, at_us: int) -> int | None:
        sms = InboundMessage(self.e164, "+1234", "hello")
        return self.db.write_blocking(lambda tx: receive_many(tx, [sms], now_us=at_us))[0]

    def sweep(self, at_us: int) -> int:
        return self.db.write_blocking(lambda tx: meter.sweep(tx, now_us=at_us))

    def balance(self, at_us: int) -> int:
        return self.db.read_blocking(lambda tx: account.balance(tx, self.id, now_us=at_us))

    def live(self, at_us: int) -> list[str]:
        rows = self.db.read_blocking(lambda tx: rent.live_rentals(tx, self.id, now_us=at_us))
        return [str(row["e164"]) for row in rows]

    def rentals(self) -> list[Row]:
        return self.db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals ORDER BY id"))

    def minutes_paid(self) -> int:
        """Return the satoshis booked for minutes, after checking that the books add up and their times are in order."""
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT * FROM transfers ORDER BY id"))
        times = [row["at_us"] for row in rows]
        assert times == sorted(times), "an account's time ran backwards"
        assert self.db.read_blocking(verify.differences) == []
        return sum(row["amount"] for row in rows if row["kind"] == "rental_minutes")


@both
def test_an_hour_back_charges_nothing_and_gives_nothing_back(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    at_us = START_US + 10 * MINUTE_US + 1
    renter.is_settled(at_us)
    before = renter.balance(at_us)
    assert before == COINS - 11 * PRICE
    for back_us in (at_us - HOUR_US, at_us - HOUR_US + MINUTE_US, at_us - 1, at_us):
        renter.is_settled(back_us)
        assert renter.sweep(back_us) == 0
        assert renter.balance(back_us) == before
    assert renter.minutes_paid() == 11 * PRICE
    assert renter.balance(START_US + 11 * MINUTE_US) == before - PRICE, (
        "the next minute is charged once, when it begins"
    )


@both
def test_while_the_clock_is_back_events_happen_at_the_accounts_own_time(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    at_us = START_US + 20 * MINUTE_US
    renter.is_settled(at_us)
    assert renter.receives(at_us - HOUR_US) is not None
    second = renter.rents(at_us - HOUR_US)
    db.write_blocking(lambda tx: rent.end(tx, renter.id, second, now_us=at_us - HOUR_US))
    message = db.read_blocking(lambda tx: tx.one("SELECT at_us FROM messages"))
    ended = renter.rentals()[-1]
    assert message is not None and message["at_us"] == at_us
    assert (ended["started_at_us"], ended["ended_at_us"], ended["booked_minutes"]) == (at_us, at_us, 1)
    assert renter.minutes_paid() == 21 * PRICE + PRICE


@both
def test_a_jump_of_a_year_bills_up_to_the_run_out_and_no_further(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    assert renter.sweep(START_US + YEAR_US) == 1
    (rental,) = renter.rentals()
    assert (rental["ended_at_us"], rental["end_reason"]) == (RUN_OUT_US, "depleted")
    assert rental["booked_minutes"] == LASTS
    assert renter.minutes_paid() == LASTS * PRICE
    assert renter.balance(START_US + YEAR_US) == COINS - LASTS * PRICE


@both
def test_a_jump_of_a_year_and_back_charges_nothing_twice(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    ahead_us, back_us = START_US + YEAR_US, START_US + 20 * MINUTE_US
    renter.sweep(ahead_us)
    left = COINS - LASTS * PRICE
    assert renter.balance(back_us) == left and renter.live(back_us) == [] and renter.sweep(back_us) == 0
    give_coins(db, renter.id, COINS, now_us=back_us)
    renter.rents(back_us)
    assert renter.rentals()[-1]["started_at_us"] == ahead_us, "the account stays a year ahead"
    assert renter.balance(back_us) == renter.balance(ahead_us) == left + COINS - PRICE
    assert renter.balance(ahead_us + MINUTE_US) == left + COINS - 2 * PRICE
    renter.is_settled(ahead_us + 3 * MINUTE_US)
    assert renter.minutes_paid() == LASTS * PRICE + 4 * PRICE


@both
def test_a_jump_of_a_year_and_back_without_a_write_changes_nothing(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    ahead_us, back_us = START_US + YEAR_US, START_US + 20 * MINUTE_US
    assert renter.balance(ahead_us) == COINS - LASTS * PRICE and renter.live(ahead_us) == []
    assert renter.balance(back_us) == COINS - 21 * PRICE and renter.live(back_us) == [renter.e164]
    renter.is_settled(back_us)
    assert renter.minutes_paid() == 21 * PRICE


@both
def test_a_day_down_past_the_run_out_ends_the_rental_when_the_money_ran_out(db: Database, settled: bool) -> None:
    renter = Renter(db, settled=settled)
    up_again_us = START_US + DAY_US
    assert renter.balance(up_again_us) == COINS - LASTS * PRICE and renter.live(up_again_us) == []
    assert renter.receives(up_again_us) is None, "an SMS after the run-out is not billed to the former renter"
    assert renter.sweep(up_again_us) == 0, "receiving has settled the account already"
    (rental,) = renter.rentals()
    assert (rental["ended_at_us"], rental["booked_minutes"]) == (RUN_OUT_US, LASTS)
    assert renter.minutes_paid() == LASTS * PRICE
    number = db.read_blocking(lambda tx: tx.one("SELECT * FROM numbers WHERE e164 = :e164", e164=renter.e164))
    assert number is not None and number["released_at_us"] == RUN_OUT_US


def test_a_rental_ends_exactly_at_the_run_out_and_not_a_microsecond_earlier(db: Database) -> None:
    renter = Renter(db)
    renter.sweep(RUN_OUT_US - 1)
    assert renter.live(RUN_OUT_US - 1) == [renter.e164]
    assert renter.sweep(RUN_OUT_US) == 1
    assert renter.live(RUN_OUT_US) == []
    assert renter.minutes_paid() == LASTS * PRICE


def test_minutes_are_booked_at_least_once_a_day(db: Database) -> None:
    renter = Renter(db)
    give_coins(db, renter.id, 10**6)
    assert renter.sweep(START_US + DAY_US - 1) == 0
    assert renter.sweep(START_US + DAY_US) == 1 and renter.sweep(START_US + DAY_US) == 0
    assert renter.minutes_paid() == (24 * 60 + 1) * PRICE


# --- the clock guard ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall_us", "monotonic_us", "jumped"),
    [
        (0, 0, False),
        (HOUR_US, 0, False),
        (HOUR_US + 1, 0, True),
        (-HOUR_US, 0, False),
        (-HOUR_US - 1, 0, True),
        (YEAR_US, 0, True),
        (YEAR_US, YEAR_US, False),
        (0, HOUR_US + 1, True),
        (DAY_US, DAY_US - HOUR_US, False),
        (DAY_US, DAY_US - HOUR_US - 1, True),
    ],
)
def test_clocks_more_than_an_hour_apart_have_jumped(wall_us: int, monotonic_us: int, jumped: bool) -> None:
    wall, monotonic = FakeWall(), FakeWall(at_us=7)
    guard = ClockGuard(wall, lambda: monotonic() * 1000)
    wall.advance(us=wall_us)
    monotonic.advance(us=monotonic_us)
    assert guard.has_jumped() is jumped


class AskedGuard(ClockGuard):
    """A clock guard that signals when the meter has queried it a few times."""

    def __init__(self, wall: FakeWall, monotonic: FakeWall) -> None:
        super().__init__(wall, lambda: monotonic() * 1000)
        self.asked, self.asked_often = 0, asyncio.Event()

    def has_jumped(self) -> bool:
        self.asked += 1
        if self.asked == 5:
            self.asked_often.set()
        return super().has_jumped()


async def test_the_meter_pauses_while_the_clocks_disagree_and_resumes_when_they_agree(
    runtime: Runtime, wall: FakeWall, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(meter_worker, "POLL_INTERVAL_S", 0.001)
    renter = Renter(runtime.db)
    monotonic = FakeWall(at_us=0)
    guard = AskedGuard(wall, monotonic)
    wall.advance(us=YEAR_US)
    running = asyncio.create_task(run_meter(runtime, guard))
    async with asyncio.timeout(10):
        await guard.asked_often.wait()  # each further query shows that the previous one led to no sweep
    assert renter.rentals()[0]["ended_at_us"] is None, "the meter ended a rental by a clock that can't be trusted"
    assert "the clock has jumped" in caplog.text
    monotonic.advance(us=YEAR_US)  # the year had really passed
    swept = runtime.db.wakeups.listen(events.topic(renter.id))
    async with asyncio.timeout(10):
        while renter.rentals()[0]["ended_at_us"] is None:
            await swept.wait()
            swept.clear()
    runtime.db.wakeups.unlisten(swept)
    assert renter.rentals()[0]["ended_at_us"] == RUN_OUT_US
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


class JumpingGuard(ClockGuard):
    """A clock guard whose wall clock jumps by a year right after the first query."""

    def __init__(self, wall: FakeWall) -> None:
        super().__init__(wall, lambda: 0)
        self.wall, self.asked_again, self._asked = wall, asyncio.Event(), 0

    def has_jumped(self) -> bool:
        jumped = super().has_jumped()
        self._asked += 1
        if self._asked == 1:
            self.wall.advance(us=YEAR_US)
        if self._asked == 5:
            self.asked_again.set()
        return jumped


async def test_a_clock_jump_right_after_the_check_ends_no_rental(
    runtime: Runtime, wall: FakeWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter_worker, "POLL_INTERVAL_S", 0.001)
    renter, guard = Renter(runtime.db), JumpingGuard(wall)
    running = asyncio.create_task(run_meter(runtime, guard))
    async with asyncio.timeout(10):
        await guard.asked_again.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert renter.rentals()[0]["ended_at_us"] is None, "the meter ended a rental by a clock that can't be trusted"


async def test_a_clock_jump_while_the_meter_waits_for_the_chain_ends_no_rental(
    runtime: Runtime, wall: FakeWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed, jumped, asked_often = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def follow_chain(runtime: Runtime, caught_up: asyncio.Event) -> None:
        followed.set()
        await jumped.wait()
        caught_up.set()

    def guard_of(_: object) -> AskedGuard:
        guard = AskedGuard(wall, FakeWall(at_us=0))
        guard.asked_often = asked_often
        return guard

    monkeypatch.setattr(meter_worker, "POLL_INTERVAL_S", 0.001)
    monkeypatch.setattr(process, "_follow_chain", follow_chain)
    monkeypatch.setattr(process, "ClockGuard", guard_of)
    renter = Renter(runtime.db)
    async with asyncio.timeout(20), process.running_workers(runtime):
        await followed.wait()
        wall.advance(us=YEAR_US)
        jumped.set()
        await asked_often.wait()
    assert renter.rentals()[0]["ended_at_us"] is None, "the meter ended a rental by a clock that can't be trusted"
