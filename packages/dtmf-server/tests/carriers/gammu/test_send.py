"""Sending through smsd's tables: written once, found again, and reported as smsd's tables say."""

import asyncio

import pytest

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, FindsSubmits, InboundSink
from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.carriers.gammu.database import SmsdUnavailable
from dtmf_server.carriers.gammu.rows import SentRow, creator_id, outbox_parts, receipt
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from harness import START_US

from .conftest import LONG, NUMBER, PHONE, World, sms, until


class Sink:
    """Stores receipts in a list."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    async def receive(self, batch: object, _live: object) -> list[int]:
        assert isinstance(batch, list)
        self.receipts += [item for item in batch if isinstance(item, Receipt)]
        assert not any(isinstance(item, InboundMessage) for item in batch)
        return [0] * len(batch)

    @property
    def states(self) -> list[tuple[bool | None, str]]:
        return [(one.delivered, one.reason) for one in self.receipts]

    def of_service(self) -> InboundSink:
        return InboundSink(self.receive, lambda notes: None)


class Running:
    """The carrier alone, until the block ends."""

    def __init__(self, world: World) -> None:
        self.carrier, self.sink = world.carrier(), Sink()

    async def __aenter__(self) -> "Running":
        self._task = asyncio.ensure_future(self.carrier.run(self.sink.of_service()))
        await until(lambda: self.carrier.can_submit() or self._task.done())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def outbox(world: World) -> list[tuple[str, ...]]:
    return world.smsd.execute(
        'SELECT "SenderID", "DestinationNumber", "Coding", "UDH", "TextDecoded", "DeliveryReport" FROM outbox ORDER BY "ID"'
    )


async def test_an_sms_is_handed_to_the_modem_of_its_sender(world: World) -> None:
    async with Running(world) as running:
        refs = await running.carrier.submit(5, sms("ciao €"))
        assert refs == [exact(creator_id("modems", 5, sms("ciao €")))]
        assert outbox(world) == [("modem1", PHONE, "Default_No_Compression", "", "ciao €", "yes")]


@pytest.mark.parametrize("text", [LONG, "Я " * 200, "😀" * 100])
async def test_a_long_text_is_cut_into_segments_with_headers(world: World, text: str) -> None:
    async with Running(world) as running:
        await running.carrier.submit(258, sms(text))
        assert "".join(world.smsd.send()) == text
        headers = [row[0] for row in world.smsd.execute('SELECT "UDH" FROM sentitems ORDER BY "SequencePosition"')]
        assert headers == [f"05000302{len(headers):02X}{at:02X}" for at in range(1, len(headers) + 1)]
        await until(lambda: running.sink.states == [(None, "")])
        world.smsd.report("DeliveryOK", number=1)
        world.smsd.report("DeliveryOK")
        await until(lambda: running.sink.states[-1] == (True, ""))


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        ("DeliveryOK", 0, (True, "")),
        ("DeliveryFailed", 70, (False, "the network did not deliver the SMS: the validity period expired")),
        ("DeliveryFailed", 99, (False, "the network did not deliver the SMS: status 99")),
        ("SendingError", 500, (False, "the modem could not send the SMS: CMS error 500")),
        ("SendingError", -1, (None, "")),  # the modem did not answer: it may have sent the SMS
        ("Error", -1, (False, "smsd could not send the SMS")),
        ("DeliveryPending", 48, (None, "")),
        ("DeliveryUnknown", 3, (None, "")),
        ("SendingOKNoReport", -1, (None, "")),
    ],
)
async def test_a_status_of_smsd_is_a_receipt(
    world: World, status: str, error: int, expected: tuple[bool | None, str]
) -> None:
    async with Running(world) as running:
        (ref,) = await running.carrier.submit(5, sms())
        world.smsd.send(status, status_error=error, status_code=error if status == "SendingError" else -1)
        await until(lambda: bool(running.sink.receipts))
    assert running.sink.states == [expected]
    (found,) = running.sink.receipts
    assert (found.ref, found.sender, found.to, found.message_id) == (ref, PHONE, NUMBER, 5)


async def test_one_segment_that_failed_fails_the_sms(world: World) -> None:
    async with Running(world) as running:
        await running.carrier.submit(5, sms(LONG))
        world.smsd.send()
        world.smsd.report("DeliveryOK")
        world.smsd.report("DeliveryFailed", status_error=65, number=2)
        await until(lambda: bool(running.sink.states) and running.sink.states[-1][0] is False)


def test_an_sms_is_not_delivered_before_all_its_segments_were_sent() -> None:
    creator = creator_id("modems", 5, sms(LONG))
    rows = [SentRow(1, creator, "modem1", PHONE, number, "DeliveryOK", 0) for number in (1, 2, 3)]
    assert [getattr(receipt(rows[:count], {}), "delivered", 0) for count in (1, 2, 3)] == [None, None, True]
    assert receipt([rows[0]._replace(creator="another program")], {}) is None


async def test_an_sms_is_written_once_however_often_it_is_submitted(world: World) -> None:
    async with Running(world) as running:
        refs = {tuple(await running.carrier.submit(5, sms())) for _ in range(3)}
        assert len(outbox(world)) == 1
        world.smsd.send()
        refs.add(tuple(await running.carrier.submit(5, sms())))
        assert (len(refs), outbox(world)) == (1, [])


async def test_other_sms_with_the_same_id_are_other_sms(world: World) -> None:
    """The service's database was replaced: it numbers its messages from the beginning."""
    async with Running(world) as running:
        await running.carrier.submit(5, sms("old"))
        await running.carrier.submit(5, sms("new"))
        assert world.smsd.send() == ["old", "new"]


async def test_a_submit_without_a_response_is_found_or_surely_absent(world: World) -> None:
    async with Running(world) as running:
        carrier: FindsSubmits = running.carrier
        assert await carrier.find_submit(5, sms(), since_us=0) is None
        refs = await running.carrier.submit(5, sms())
    again = world.carrier()
    assert await again.find_submit(5, sms(), since_us=0) == refs
    world.smsd.send("SendingError")
    assert await again.find_submit(5, sms(), since_us=0) == refs
    world.smsd.execute("DROP TABLE sentitems")
    with pytest.raises(CarrierRefused):
        await again.find_submit(6, sms(), since_us=0)


async def test_a_commit_without_an_answer_is_in_doubt_and_everything_before_it_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Running(world) as running:
        for in_doubt in (True, False):

            async def fail(*_: object, in_doubt: bool = in_doubt, **__: object) -> None:
                raise SmsdUnavailable("gone", in_doubt=in_doubt)

            await until(running.carrier.can_submit)
            with monkeypatch.context() as patch, pytest.raises(CarrierRefused) as refused:
                patch.setattr(running.carrier._outbox, "enqueue", fail)
                await running.carrier.submit(5, sms())
            assert (refused.value.in_doubt, refused.value.permanent) == (in_doubt, False)


@pytest.mark.parametrize("message", [sms(sender="+12025550999"), CarrierMessage("", PHONE, "x")])
async def test_a_sender_without_a_modem_is_refused_and_nothing_is_written(
    world: World, message: CarrierMessage
) -> None:
    async with Running(world) as running:
        with pytest.raises(CarrierRefused, match="no modem has") as refused:
            await running.carrier.submit(5, message)
        assert not refused.value.may_be_taken
        assert outbox(world) == []


async def test_receipts_of_an_outage_are_fetched_afterwards(world: World) -> None:
    async with Running(world) as running:
        for message_id in range(3):
            await running.carrier.submit(message_id, sms())
    world.smsd.send("DeliveryOK")
    world.smsd.execute('UPDATE sentitems SET "UpdatedInDB" = ?', world.smsd.local(world.wall()))
    again: GammuCarrier = world.carrier()
    found = [item async for batch in again.arrived_since(world.wall() - 1) for item in batch]
    assert [(item.message_id, item.delivered) for item in found if isinstance(item, Receipt)] == [
        (0, True),
        (1, True),
        (2, True),
    ]
    assert [item async for batch in again.arrived_since(world.wall() - 1) for item in batch] == []
    day_us = 86_400_000_000
    assert [item async for batch in world.carrier().arrived_since(START_US + 2 * day_us) for item in batch] == []


@pytest.mark.parametrize("text", ["", "x", "é" * 161, "\ud800", "[" * 80 + "😀"])
def test_every_text_has_segments(text: str) -> None:
    assert [bool(part.udh) for part in outbox_parts(1, text)] == [len(outbox_parts(1, text)) > 1] * len(
        outbox_parts(1, text)
    )
