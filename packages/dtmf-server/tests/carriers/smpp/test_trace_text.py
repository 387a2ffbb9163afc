"""PDUs in a trace: fields and octets are shown; texts, passwords and the middle of phone numbers are not."""

import pytest

from dtmf_server.carriers.smpp.codec import encode, layout
from dtmf_server.carriers.smpp.pdu import Bind, Body, Command, DataSm, Pdu, Sm, SmResp, Tag
from dtmf_server.carriers.smpp.trace_text import pdu_text

CANARY = b"canary"
NUMBER = "447700900123"
TLVS = ((Tag.MESSAGE_PAYLOAD, CANARY), (0x1400, b"1101234567890123456"))
PDUS = [
    Pdu(Command.BIND_TRANSCEIVER, 1, Bind(system_id="dtmf", password="canary", system_type="x")),
    Pdu(Command.SUBMIT_SM, 2, Sm(source_addr=NUMBER, destination_addr=NUMBER, short_message=CANARY, tlvs=TLVS)),
    Pdu(Command.DELIVER_SM, 3, Sm(source_addr="Bank", destination_addr=NUMBER, data_coding=8, short_message=CANARY)),
    Pdu(Command.DATA_SM, 4, DataSm(source_addr=NUMBER, destination_addr=NUMBER, tlvs=TLVS)),
    Pdu(Command.DELIVER_SM, 5, Sm(source_addr=NUMBER, destination_addr=NUMBER, short_message=CANARY, rest=CANARY)),
    Pdu(0x0999, 6, Body(rest=CANARY)),
]


@pytest.mark.parametrize("pdu", PDUS, ids=lambda pdu: f"{pdu.command:x}-{pdu.sequence}")
def test_no_part_of_a_pdu_shows_a_text_a_password_or_a_whole_number(pdu: Pdu) -> None:
    frame = encode(pdu)
    for cut in range(len(frame) + 1):
        for octets in (frame[:cut], cut.to_bytes(4, "big") + frame[4:cut] if cut >= 4 else frame[:cut]):
            shown = pdu_text(octets)
            flat = shown.replace("\n", " ")
            for secret in (CANARY, NUMBER.encode()):
                assert secret.decode() not in shown and secret.hex(" ") not in flat


def test_fields_tlvs_and_octets_are_shown() -> None:
    first, *octets = pdu_text(encode(PDUS[1])).split("\n")
    assert first == (
        "submit_sm sequence=2 source_addr=4477…23 (12 characters) destination_addr=4477…23 (12 characters)"
        " short_message=<6 octets> message_payload=<6 octets> TLV 0x1400=31313031323334353637383930313233343536"
    )
    assert octets[0].startswith("00 00 00 ") and " ·· " in octets[0]
    assert sum(len(line.split()) for line in octets) == len(encode(PDUS[1]))


def test_statuses_and_receipts_are_named() -> None:
    assert pdu_text(encode(Pdu(Command.SUBMIT_SM_RESP, 2, SmResp(message_id="a7")))).startswith(
        "submit_sm_resp sequence=2 ESME_ROK message_id=a7\n"
    )
    assert "ESME_RINVPASWD" in pdu_text(encode(Pdu(Command.BIND_TRANSCEIVER_RESP, 1, Body(), 0x0E)))
    assert "status=0x00000400" in pdu_text(encode(Pdu(Command.SUBMIT_SM_RESP, 2, Body(), 0x400)))
    receipt = b"id:a7 sub:001 dlvrd:001 stat:DELIVRD err:000 text:canary"
    shown = pdu_text(encode(Pdu(Command.DELIVER_SM, 3, Sm(esm_class=4, short_message=receipt))))
    assert "esm_class=4" in shown and "receipt=a7:delivered" in shown and "canary" not in shown


@pytest.mark.parametrize("pdu", PDUS, ids=lambda pdu: f"{pdu.command:x}-{pdu.sequence}")
def test_the_layout_covers_a_pdu(pdu: Pdu) -> None:
    frame = encode(pdu)
    values = {name: frame[start:end] for name, start, end in layout(frame)}
    for name, room in pdu.body.FIELDS:
        value = getattr(pdu.body, name)
        expected = bytes((value,)) if room == 0 else value.encode("latin-1") if room > 0 else value
        assert values[name] == expected
    assert dict(pdu.body.tlvs).items() <= values.items()
    assert values["rest"] == pdu.body.rest
