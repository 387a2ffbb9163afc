"""Debian's gammu-smsd on a simulated modem, read and written by our carrier."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dtmf_server.carriers.base import CarrierMessage, InboundSink
from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.trace import Trace
from dtmf_server.core.inbound import InboundMessage, Part, Receipt
from dtmf_server.core.sms_encoding import join
from dtmf_server.runtime.clock import wall_us
from peers.modem import Modem
from peers.smsd import Smsd, put
from postgres import drop_database, fresh_database
from support.providers.gammu import Smsd as Tables

NUMBER, PHONE = "+12025550200", "+447700900999"
LONG = "Long enough for two segments: " + "0123456789" * 15


class Sink:
    """Stores what the carrier brings in a list, each SMS once, like the service."""

    def __init__(self) -> None:
        self.items: dict[object, InboundMessage | Receipt] = {}

    async def receive(self, batch: object, _live: object) -> list[int]:
        assert isinstance(batch, list)
        for item in batch:
            self.items.setdefault(item.carrier_ref if isinstance(item, InboundMessage) else len(self.items), item)
        return [0] * len(batch)

    @property
    def sms(self) -> list[InboundMessage]:
        return [item for item in self.items.values() if isinstance(item, InboundMessage)]

    @property
    def receipts(self) -> list[bool | None]:
        return [item.delivered for item in self.items.values() if isinstance(item, Receipt)]


@pytest.fixture(params=["sqlite", "postgresql"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tables]:
    if request.param == "sqlite":
        tables = Tables(str(tmp_path / "smsd.db"))
        tables.create()
        yield tables
        return
    server = request.getfixturevalue("postgres_url")
    tables = Tables(fresh_database(server))
    tables.create()
    yield tables
    drop_database(server, tables.database)


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[Modem]:
    with Modem(tmp_path / "tty") as modem:
        yield modem


@pytest.fixture
def smsd(tmp_path: Path, modem: Modem, tables: Tables) -> Iterator[Smsd]:
    with Smsd(tmp_path, modem.link, tables) as smsd:
        yield smsd


def a_carrier(tables: Tables, time_zone: str = "UTC") -> GammuCarrier:
    async def is_ours(_e164: str) -> bool:
        return False

    settings = GammuSettings(
        name="modems",
        kind="gammu",
        database=tables.database,
        modems={"modem1": NUMBER},
        time_zone=time_zone,
        poll_ms=50,
    )
    context = CarrierContext(
        is_sandbox=True,
        callback_url=None,
        is_ours=is_ours,
        new_id=lambda: 1,
        uniform=lambda: 0.0,
        wall_us=wall_us,
        trace=Trace(),
    )
    return GammuCarrier(settings, context)


@asynccontextmanager
async def running(carrier: GammuCarrier, sink: Sink) -> AsyncIterator[None]:
    task = asyncio.ensure_future(carrier.run(InboundSink(sink.receive, lambda notes: None)))
    try:
        await until(carrier.can_submit)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    for _ in range(4500):
        if done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the condition was not met in time")


async def test_sms_of_every_kind_arrive(modem: Modem, smsd: Smsd, tables: Tables) -> None:
    sink, before_us = Sink(), wall_us()
    async with running(a_carrier(tables), sink):
        modem.deliver(PHONE, "Your code is 123456 {€}")
        modem.deliver("Google", "Код 42 😀")
        modem.deliver("12345", "two hours ahead", offset_h=2)
        modem.deliver("12345", "five hours behind", offset_h=-5)
        await until(lambda: len(sink.sms) == 4 and modem.used == 0)
        await until(lambda: tables.unprocessed() == [])
    assert [(one.to, one.sender, one.content) for one in sink.sms] == [
        (NUMBER, PHONE, "Your code is 123456 {€}"),
        (NUMBER, "Google", "Код 42 😀"),
        (NUMBER, "12345", "two hours ahead"),
        (NUMBER, "12345", "five hours behind"),
    ]
    for one in sink.sms:
        assert one.received_us is not None
        assert before_us - 2_000_000 <= one.received_us <= wall_us()


async def test_parts_arrive_with_their_headers(modem: Modem, smsd: Smsd, tables: Tables) -> None:
    sink = Sink()
    async with running(a_carrier(tables), sink):
        for number in (2, 1):
            modem.deliver(PHONE, LONG[90 * (number - 1) : 90 * number], udh=bytes([5, 0, 3, 9, 2, number]))
        await until(lambda: len(sink.sms) == 2)
    parts = [one.content for one in sink.sms if isinstance(one.content, Part)]
    assert {(part.place.ref, part.place.total) for part in parts} == {(9, 2)}
    assert join([(part.place.number, part.octets, part.coding) for part in parts], total=2) == LONG[:180]


async def test_sms_are_sent_and_reported(modem: Modem, smsd: Smsd, tables: Tables) -> None:
    sink, carrier = Sink(), a_carrier(tables)
    async with running(carrier, sink):
        await carrier.submit(1, CarrierMessage(NUMBER, PHONE, "ciao €"))
        await until(lambda: len(modem.sent) == 1)
        assert (modem.sent[0].to, modem.sent[0].text, modem.sent[0].wants_report) == (PHONE, "ciao €", True)
        await until(lambda: sink.receipts == [None])
        modem.report(modem.sent[0])
        await until(lambda: sink.receipts == [None, True])
        await carrier.submit(2, CarrierMessage(NUMBER, PHONE, LONG))
        await carrier.submit(2, CarrierMessage(NUMBER, PHONE, LONG))
        await until(lambda: len(modem.sent) == 3 and len(sink.receipts) >= 3)
        assert "".join(sent.text for sent in modem.sent[1:]) == LONG
        assert [sent.udh[-2:] for sent in modem.sent[1:]] == [b"\x02\x01", b"\x02\x02"]
        modem.report(modem.sent[2], status=0x46)  # the validity period expired
        await until(lambda: sink.receipts[-1] is False)
        assert len(modem.sent) == 3


async def test_an_sms_that_the_network_refuses_has_failed(modem: Modem, smsd: Smsd, tables: Tables) -> None:
    sink, carrier = Sink(), a_carrier(tables)
    async with running(carrier, sink):
        modem.refuses = 38
        await carrier.submit(1, CarrierMessage(NUMBER, PHONE, "refused"))
        await until(lambda: sink.receipts == [False])
    assert modem.sent == []
    assert [one.reason for one in sink.items.values() if isinstance(one, Receipt)] == [
        "the modem could not send the SMS: CMS error 38"
    ]


async def test_a_killed_smsd_loses_nothing_and_repeats_nothing(modem: Modem, smsd: Smsd, tables: Tables) -> None:
    sink, carrier = Sink(), a_carrier(tables)
    async with running(carrier, sink):
        for number in range(6):
            modem.deliver(PHONE, f"code {number}")
        await until(lambda: len(sink.sms) > 0)
        smsd.kill()
        modem.deliver(PHONE, "while smsd was away")
        smsd.start()
        await until(lambda: len(sink.sms) == 7 and modem.used == 0)
    assert sorted(str(one.content) for one in sink.sms) == sorted(
        [f"code {number}" for number in range(6)] + ["while smsd was away"]
    )


async def test_times_are_local_to_smsd(tmp_path: Path, modem: Modem) -> None:
    tables = Tables(str(tmp_path / "smsd.db"))
    tables.create()
    sink, before_us = Sink(), wall_us()
    with Smsd(tmp_path, modem.link, tables, time_zone="America/New_York"):
        async with running(a_carrier(tables, "America/New_York"), sink):
            modem.deliver(PHONE, "local", offset_h=3)
            await until(lambda: len(sink.sms) == 1)
    assert sink.sms[0].received_us is not None
    assert before_us - 2_000_000 <= sink.sms[0].received_us <= wall_us()


async def test_gammus_own_dummy_phone_receives_and_sends(tmp_path: Path) -> None:
    phone, tables = tmp_path / "phone", Tables(str(tmp_path / "smsd.db"))
    for number in range(1, 6):
        (phone / "sms" / str(number)).mkdir(parents=True)
    tables.create()
    sink, carrier = Sink(), a_carrier(tables)
    with Smsd(tmp_path, phone, tables):
        async with running(carrier, sink):
            put(phone, PHONE, "code 4711")
            await until(lambda: [one.content for one in sink.sms] == ["code 4711"])
            await carrier.submit(1, CarrierMessage(NUMBER, PHONE, "ciao"))
            await until(lambda: bool(sink.receipts))
    assert sink.receipts[0] is not False


def test_the_simulated_tables_have_the_columns_of_smsds_own(tmp_path: Path) -> None:
    """The script that Debian installs, where documentation is installed."""
    script = Path("/usr/share/doc/gammu-smsd/examples/sqlite.sql")
    if not script.exists():
        return
    shapes = []
    for name in ("theirs.db", "ours.db"):
        tables = Tables(str(tmp_path / name))
        if name == "theirs.db":
            with sqlite3.connect(tables.database) as connection:
                connection.executescript(script.read_text())
        else:
            tables.create()
        names = ("inbox", "outbox", "outbox_multipart", "phones", "sentitems")
        shapes.append({one: {row[1] for row in tables.execute(f"PRAGMA table_info({one})")} for one in names})
    assert shapes[0] == shapes[1]
