"""Faults of smsd: it stops, its database is locked, away or another one, and nothing is lost or sent twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dtmf_server.carriers.base import CarrierRefused, ChecksItself
from dtmf_server.carriers.gammu import database
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.carriers.registry import find

from .conftest import NUMBER, World, sms, until


async def test_a_stopped_smsd_takes_no_sms_and_is_reported(world: World) -> None:
    async with world.running() as carrier:
        first, second = carrier.traffic()
        await until(lambda: first.state == "bound")
        assert (second.state, second.reason) == ("down", "smsd has no modem with PhoneID 'modem2'")
        world.wall.advance(seconds=300)
        await until(lambda: first.state == "down")
        assert "is it running" in first.reason
        assert not carrier.can_submit()
        with pytest.raises(CarrierRefused, match="the modem is down"):
            await carrier.submit(1, sms())
        world.smsd.alive(world.wall())
        await until(carrier.can_submit)


async def test_an_smsd_that_was_stopped_before_the_service_started_is_down(world: World) -> None:
    world.wall.advance(seconds=3600)
    async with world.running() as carrier:
        await until(lambda: carrier.traffic()[0].state == "down")


async def test_a_database_that_is_away_is_used_again_when_it_returns(world: World) -> None:
    async with world.running() as carrier:
        await until(carrier.can_submit)
        world.smsd.execute("ALTER TABLE inbox RENAME TO away")
        await until(lambda: carrier.traffic()[0].state == "down")
        assert "smsd's database" in carrier.traffic()[0].reason
        world.smsd.execute("ALTER TABLE away RENAME TO inbox")
        world.smsd.receive("after", at_us=world.wall())
        await until(lambda: world.texts() == ["after"] and carrier.can_submit())


async def test_a_locked_sqlite_file_is_waited_for_and_then_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if world.smsd.is_postgresql:
        with pytest.raises(database.SmsdUnavailable):
            await database.SmsdDatabase("postgresql://127.0.0.1:1/none").do(lambda execute: execute("SELECT 1"))
        return
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    async with world.running() as carrier:
        await until(carrier.can_submit)
        with closing(sqlite3.connect(world.smsd.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await until(lambda: "locked" in carrier.traffic()[0].reason)
            with pytest.raises(CarrierRefused) as refused:
                await carrier.submit(1, sms())
            assert not refused.value.may_be_taken
            other.execute("ROLLBACK")
        world.smsd.receive("after", at_us=world.wall())
        await until(lambda: world.texts() == ["after"])


async def test_a_missing_sqlite_file_is_not_created(tmp_path: Path) -> None:
    missing = database.SmsdDatabase(str(tmp_path / "none.db"))
    with pytest.raises(database.SmsdUnavailable, match="No such file"):
        await missing.do(lambda execute: execute("SELECT 1"))
    assert not (tmp_path / "none.db").exists()


async def test_check_explains_what_it_found(world: World) -> None:
    carrier: ChecksItself = world.carrier()
    found = {one.name: one for one in await carrier.check()}
    assert found["database"].is_ok is True
    assert found["modem modem1"].is_ok is True
    assert "signal 60 %" in found["modem modem1"].detail
    assert found["modem modem2"].is_ok is False
    assert "phoneid" in found["modem modem2"].fix
    assert found["SIM storage"].is_ok is None
    world.wall.advance(seconds=3600)
    assert {one.name: one.is_ok for one in await carrier.check()}["modem modem1"] is False
    world.smsd.execute("DROP TABLE inbox")
    (only,) = await carrier.check()
    assert (only.name, only.is_ok) == ("database", False)


async def test_a_trace_has_no_text(world: World) -> None:
    carrier = world.carrier()
    carrier._context.trace.is_on = True
    async with world.running(carrier):
        await until(carrier.can_submit)
        world.smsd.receive("Your code is 123456", at_us=world.wall())
        await carrier.submit(1, sms("secret words"))
        await until(lambda: carrier.traffic()[0].arrived == 1)
    said = " ".join(entry.text for entry in carrier._context.trace.take())
    assert "inbox 1" in said
    assert "outbox 1" in said
    assert "123456" not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"modems": {}}, "modems"),
        ({"modems": {"a": "07700900001"}}, "modems"),
        ({"modems": {"a": NUMBER, "b": NUMBER}}, "modems"),
        ({"database": "postgresql://user:secret@db.example.org/smsd"}, "database"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], wrong: str) -> None:
    plain: dict[str, object] = {"name": "x", "database": "/var/lib/smsd.db", "modems": {"a": NUMBER}}
    settings = GammuSettings(**{**plain, **changes})  # type: ignore[arg-type]  # settings of any type
    assert [key for key, _ in settings.disagreements(is_sandbox=True)] == [wrong]
    assert "secret" not in repr(settings)
    assert find("gammu").settings is GammuSettings
