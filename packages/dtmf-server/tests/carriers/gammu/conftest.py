"""A simulated smsd beside the service's database, each on the same engine, and the carrier that reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.carriers.base import CarrierMessage
from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.trace import Trace
from dtmf_server.operations import rent, strays
from dtmf_server.storage.db import Database
from dtmf_server.workers.carrier_links import run_carrier
from dtmf_server.workers.carrier_router import CarrierRouter
from harness import START_US, FakeWall, give_coins, open_account, runtime_over
from postgres import drop_database, fresh_database
from support.providers.gammu import Smsd

NUMBER, SECOND_NUMBER, PHONE = "+12025550200", "+12025550101", "+447700900999"
LONG = "A long text that goes on for a while, and then for a while more. " * 5


def context(wall: Callable[[], int]) -> CarrierContext:
    """The context that a carrier gets from the service."""

    async def is_ours(_e164: str) -> bool:
        return False

    return CarrierContext(
        is_sandbox=True,
        callback_url=None,
        is_ours=is_ours,
        new_id=lambda: 1,
        uniform=lambda: 0.0,
        wall_us=wall,
        trace=Trace(),
    )


@dataclass
class World:
    """The service's database with one rented number, and smsd's."""

    db: Database
    smsd: Smsd
    wall: FakeWall
    account_id: int
    settings: dict[str, Any] = field(default_factory=dict)
    carriers: list[GammuCarrier] = field(default_factory=list)

    def carrier(self) -> GammuCarrier:
        """A carrier as a new process makes it."""
        modems = {"modem1": NUMBER, "modem2": SECOND_NUMBER}
        defaults = {"poll_ms": 50, "modems": modems, "time_zone": "UTC", "database": self.smsd.database}
        settings = GammuSettings(name="modems", kind="gammu", **defaults | self.settings)
        self.carriers.append(GammuCarrier(settings, context(self.wall)))
        return self.carriers[-1]

    def close(self) -> None:
        """Close the connections of every carrier, also of those that were not run."""
        for carrier in self.carriers:
            carrier._database.close()
            carrier._database._thread.shutdown()

    @asynccontextmanager
    async def running(self, carrier: GammuCarrier | None = None) -> AsyncIterator[GammuCarrier]:
        """Run the carrier as the service does, until the block ends."""
        carrier = carrier or self.carrier()
        task = asyncio.ensure_future(self.run(carrier))
        try:
            await until(lambda: carrier.traffic()[0].state != "connecting" or task.done())
            yield carrier
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self, carrier: GammuCarrier) -> None:
        """Run the carrier as the service does, until cancelled."""
        await run_carrier(runtime_over(self.db, wall=self.wall), carrier, CarrierRouter([carrier]))

    def texts(self) -> list[str]:
        """The renter's SMS, in the order in which they were stored."""
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT content FROM messages WHERE inbound ORDER BY id"))
        return [row["content"] for row in rows]

    def strays(self) -> int:
        """The number of SMS for numbers without a renter."""
        return sum(stray.count for stray in self.db.read_blocking(strays.latest))


@pytest.fixture
def smsd(db: Database, database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Smsd]:
    """smsd with its tables, on the engine that the service uses."""
    if database_url.startswith("sqlite"):
        smsd = Smsd(str(tmp_path / "smsd.db"))
        smsd.create()
        yield smsd
        return
    server = request.getfixturevalue("postgres_url")
    smsd = Smsd(fresh_database(server))
    smsd.create()
    yield smsd
    drop_database(server, smsd.database)


@pytest.fixture
def world(db: Database, smsd: Smsd, wall: FakeWall) -> Iterator[World]:
    """One renter of the first modem's number, and smsd running that modem."""
    account_id = open_account(db)
    give_coins(db, account_id, 100_000_000)
    db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=START_US, cooldown_us=0))
    wall.advance(seconds=60)
    smsd.alive(wall())
    world = World(db, smsd, wall, account_id)
    yield world
    world.close()


async def until(done: Callable[[], bool]) -> None:
    """Wait until this is true."""
    for _ in range(3000):
        if done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the condition was not met in time")


def sms(text: str = "hello", *, to: str = PHONE, sender: str = NUMBER) -> CarrierMessage:
    """An SMS from the first modem."""
    return CarrierMessage(sender, to, text)
