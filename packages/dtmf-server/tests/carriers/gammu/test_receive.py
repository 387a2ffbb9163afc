"""Receiving through smsd's tables: stored once, in order, and marked as processed only then."""

from datetime import UTC
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dtmf_server.carriers.gammu import inbox, tables
from dtmf_server.carriers.gammu.rows import InboxRow, inbound, wall_us
from dtmf_server.core.inbound import Part
from harness import START_US
from support.providers.gammu import parts

from .conftest import LONG, World, until

HOUR_US = 3_600_000_000


def row(**changes: Any) -> InboxRow:
    plain = {
        "text": "hi".encode("utf-16-be").hex(),
        "coding": "Default_No_Compression",
        "udh": "",
        "text_decoded": "hi",
    }
    received = {"id": 1, "phone_id": "modem1", "sender": "Bank", "received": "2026-11-30 12:00:00"}
    return InboxRow(**{**received, **plain, **changes})


async def test_an_sms_reaches_its_renter_and_is_then_marked_as_processed(world: World) -> None:
    async with world.running() as carrier:
        world.smsd.receive("Your code is 123456", at_us=world.wall(), sender="Bank")
        await until(lambda: [link.arrived for link in carrier.traffic()] == [1, 0])
    assert world.smsd.unprocessed() == []
    assert world.texts() == ["Your code is 123456"]


async def test_texts_of_every_coding_arrive(world: World) -> None:
    for text, coding in [("{€} ñ", ""), ("код 42 😀", "Unicode_No_Compression")]:
        world.smsd.receive(text, coding=coding, at_us=world.wall())
    world.smsd.receive(b"plain", at_us=world.wall())
    world.smsd.receive(b"\x00\xff", at_us=world.wall())
    world.smsd.receive("", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["{€} ñ", "код 42 😀", "plain", "00ff", ""]


async def test_rows_that_cannot_be_read_are_delivered_all_the_same(world: World) -> None:
    first = world.smsd.receive("one", at_us=world.wall(), text_decoded="as smsd read it")
    world.smsd.execute('UPDATE inbox SET "Text" = \'no hexadecimal\' WHERE "ID" = ?', first)
    world.smsd.receive("", coding="Unicode_Compression", at_us=world.wall())
    world.smsd.receive("bad header", udh="ZZ", at_us=world.wall())
    world.smsd.receive("impossible part", udh="050003010207", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["as smsd read it", "\ufffd", "bad header", "impossible part"]


async def test_parts_are_joined_by_their_header_in_any_order(world: World) -> None:
    text = "Ünïcode 😀 " * 12  # a surrogate pair is split between parts
    octets = [(piece, udh) for piece, udh in parts(text, ref=7)]
    units = text.encode("utf-16-be")
    pieces = [units[at : at + 134].decode("utf-16-be", "surrogatepass") for at in range(0, len(units), 134)]
    headers = [f"050003{7:02X}{len(pieces):02X}{number:02X}" for number in range(1, len(pieces) + 1)]
    assert octets
    for piece, udh in reversed([*zip(pieces, headers, strict=True)]):
        world.smsd.receive(piece, udh=udh, coding="Unicode_No_Compression", at_us=world.wall(), text_decoded="")
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == [text]


async def test_an_sms_that_smsd_has_assembled_is_not_shown_twice(world: World) -> None:
    """smsd writes the whole text into the first part's TextDecoded."""
    for at, (piece, udh) in enumerate(parts(LONG, ref=1, size=150)):
        world.smsd.receive(piece, udh=udh, at_us=world.wall(), text_decoded="" if at else LONG)
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == [LONG]


async def test_parts_of_two_senders_with_one_reference_are_not_mixed(world: World) -> None:
    texts = {"+447700900001": "first " * 40, "+447700900002": "other " * 40}
    for pieces in zip(*(parts(text, ref=9, size=150) for text in texts.values()), strict=True):
        for sender, (piece, udh) in zip(texts, pieces, strict=True):
            world.smsd.receive(piece, udh=udh, sender=sender, at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert sorted(world.texts()) == sorted(texts.values())


async def test_a_missing_part_is_shown_as_a_gap(world: World) -> None:
    (first, udh), *_ = parts(LONG, ref=3, size=150)
    world.smsd.receive(first, udh=udh, at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
        assert world.texts() == []
        world.wall.advance(seconds=86_400)
        await until(lambda: world.texts() == [first + "[…]"])


async def test_an_sms_that_smsd_inserted_twice_is_shown_once(world: World) -> None:
    """smsd inserts an SMS again if it is killed before it has deleted it from the SIM."""
    for _ in range(2):
        world.smsd.receive("only once", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
        world.smsd.receive("only once", at_us=world.wall())
        await until(lambda: not world.smsd.unprocessed())
        world.smsd.receive("only once", at_us=world.wall() - 1_000_000)
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["only once"] * 2


async def test_a_killed_service_stores_nothing_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the SMS was stored and before it was marked."""

    def die(*_: object, **__: object) -> None:
        raise SystemError

    world.smsd.receive("once", at_us=world.wall())
    with monkeypatch.context() as patch:
        patch.setattr(tables, "mark_processed", die)
        with pytest.raises(SystemError):
            await world.run(world.carrier())
    assert world.texts() == ["once"]
    assert world.smsd.unprocessed()
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["once"]


async def test_10000_sms_of_an_outage_are_stored_in_batches_and_in_order(world: World) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    world.smsd.execute(
        'INSERT INTO inbox ("ReceivingDateTime", "Text", "SenderNumber", "UDH", "TextDecoded", "RecipientID")'
        f" {many} SELECT ?, '', 'Bank', '', CAST(i AS text), 'modem1' FROM n ORDER BY n.i",
        world.smsd.local(world.wall()),
    )
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == [str(number) for number in range(1, 10_001)]


async def test_a_recreated_database_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "REREAD_S", 0.1)
    async with world.running():
        assert world.smsd.receive("before", at_us=world.wall()) == 1
        await until(lambda: not world.smsd.unprocessed())
        world.smsd.recreate()
        assert world.smsd.receive("after", at_us=world.wall()) == 1
        await until(lambda: world.texts() == ["before", "after"] and not world.smsd.unprocessed())


async def test_an_sms_for_a_number_without_a_renter_is_counted_as_a_stray(world: World) -> None:
    world.smsd.receive("for no renter", phone_id="modem2", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == []
    assert world.strays() == 1


async def test_an_sms_of_a_modem_that_is_not_configured_is_left_alone(world: World) -> None:
    left = world.smsd.receive("for another program", phone_id="other", at_us=world.wall())
    world.smsd.receive("for us", at_us=world.wall())
    async with world.running() as carrier:
        await until(lambda: world.smsd.unprocessed() == [left])
        checks = {one.name: one for one in await carrier.check()}
    assert world.texts() == ["for us"]
    assert checks["inbox"].is_ok is None
    assert "1 SMS are of a modem" in checks["inbox"].detail


async def test_an_sms_belongs_to_the_renter_of_the_time_at_which_it_was_sent(world: World) -> None:
    world.smsd.receive("for the renter before", at_us=START_US - HOUR_US)
    world.smsd.receive("for this one", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["for this one"]


async def test_times_are_read_in_smsds_time_zone(world: World) -> None:
    world.smsd.zone = ZoneInfo("America/New_York")
    world.settings["time_zone"] = "America/New_York"
    world.smsd.receive("five hours behind", at_us=world.wall())
    async with world.running():
        await until(lambda: not world.smsd.unprocessed())
    assert world.texts() == ["five hours behind"]


def test_a_time_is_never_in_the_future_and_the_repeated_hour_is_the_later_one_that_has_passed() -> None:
    now_us = 1_793_000_000_000_000
    assert wall_us("2099-01-01 00:00:00", UTC, now_us=now_us) == now_us
    assert wall_us("rubbish", UTC, now_us=now_us) is None
    london, back_us = ZoneInfo("Europe/London"), 1_792_890_000_000_000  # 2026-10-25 01:00 UTC: 01:00 again
    assert wall_us("2026-10-25 01:30:00", london, now_us=now_us) == back_us + HOUR_US // 2
    assert wall_us("2026-10-25 01:30:00", london, now_us=back_us - 1) == back_us - HOUR_US // 2


def test_the_reference_contains_everything_but_the_row_id() -> None:
    one = inbound(row(), "+1", zone=UTC, now_us=2**60)
    assert inbound(row(id=2), "+1", zone=UTC, now_us=2**60).carrier_ref == one.carrier_ref
    others = [
        row(phone_id="modem2"),
        row(sender="Shop"),
        row(received="2026-11-30 12:00:01"),
        row(udh="00"),
        row(text="", text_decoded="hi"),
        row(coding="8bit"),
    ]
    refs = {inbound(other, "+1", zone=UTC, now_us=2**60).carrier_ref for other in others}
    assert len(refs) == len(others)
    assert one.carrier_ref not in refs


def test_every_row_has_a_result() -> None:
    codings = ["Default_No_Compression", "Unicode_No_Compression", "8bit", "Unicode_Compression", "x"]
    texts = ["", "0", "zz", "D83D", "0041", "\0", "00" * 200]
    headers = ["", "05", "050003", "050003010201", "06080401020201", "FF", "not hex"]
    for coding, text, udh in product(codings, texts, headers):
        found = inbound(row(coding=coding, text=text, udh=udh, sender="A\0"), "+1", zone=UTC, now_us=2**60)
        assert "\0" not in found.sender
        assert isinstance(found.content, Part) or "\0" not in found.content
