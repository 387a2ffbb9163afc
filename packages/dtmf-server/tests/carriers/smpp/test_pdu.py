"""PDUs: encoding is reversible, and any received octets are accepted or rejected in one declared way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from dtmf_server.carriers.smpp.codec import Frames, decode, encode
from dtmf_server.carriers.smpp.pdu import (
    INTEGER,
    OCTETS,
    PDU_SIZE_MAX,
    RESPONSE,
    SHAPES,
    Bind,
    BindResp,
    Body,
    Command,
    DataSm,
    LostFrames,
    Malformed,
    Pdu,
    Raw,
    Sm,
    SmResp,
    Tag,
)
from dtmf_server.carriers.smpp.status import THROTTLED, Status, verdict, words
from dtmf_server.core.submission import Verdict

from .fuzz_pdu import check

# bind_transmitter from SMPP 3.4's own example (§3.2.1), with the header and body that it lists octet by octet.
BIND_TRANSMITTER = bytes.fromhex(
    "0000002f000000020000000000000001534d50503354455354007365637265743038005355424d4954310000010100"
)
DELIVER = Pdu(
    Command.DELIVER_SM,
    7,
    Sm(
        source_addr_ton=5,
        source_addr="Bank",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="12025550123",
        short_message=b"Your code is 123456",
        tlvs=((Tag.MESSAGE_STATE, b"\x02"), (0x1403, b"vendor")),
    ),
)


def values(room: int) -> st.SearchStrategy[Any]:
    if room == INTEGER:
        return st.integers(0, 255)
    if room == OCTETS:
        return st.binary(max_size=254)
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=room - 1)


@st.composite
def pdus(draw: st.DrawFn) -> Pdu:
    command = draw(st.sampled_from(sorted(SHAPES)) | st.integers(0x200, 0x2FF))
    shape = SHAPES.get(command, Raw)
    found = {name: draw(values(room)) for name, room in shape.FIELDS}
    if shape is Raw:
        found["rest"] = draw(st.binary(max_size=50))
    else:
        found["tlvs"] = tuple(draw(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=4)))
        found["rest"] = draw(st.binary(max_size=3))  # shorter than a TLV header
    return Pdu(command, draw(st.integers(0, 2**32 - 1)), shape(**found), draw(st.integers(0, 2**32 - 1)))


@given(pdus())
def test_an_encoded_pdu_decodes_to_itself(pdu):
    assert decode(encode(pdu)) == pdu


def test_the_specification_s_own_example_is_decoded():
    pdu = decode(BIND_TRANSMITTER)
    assert pdu.command == Command.BIND_TRANSMITTER
    assert pdu.body == Bind(
        system_id="SMPP3TEST", password="secret08", system_type="SUBMIT1", interface_version=0, addr_ton=1, addr_npi=1
    )
    assert encode(pdu) == BIND_TRANSMITTER


def test_every_mandatory_field_has_its_attribute():
    for shape in set(SHAPES.values()):
        assert [name for name, _ in shape.FIELDS] == [f.name for f in fields(shape) if f.name not in ("tlvs", "rest")]


def test_every_request_has_its_response():
    answered = {command for command in Command if not command & RESPONSE} - {
        Command.OUTBIND,
        Command.ALERT_NOTIFICATION,
    }
    assert {command | RESPONSE for command in answered} == {c for c in Command if c & RESPONSE} - {Command.GENERIC_NACK}


@given(st.binary(max_size=400))
def test_no_octets_raise_anything_undeclared(data):
    check(data)


@given(pdus(), st.data())
def test_no_pdu_with_an_octet_changed_raises_anything_undeclared(pdu, data):
    octets = bytearray(encode(pdu))
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] = data.draw(st.integers(0, 255))
    check(bytes(octets))


@given(st.lists(pdus(), max_size=5), st.data())
def test_frames_are_reassembled_however_the_network_splits_them(sent, data):
    stream = b"".join(map(encode, sent))
    frames, came, at = Frames(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream)))
        came += [decode(frame) for frame in frames.feed(stream[at : at + step])]
        at += step
    assert came == sent
    assert frames.lost is None


@pytest.mark.parametrize("size", [0, 4, 15, PDU_SIZE_MAX + 1, 2**32 - 1])
def test_an_impossible_length_loses_only_the_frames_after_it(size):
    frames = Frames()
    first = encode(DELIVER)
    assert frames.feed(first + size.to_bytes(4, "big") + b"more") == [first]
    assert isinstance(frames.lost, LostFrames)
    assert frames.feed(first) == []


@pytest.mark.parametrize("cut", range(17, len(encode(DELIVER)) - 21))
def test_a_deliver_sm_cut_within_its_mandatory_fields_is_malformed_with_its_sequence(cut):
    frame = encode(DELIVER)[:cut]
    with pytest.raises(Malformed) as error:
        decode(cut.to_bytes(4, "big") + frame[4:])
    assert (error.value.command, error.value.sequence) == (Command.DELIVER_SM, 7)


@pytest.mark.parametrize("kept", range(4))
def test_a_truncated_tlv_does_not_lose_the_message(kept):
    whole = encode(replace(DELIVER, body=replace(DELIVER.body, tlvs=((Tag.MESSAGE_STATE, b"\x02"),))))
    frame = whole + b"\x04\x24\x00\x09"[:kept]
    pdu = decode(len(frame).to_bytes(4, "big") + frame[4:])
    assert isinstance(pdu.body, Sm)
    assert pdu.body.short_message == b"Your code is 123456"
    assert pdu.body.tlvs == ((Tag.MESSAGE_STATE, b"\x02"),)
    assert pdu.body.rest == b"\x04\x24\x00\x09"[:kept]


def test_unknown_tlvs_are_preserved_in_order():
    pdu = decode(encode(DELIVER))
    assert pdu.body.tlvs == ((Tag.MESSAGE_STATE, b"\x02"), (0x1403, b"vendor"))
    assert pdu.body.tlv(0x1403) == b"vendor"
    assert pdu.body.tlv(0x1404) is None


def test_an_unknown_command_is_preserved():
    assert decode(encode(Pdu(0x7777, 3, Raw(rest=b"abc")))) == Pdu(0x7777, 3, Raw(rest=b"abc"))


@pytest.mark.parametrize(
    ("command", "body"), [(Command.SUBMIT_SM_RESP, SmResp()), (Command.BIND_TRANSCEIVER_RESP, BindResp())]
)
def test_a_response_without_its_body_has_empty_fields(command, body):
    assert decode(encode(Pdu(command, 1, Body(), Status.ESME_RSYSERR))).body == body


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (Bind(system_id="a" * 65, password=""), "system_id"),
        (Bind(system_id="a\0b", password=""), "system_id"),
        (Bind(system_id="", password="Пароль"), "latin-1"),
        (Sm(data_coding=256), "data_coding"),
        (Sm(esm_class=-1), "esm_class"),
        (Sm(short_message=bytes(255)), "short_message"),
        (Sm(tlvs=((1, bytes(0x10000)),)), "TLV 0x0001"),
        (Sm(tlvs=((1, bytes(0xFFFF)), (1, bytes(0xFFFF)))), "too long"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(body, complaint):
    with pytest.raises(ValueError, match=complaint):
        encode(Pdu(Command.SUBMIT_SM, 1, body))


@pytest.mark.parametrize("octets", [b"", b"\0" * 15, b"\0\0\0\x11" + b"\0" * 12])
def test_octets_that_are_not_a_frame_raise_lost_frames(octets):
    with pytest.raises(LostFrames):
        decode(octets)


def test_a_string_longer_than_its_field_is_decoded_unchanged():
    frame = encode(Pdu(Command.DELIVER_SM, 1, Sm(source_addr="x")))
    frame = frame.replace(b"x\0", b"x" * 60 + b"\0")
    pdu = decode(len(frame).to_bytes(4, "big") + frame[4:])
    assert isinstance(pdu.body, Sm)
    assert pdu.body.source_addr == "x" * 60


def test_data_sm_has_room_for_a_long_text():
    body = DataSm(source_addr="1", destination_addr="2", tlvs=((Tag.MESSAGE_PAYLOAD, bytes(60_000)),))
    assert decode(encode(Pdu(Command.DATA_SM, 1, body))).body == body


def test_statuses_have_descriptions():
    assert words(Status.ESME_RINVPASWD) == "it refuses the password (ESME_RINVPASWD)"
    assert words(0x0400) == "it answered with status 0x00000400"
    assert words(Status.ESME_RUNKNOWNERR) == "ESME_RUNKNOWNERR"


def test_the_default_table_has_four_temporary_and_some_link_statuses() -> None:
    by_verdict: dict[str, set[int]] = {}
    for status in [*range(1, 0x110), 0x400, 0x4FF, 0xFFFF_FFFF]:
        by_verdict.setdefault(verdict(status, {}), set()).add(status)
    assert by_verdict["temporary"] == {0x08, 0x14, 0x58, 0x64}
    assert by_verdict["link"] == {0x03, 0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x53}
    assert {0x0B, 0x45, 0x61, 0x65, 0xFF, 0x400, 0x4FF} <= by_verdict["final"]
    assert by_verdict["temporary"] >= THROTTLED
    assert verdict(0x45, {0x45: Verdict.TEMPORARY}) is Verdict.TEMPORARY
