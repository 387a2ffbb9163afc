"""SMS that wait for a carrier are retried as soon as it works again, and only those that it may send."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from dtmf_server.carriers.base import LinkStats
from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.operations import rent, send
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import outbox
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database
from dtmf_server.storage.schema import attempts
from dtmf_server.workers import carrier_recovery
from dtmf_server.workers.carrier_router import CarrierRouter
from harness import START_US, FakeWall, Group, give_coins, initialise, open_account, runtime_over

LATER_US = START_US + 600 * MINUTE_US


class Carrier:
    """A carrier whose link the test moves."""

    name = "london"

    def __init__(self) -> None:
        self.is_usable, self.state, self.looks = False, "failing", 0

    def can_submit(self) -> bool:
        return self.is_usable

    def traffic(self) -> Sequence[LinkStats]:
        self.looks += 1
        return [LinkStats("london 1", state=self.state)]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A database with the usual catalog."""
    with closing(open_database(database_url)) as database:
        initialise(database)
        yield database


@pytest.fixture
def runtime(db: Database) -> Runtime:
    return runtime_over(db, wall=FakeWall(LATER_US))


@pytest.fixture
def waiting(db: Database) -> list[int]:
    """The deliveries of three SMS that were attempted twice and are due in ten hours. The first one may be sent by any
    carrier, the second by paris, the third by paris or london."""
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)

    def queue(tx: Tx) -> list[int]:
        for group, carriers in ((Group().id, ""), ("tiny", "paris"), ("free", "paris london")):
            tx.run("UPDATE groups SET carriers = :carriers WHERE id = :id", id=group, carriers=carriers)
            e164 = rent.start(tx, account_id, group, now_us=START_US, cooldown_us=0)["e164"]
            send.send(tx, account_id, sender=e164, to="+31612345678", content="hi", now_us=START_US, daily_limit=None)
        tx.run("UPDATE deliveries SET attempts = 2, due_at_us = :due_us", due_us=LATER_US + 600 * MINUTE_US)
        return [row["id"] for row in tx.all("SELECT id FROM deliveries ORDER BY id")]

    return db.write_blocking(queue)


def due(db: Database, now_us: int = LATER_US) -> list[int]:
    """The deliveries that are due."""
    rows = db.read_blocking(
        lambda tx: tx.all("SELECT id FROM deliveries WHERE due_at_us <= :now_us ORDER BY id", now_us=now_us)
    )
    return [row["id"] for row in rows]


def make_due(db: Database, carrier: str, *, limit: int = 9) -> int:
    return db.write_blocking(lambda tx: outbox.make_carrier_due(tx, carrier, now_us=LATER_US, limit=limit))


@pytest.mark.parametrize(("carrier", "places"), [("london", [0, 2]), ("paris", [0, 1, 2]), ("oslo", [0])])
def test_the_sms_that_the_carrier_may_send_are_due(
    db: Database, waiting: list[int], carrier: str, places: list[int]
) -> None:
    assert make_due(db, carrier) == len(places)
    assert due(db) == [waiting[place] for place in places]
    assert make_due(db, carrier) == 0


def test_they_are_made_due_in_portions(db: Database, waiting: list[int]) -> None:
    assert [make_due(db, "paris", limit=2) for _ in range(3)] == [2, 1, 0]
    assert due(db) == waiting


@pytest.mark.parametrize(
    "change",
    [
        "state = 'parked', finished_at_us = 1",
        "submitted_at_us = 1, leased_until_us = 1",
        "leased_until_us = 1",
        "attempts = 0",
    ],
)
def test_an_sms_that_does_not_wait_for_a_retry_is_left_alone(db: Database, waiting: list[int], change: str) -> None:
    db.write_blocking(lambda tx: tx.run(f"UPDATE deliveries SET {change} WHERE id = :id", id=waiting[0]))
    make_due(db, "paris")
    assert due(db) == waiting[1:]


def test_an_sms_that_was_attempted_a_moment_ago_waits_a_little(db: Database, waiting: list[int]) -> None:
    """A carrier that comes and goes must not be asked at every turn."""
    tried_us = LATER_US - 5 * SECOND_US
    row = (waiting[0], 2, tried_us, 10, None, "down", None)
    db.write_blocking(
        lambda tx: tx.insert(
            attempts, ("delivery_id", "attempt", "at_us", "duration_us", "status", "reason", "reply"), [row]
        )
    )
    make_due(db, "paris")
    assert due(db) == waiting[1:]
    assert due(db, tried_us + outbox.RETRY_FLOOR_US) == waiting


def test_a_probe_is_the_oldest_sms_that_the_carrier_may_send(db: Database, waiting: list[int]) -> None:
    db.write_blocking(lambda tx: outbox.probe_carrier(tx, "london", now_us=LATER_US))
    assert due(db) == waiting[:1]
    (row,) = db.read_blocking(
        lambda tx: tx.all("SELECT attempts_before FROM deliveries WHERE due_at_us <= :n", n=LATER_US)
    )
    assert row["attempts_before"] == 1, "the retry schedule starts after it"


@pytest.fixture
async def carrier(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Carrier]:
    """A carrier that is watched, and is down."""
    monkeypatch.setattr(carrier_recovery, "LOOK_S", 0.01)
    watched, routes = Carrier(), CarrierRouter([])
    watching = asyncio.ensure_future(carrier_recovery.retry_when_up(runtime, watched, routes))
    yield watched
    assert not watching.done(), watching
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def eventually(db: Database, expected: list[int]) -> None:
    async with asyncio.timeout(30):
        while due(db) != expected:  # noqa: ASYNC110  # the database has no event for it
            await asyncio.sleep(0.01)


async def test_what_waits_is_due_when_the_carrier_comes_up(db: Database, waiting: list[int], carrier: Carrier) -> None:
    carrier.is_usable, carrier.state = True, "bound"
    await eventually(db, [waiting[0], waiting[2]])


async def test_one_sms_is_tried_while_only_a_request_can_show_that_the_carrier_works(
    db: Database, waiting: list[int], monkeypatch: pytest.MonkeyPatch, carrier: Carrier
) -> None:
    monkeypatch.setattr(carrier_recovery, "PROBE_S", 0)
    carrier.is_usable = True
    await eventually(db, waiting[:1])
    carrier.state = "bound"
    await eventually(db, [waiting[0], waiting[2]])


async def test_a_short_outage_is_left_to_the_schedule(db: Database, waiting: list[int], carrier: Carrier) -> None:
    """Otherwise each request that fails alone would make everything due that the carrier refused for other reasons."""
    carrier.is_usable, carrier.state = True, "bound"
    await eventually(db, [waiting[0], waiting[2]])
    db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = :late", late=2 * LATER_US))
    looks = carrier.looks
    for state in ("failing", "bound", "failing", "bound"):
        carrier.state = state
        looks += 2
        async with asyncio.timeout(30):
            while carrier.looks < looks:  # noqa: ASYNC110  # it has been looked at in this state
                await asyncio.sleep(0.01)
            looks = carrier.looks
    assert due(db) == []


def test_a_link_that_only_receives_says_nothing_about_sending() -> None:
    links = [LinkStats("london 1", state="failing"), LinkStats("london webhooks", state="bound", submits=False)]
    carrier: Any = SimpleNamespace(can_submit=lambda: True, traffic=lambda: links)
    assert not carrier_recovery.is_working(carrier)
    links[0].state = "bound"
    assert carrier_recovery.is_working(carrier)
