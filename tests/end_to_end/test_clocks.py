"""Clock jumps from a customer's view: the whole service runs, or is down, while the system clock jumps."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dtmf import DTMF
from dtmf_server.operations import verify
from dtmf_server.storage.db import Database
from harness import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    START_US,
    FakeWall,
    give_coins,
    new_token,
    open_account,
    runtime_over,
    serving,
)

YEAR_US = 365 * DAY_US
PER_MINUTE, PER_SMS = 13, 705  # of us-mobile


class Renter:
    """A funded account that rents one number from START_US on, and the expected cost of its minutes by now."""

    def __init__(self, db: Database, *, seed: int, coins: int) -> None:
        self.seed, self.coins, self.later_coins, self.sms = seed, coins, 0, 0
        self.settled_us, self.extra, self.missing = START_US, 0, 0
        give_coins(db, open_account(db, seed=seed), coins)
        self.e164 = ""

    def call(self, url: str) -> DTMF:
        """Its own client."""
        return DTMF(new_token(self.seed), base_url=url)

    def rents(self, url: str) -> None:
        """The rented number."""
        with self.call(url) as dtmf:
            self.e164 = dtmf.start_rental("us-mobile")["e164"]

    def has_lost_its_number(self, url: str) -> bool:
        """Return whether the number is rented, according to the service."""
        with self.call(url) as dtmf:
            return self.e164 not in [number["e164"] for number in dtmf.numbers()]

    def receives(self, url: str, at_us: int) -> None:
        """Simulate an SMS, which settles the account."""
        with self.call(url) as dtmf:
            dtmf.sandbox.receive(self.e164, "Bank", "code")
        self.sms += 1
        self.settled_us = max(self.settled_us, at_us)

    def deposits(self, url: str, at_us: int) -> None:
        """Simulate a deposit, which settles the account first."""
        with self.call(url) as dtmf:
            dtmf.sandbox.deposit(dtmf.new_address()["address"], 1_000_000)
        self.later_coins += 1_000_000
        self.settled_us = max(self.settled_us, at_us)

    def look(self, url: str, at_us: int) -> None:
        """Compare the balance with the minutes started by now, or by the account's own time if that is later."""
        with self.call(url) as dtmf:
            charged = self.coins + self.later_coins - self.sms * PER_SMS - dtmf.account()["balance"]
        affordable = (self.coins - self.sms * PER_SMS) // PER_MINUTE
        accrued = 1 + (max(self.settled_us, at_us) - START_US) // MINUTE_US
        due = PER_MINUTE * min(accrued, affordable)
        self.extra += max(0, charged - due)
        self.missing += max(0, due - charged)


class Running:
    """The whole service with its workers, and a clock that can jump while it runs or is down."""

    def __init__(self, db: Database, wall: FakeWall) -> None:
        self._db, self._wall, self._running, self.jumps = db, wall, ExitStack(), 0
        self.start()

    def start(self) -> None:
        """Start the service, possibly at another address."""
        self.url = self._running.enter_context(serving(runtime_over(self._db, wall=self._wall)))

    def stop(self) -> None:
        """Stop the service cleanly."""
        self._running.close()

    def jump(self, us: int, *, running: bool = True) -> None:
        """Make the clock jump."""
        self.jumps += 1
        if not running:
            self.stop()
        self._wall.advance(us=us)
        if not running:
            self.start()


@pytest.fixture
def service(db: Database, wall: FakeWall) -> Iterator[Running]:
    """The service."""
    started = Running(db, wall)
    yield started
    started.stop()


def live_through_jumps(service: Running, wall: FakeWall, poor: Renter, rich: Renter) -> None:
    """Jump an hour back and a day ahead, past the time when the poor account runs out; then a year ahead and back."""

    def look() -> None:
        for renter in (poor, rich):
            renter.look(service.url, wall())

    service.jump(10 * MINUTE_US)
    rich.receives(service.url, wall())
    look()
    for running in (True, False):
        service.jump(-HOUR_US, running=running)
        rich.receives(service.url, wall())  # at the account's own time, which never goes back
        rich.look(service.url, wall())
        service.jump(HOUR_US, running=running)
        look()
    service.jump(DAY_US, running=False)
    look()
    assert poor.has_lost_its_number(service.url)
    rich.receives(service.url, wall())
    for writes in (False, True):  # a year without writes leaves no trace
        service.jump(YEAR_US)
        for renter in (poor, rich) if writes else ():
            renter.deposits(service.url, wall())
        assert rich.has_lost_its_number(service.url)
        look()
        service.jump(-YEAR_US)
        assert rich.has_lost_its_number(service.url) is writes
        look()


def test_wherever_the_clock_jumps_each_minute_is_paid_once_and_none_past_the_run_out(
    db: Database, wall: FakeWall, service: Running
) -> None:
    renters = Renter(db, seed=1, coins=1000), Renter(db, seed=2, coins=PER_MINUTE * 60 * 24 * 30)
    for renter in renters:
        renter.rents(service.url)
    live_through_jumps(service, wall, *renters)
    rentals = {row["account_id"]: row for row in db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals"))}
    transfers = db.read_blocking(lambda tx: tx.all("SELECT * FROM transfers"))
    past = 0
    for id_, row in rentals.items():
        minutes = (row["ended_at_us"] - row["started_at_us"]) // MINUTE_US
        billed = sum(each["amount"] for each in transfers if (each["debit"], each["kind"]) == (id_, "rental_minutes"))
        past += max(0, billed - PER_MINUTE * minutes)
    given_back = sum(row["amount"] for row in transfers if row["credit"] in rentals and row["kind"] != "deposit")
    extra, missing = sum(renter.extra for renter in renters), sum(renter.missing for renter in renters)
    print(f"{service.jumps} jumps of the clock: {extra} sats charged twice, {given_back} sats given back,")
    print(f"{past} sats billed past the run-out, {missing} sats of minutes not charged")
    assert (extra, given_back, past, missing) == (0, 0, 0, 0)
    assert [row["end_reason"] for row in rentals.values()] == ["depleted", "depleted"]
    assert db.read_blocking(verify.differences) == []
