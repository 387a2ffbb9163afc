"""Settings that operators' contracts ask for, against an SMSC: TLVs, a second host, a rate, all parts over one bind."""

from collections.abc import Callable
from typing import Any

from dtmf_server.carriers.smpp.codec import decode
from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from smpp.conftest import Bound
from smpp.smsc import Smsc
from support.webhook_receiver import refused_port

Binding = Callable[..., Bound]
NUMBERS = ("+12125550100", "+12125550101")  # of the group that the renter rents from
LONG = "Long ago, in a galaxy far away. " * 20


def submitted(bound: Bound) -> list[Sm]:
    found = bound.smsc.pdus_so_far(lambda pdu: pdu.command == Command.SUBMIT_SM)
    return [pdu.body for pdu in found if isinstance(pdu.body, Sm)]


def test_every_part_has_the_tlvs_of_the_carrier_and_its_sender(bind: Binding) -> None:
    entity, template = (0x1400, b"1101234567890"), (0x1401, b"1107000000001")
    bound = bind(
        tlvs=dict([entity, (0x1401, b"of the carrier")]),
        tlvs_by_sender={number: dict([template]) for number in NUMBERS},
    )
    assert bound.e164 in NUMBERS
    bound.until(bound.sends(LONG), "sent")
    found = submitted(bound)
    assert len(found) > 1
    assert all(body.tlvs[-2:] == (entity, template) for body in found)


def test_the_data_coding_of_the_carrier_is_sent(bind: Binding) -> None:
    bound = bind(sent_codings={0: 0xF1, 8: 0x18})
    for text in ("plain", "漢字"):
        bound.until(bound.sends(text), "sent")
    assert [body.data_coding for body in submitted(bound)] == [0xF1, 0x18]


def test_the_second_host_is_used_while_the_first_is_away(bind: Binding, smsc: Smsc) -> None:
    bound = bind(port=refused_port(), backups=(("127.0.0.1", smsc.port),))
    bound.until(bound.sends("hello"), "sent")
    assert len(submitted(bound)) == 1


def test_all_parts_of_an_sms_go_over_one_bind(bind: Binding, smsc: Smsc) -> None:
    bound = bind(binds=("transceiver",) * 3)
    for _ in range(3):
        bound.until(bound.sends(LONG), "sent")
    submitted(bound)
    by_message: dict[bytes, set[int]] = {}
    for event in smsc.seen:
        if event["event"] == "pdu" and (body := _submit(event)):
            by_message.setdefault(body.short_message[:4], set()).add(event["connection"])
    assert len(by_message) == 3
    assert all(len(connections) == 1 for connections in by_message.values())


def test_a_rate_holds_submits_back_and_loses_none(bind: Binding) -> None:
    bound = bind(submits_per_s=5.0)
    sent = [bound.sends(f"number {n}") for n in range(8)]
    for message_id in sent:
        bound.until(message_id, "sent")
    assert len(submitted(bound)) == 8


def _submit(event: dict[str, Any]) -> Sm | None:
    pdu: Pdu = decode(bytes.fromhex(event["octets"]))
    return pdu.body if pdu.command == Command.SUBMIT_SM and isinstance(pdu.body, Sm) else None
