"""SMS for unrented numbers are counted by destination and explained to the operator; their text is not stored."""

from collections.abc import Callable

import pytest

from dtmf_server import config
from dtmf_server.carriers.smpp import address
from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from dtmf_server.cli import carriers as commands
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime import metrics
from dtmf_server.storage.db import Database
from harness import DAY_US, START_US, runtime_over
from smpp.conftest import Bound

Binding = Callable[..., Bound]


def comes_for(bound: Bound, destination: str, *, ton: int = 1, times: int = 1) -> None:
    for sequence in range(1, times + 1):
        body = Sm(source_addr="49151", dest_addr_ton=ton, destination_addr=destination, short_message=b"secret text")
        bound.smsc.seen.clear()
        bound.smsc.send(Pdu(Command.DELIVER_SM, sequence, body))
        assert bound.smsc.answer(sequence).status == 0


def doctor(bound: Bound) -> str:
    return "\n".join(commands.doctor(bound.db, config.Config())[1])


def carriers(bound: Bound) -> str:
    return "\n".join(commands.carriers(bound.db)[1])


@pytest.mark.regression("strays-are-shown")
def test_sms_for_unrented_numbers_are_shown_by_destination(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    comes_for(bound, "19995550100", times=2)
    comes_for(bound, "19995550101")
    shown = carriers(bound)
    assert "3 SMS arrived for 2 numbers that no account rents" in shown
    assert "+19995550100: 2, first 20" in shown
    assert "secret" not in shown
    assert "3 SMS arrived for 2 numbers not in stock" in doctor(bound)


@pytest.mark.regression("strays-are-explained")
@pytest.mark.parametrize("written", ["national", "national with a 0", "another country", "zeros", "ton national"])
def test_doctor_suggests_the_intended_number_and_the_setting(bind: Binding, written: str) -> None:
    bound = bind()  # its number is +1 202 555 …
    national = bound.number[1:]
    destination = {
        "national": national,
        "national with a 0": f"0{national}",
        "another country": f"44{national}",
        "zeros": f"44{bound.number}",
        "ton national": national,
    }[written]
    comes_for(bound, destination, ton=2 if written == "ton national" else 1)
    assert bound.received() == []
    said = doctor(bound)
    assert bound.e164 in said
    assert "country_code" in said
    if "national" in written:
        assert 'did you set country_code = "1"' in said


def test_an_sms_for_a_number_in_stock_is_not_a_fault(bind: Binding) -> None:
    bound = bind()
    (free,) = bound.rows("SELECT e164 FROM numbers WHERE e164 <> :e164 ORDER BY e164 LIMIT 1", e164=bound.e164)
    comes_for(bound, free["e164"])
    assert f"{free['e164']}: 1, " in carriers(bound) and ", in stock" in carriers(bound)
    assert free["e164"] not in doctor(bound)


def test_the_log_has_a_count_and_masked_numbers(bind: Binding, caplog: pytest.LogCaptureFixture) -> None:
    bound = bind()
    comes_for(bound, "19995550100", times=3)

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if "without a renter" in record.getMessage()]

    (line,) = bound.eventually(lines)
    assert "SMS arrived for numbers without a renter, the last for +199…00: see dtmf-server doctor" in line
    assert "9995550" not in line


def test_prometheus_counts_strays(db: Database) -> None:
    receive(db, "+19995550100", "+19995550101", "+19995550100")
    found = {
        sample.name: sample.value
        for family in metrics.QueueCollector(runtime_over(db)).collect()
        for sample in family.samples
        if "stray" in sample.name
    }
    assert found == {"dtmf_stray_messages_total": 3, "dtmf_stray_destinations": 2}


def receive(db: Database, *destinations: str, now_us: int = START_US) -> None:
    inbound = [InboundMessage(destination, "+4915", "text") for destination in destinations]
    db.write_blocking(lambda tx: receive_many(tx, inbound, now_us=now_us))


def kept(db: Database) -> list[str]:
    return [
        row["destination"] for row in db.read_blocking(lambda tx: tx.all("SELECT * FROM strays ORDER BY destination"))
    ]


def test_the_last_thousand_destinations_are_stored_for_thirty_days(db: Database) -> None:
    from dtmf_server.storage import strays

    for start in range(0, 1500, 500):
        receive(db, *(f"+1999{number:07}" for number in range(start, start + 500)), now_us=START_US + start)
    assert kept(db) == [f"+1999{number:07}" for number in range(500, 1500)]
    receive(db, "+19990000500", "x" * 100_000, now_us=START_US + 2000)
    assert (len(kept(db)), "x" * 66 in kept(db)) == (1000, True)
    db.write_blocking(lambda tx: strays.forget(tx, now_us=START_US + 2000 + 30 * DAY_US))
    assert kept(db) == ["+19990000500", "x" * 66]
    assert db.read_blocking(strays.total) == 1502


@pytest.mark.parametrize(
    ("ton", "written", "country_code", "expected"),
    [
        (1, "447700900123", "", "+447700900123"),
        (1, "+447700900123", "44", "+447700900123"),
        (1, "00447700900123", "", "+447700900123"),
        (2, "00447700900123", "44", "+447700900123"),
        (1, "+00447700900123", "", "+447700900123"),
        (2, "7700900123", "44", "+447700900123"),
        (0, "07700900123", "44", "+447700900123"),
        (1, "07700900123", "44", "+447700900123"),
        (1, "+07700900123", "44", "+447700900123"),
        (0, "07700900123", "", "+07700900123"),
    ],
)
def test_an_address_is_the_same_number_in_every_notation(
    ton: int, written: str, country_code: str, expected: str
) -> None:
    assert address.recipient(ton, written, country_code=country_code) == expected
