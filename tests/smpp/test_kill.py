"""kill -9 at each step of a deliver_sm: acknowledged messages are stored, others are redelivered, none appears twice."""

from pathlib import Path

import pytest

from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from smpp.smsc import Smsc
from support import kill_points
from support.server_process import Service, request, rows


def configured(folder: Path, port: int) -> Path:
    path = folder / "dtmf.toml"
    path.write_text(
        '[[carrier]]\nname = "london"\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "dtmf"\npassword = "secret"\n'
        f"port = {port}\n"
    )
    return path


def rented(service: Service) -> str:
    """Rent a number, paid with sandbox coins; return it."""
    address = request(service.url, service.token, "POST", "/addresses").json["address"]
    request(service.url, service.token, "POST", "/sandbox/deposit", {"address": address, "amount": 1_000_000})
    return str(request(service.url, service.token, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"])


def part(e164: str, sequence: int, number: int, text: bytes) -> Pdu:
    udh = bytes((5, 0, 3, 9, 2, number))
    body = Sm(source_addr="Bank", source_addr_ton=5, destination_addr=e164, esm_class=0x40, short_message=udh + text)
    return Pdu(Command.DELIVER_SM, sequence, body)


@pytest.mark.parametrize("step", kill_points.DELIVER_STEPS)
def test_a_process_killed_at_any_step_loses_no_acknowledged_sms_and_shows_none_twice(tmp_path: Path, step: str) -> None:
    data = tmp_path / "data"
    with Smsc() as smsc:
        config = configured(tmp_path, smsc.port)
        with Service(data, "--config", config, program=[*kill_points.SERVER, step]) as service:
            e164 = rented(service.wait_ready())
            smsc.wait("bound")
            smsc.send(part(e164, 1, 1, b"one "))
            assert smsc.answer(1).status == 0
            whole = Sm(source_addr="Bank", source_addr_ton=5, destination_addr=e164, short_message=b"DIE 123456")
            smsc.send(Pdu(Command.DELIVER_SM, 2, whole), part(e164, 3, 2, b"two"))
            smsc.wait("closed")
            service.wait(60)
        answered = {pdu.sequence for pdu in smsc.pdus_so_far(lambda pdu: pdu.command == Command.DELIVER_SM_RESP)}
        assert answered == ({1, 2, 3} if step in ("answered", "noted") else {1})
        stored = rows(data / "dtmf.db", "SELECT content FROM messages ORDER BY id")
        assert [text for (text,) in stored] == ([] if step in ("arrived", "storing") else ["DIE 123456", "one two"])
        with Service(data, "--config", config) as service:
            service.wait_ready()
            smsc.wait("bound")
            smsc.send(Pdu(Command.DELIVER_SM, 12, whole), part(e164, 13, 2, b"two"))
            assert [smsc.answer(sequence).status for sequence in (12, 13)] == [0, 0]
            messages = request(service.url, service.token, "GET", "/messages").json
        assert [message["content"] for message in messages] == ["DIE 123456", "one two"]
