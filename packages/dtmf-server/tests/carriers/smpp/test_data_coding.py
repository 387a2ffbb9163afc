"""The coding of each data_coding, the contents of a message in each form, and how a text is submitted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.carriers.smpp.concat import Contents, contents
from dtmf_server.carriers.smpp.data_coding import coding_of, segments
from dtmf_server.carriers.smpp.delivery_receipt import is_receipt, receipt_of, unknown_word
from dtmf_server.carriers.smpp.pdu import DataSm, Sm, Tag
from dtmf_server.core import sms_segments
from dtmf_server.core.inbound import Concatenation, Receipt
from dtmf_server.core.sms_encoding import CODINGS, join

TEXT = st.text(st.sampled_from("abc XYZ@£€[]~é\n") | st.sampled_from("жč日😀"), max_size=500)


@pytest.mark.parametrize(
    ("dcs", "coding"),
    [
        *((0x01, "ascii"), (0x02, "binary"), (0x03, "latin1"), (0x04, "binary"), (0x05, "japanese")),
        *((0x06, "cyrillic"), (0x07, "hebrew"), (0x08, "ucs2"), (0x0E, "korean")),
        *((0x10, "gsm7"), (0x11, "gsm7"), (0x14, "binary"), (0x18, "ucs2"), (0x19, "ucs2"), (0x30, "binary")),
        *((0x48, "ucs2"), (0x80, "gsm7"), (0xC0, "gsm7"), (0xC8, "gsm7"), (0xD0, "gsm7"), (0xE0, "ucs2")),
        *((0xF0, "gsm7"), (0xF1, "gsm7"), (0xF2, "gsm7"), (0xF4, "binary"), (0xF5, "binary")),
    ],
)
def test_a_data_coding_has_one_coding_regardless_of_the_default_alphabet(dcs, coding):
    assert {coding_of(dcs, default=default) for default in ("gsm7", "latin1", "ascii", "utf8")} == {coding}


@pytest.mark.parametrize("alphabet", ["gsm7", "latin1", "ascii", "utf8"])
def test_data_coding_0_is_the_carrier_s_default_alphabet(alphabet):
    assert coding_of(0, default=alphabet) == alphabet


def test_every_data_coding_has_a_coding():
    assert {coding_of(dcs, default="gsm7") for dcs in range(256)} <= CODINGS


REF_8, REF_16 = b"\x00\x03\x2a\x03\x02", b"\x08\x04\x01\x2a\x03\x02"
PORTS_16, PORTS_8 = b"\x05\x04\x0b\x84\x23\xf0", b"\x04\x02\x10\x11"


def with_udh(*elements: bytes, text: bytes = b"text", **fields: object) -> Sm:
    header = b"".join(elements)
    return Sm(esm_class=0x40, short_message=bytes((len(header),)) + header + text, **fields)


@pytest.mark.parametrize(
    ("elements", "place"),
    [
        ([REF_8], Concatenation(42, 8, 3, 2)),
        ([REF_16], Concatenation(0x12A, 16, 3, 2)),
        ([PORTS_16, REF_8], Concatenation(42, 8, 3, 2)),
        ([REF_8, PORTS_16], Concatenation(42, 8, 3, 2)),
        ([PORTS_8, REF_16], Concatenation(0x12A, 16, 3, 2)),
        ([REF_16, PORTS_8], Concatenation(0x12A, 16, 3, 2)),
        ([b"\x24\x01\x01", REF_8, b"\x25\x01\x01"], Concatenation(42, 8, 3, 2)),
        ([PORTS_16], None),
        ([], None),
        ([b"\x00\x03\x2a\x01\x01"], None),  # part 1 of 1
        ([b"\x00\x03\x2a\x00\x01"], None),
        ([b"\x00\x03\x2a\x03\x00"], None),
        ([b"\x00\x03\x2a\x03\x04"], None),
        ([b"\x00\x02\x2a\x03"], None),
        ([b"\x00\x09\x2a\x03\x02"], None),  # longer than the header
        ([b"\x05"], None),
    ],
)
def test_the_position_of_a_part_is_read_from_its_user_data_header(elements, place):
    found = contents(with_udh(*elements))
    assert (found.place, found.octets) == (place, b"text")
    assert found.udh[1:] == b"".join(elements)


def sar(ref: bytes, total: bytes, number: bytes) -> tuple[tuple[int, bytes], ...]:
    return ((Tag.SAR_MSG_REF_NUM, ref), (Tag.SAR_TOTAL_SEGMENTS, total), (Tag.SAR_SEGMENT_SEQNUM, number))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (Sm(short_message=b"text"), Contents(b"", b"text", None)),
        (Sm(), Contents(b"", b"", None)),
        (DataSm(), Contents(b"", b"", None)),
        (Sm(tlvs=((Tag.MESSAGE_PAYLOAD, b"long" * 99),)), Contents(b"", b"long" * 99, None)),
        (DataSm(tlvs=((Tag.MESSAGE_PAYLOAD, b"text"),)), Contents(b"", b"text", None)),
        (Sm(short_message=b"short", tlvs=((Tag.MESSAGE_PAYLOAD, b"x"),)), Contents(b"", b"short", None)),
        (
            DataSm(esm_class=0x40, tlvs=((Tag.MESSAGE_PAYLOAD, b"\x05" + REF_8 + b"text"),)),
            Contents(b"\x05" + REF_8, b"text", Concatenation(42, 8, 3, 2)),
        ),
        (
            Sm(short_message=b"t", tlvs=sar(b"\x01\x2a", b"\x03", b"\x02")),
            Contents(b"", b"t", Concatenation(298, 17, 3, 2)),
        ),
        (Sm(short_message=b"t", tlvs=sar(b"\x2a", b"\x03", b"\x02")), Contents(b"", b"t", Concatenation(42, 17, 3, 2))),
        (Sm(short_message=b"t", tlvs=sar(b"\x01\x2a", b"\x03", b"")), Contents(b"", b"t", None)),
        (Sm(short_message=b"t", tlvs=sar(b"\x01\x2a", b"\x03", b"\x02")[:2]), Contents(b"", b"t", None)),
        (Sm(short_message=b"t", tlvs=sar(b"\x01\x2a", b"\x01", b"\x01")), Contents(b"", b"t", None)),
        # A header longer than the message is not a header: the octets are shown as text.
        (Sm(esm_class=0x40, short_message=b"\x09ab"), Contents(b"", b"\x09ab", None)),
        (Sm(esm_class=0x40), Contents(b"", b"", None)),
        (Sm(esm_class=0x40, short_message=b"\x05" + REF_8), Contents(b"\x05" + REF_8, b"", Concatenation(42, 8, 3, 2))),
        # Without the indicator these octets are text, even if they resemble a header.
        (Sm(short_message=b"\x05" + REF_8 + b"t"), Contents(b"", b"\x05" + REF_8 + b"t", None)),
    ],
)
def test_the_contents_of_a_message_in_each_form(body, expected):
    assert contents(body) == expected


def test_the_position_in_the_header_takes_precedence_over_the_tlvs():
    body = with_udh(REF_8, tlvs=sar(b"\x01\x2a", b"\x05", b"\x05"))
    assert contents(body).place == Concatenation(42, 8, 3, 2)


def arrives(text: str, *, alphabet: str, segmentation: str) -> str:
    """Return what a phone, or a service like ours, would show of a submitted text."""
    parts = []
    sent = segments(text, ref=0x1234, alphabet=alphabet, segmentation=segmentation)
    for segment in sent:
        found = contents(Sm(esm_class=segment.esm_class, short_message=segment.octets, tlvs=segment.tlvs))
        coding = coding_of(segment.dcs, default=alphabet)
        parts.append((found.place.number if found.place else 1, found.octets, coding))
        assert found.place is None or found.place.total == len(sent) > 1
    return join(parts, total=len(sent))


@pytest.mark.parametrize("alphabet", ["gsm7", "latin1", "ascii", "utf8"])
@pytest.mark.parametrize("segmentation", ["udh8", "udh16", "sar", "payload"])
@given(TEXT)
def test_a_submitted_text_arrives_unchanged_in_every_form(alphabet, segmentation, text):
    assert arrives(text, alphabet=alphabet, segmentation=segmentation) == text


@given(TEXT)
@pytest.mark.parametrize("segmentation", ["udh8", "sar"])
def test_the_number_of_submitted_segments_equals_the_number_charged(segmentation, text):
    sent = segments(text, ref=1, alphabet="gsm7", segmentation=segmentation)
    assert len(sent) == sms_segments.segments(text).count


@given(TEXT)
def test_no_segment_exceeds_the_140_octets_of_an_sms(text):
    for segment in segments(text, ref=1, alphabet="gsm7", segmentation="udh8"):
        udh = 6 if segment.esm_class else 0
        assert udh + -(-(len(segment.octets) - udh) * 7 // 8 if segment.dcs == 0 else len(segment.octets) - udh) <= 140


@pytest.mark.parametrize(
    ("segmentation", "first"),
    [("udh8", b"\x05\x00\x03\x34\x02\x01aaa"), ("udh16", b"\x06\x08\x04\x12\x34\x02\x01aaa"), ("sar", b"aaa")],
)
def test_the_reference_is_placed_as_configured(segmentation, first):
    one, two = segments("a" * 200, ref=0x1234, alphabet="gsm7", segmentation=segmentation)
    assert one.octets.startswith(first)
    assert (one.esm_class, two.esm_class) == ((0, 0) if segmentation == "sar" else (0x40, 0x40))
    if segmentation == "sar":
        assert two.tlvs == sar(b"\x12\x34", b"\x02", b"\x02")


@pytest.mark.parametrize(
    ("text", "alphabet", "dcs"),
    [
        ("café", "gsm7", 0),
        ("café", "latin1", 0),
        ("café", "ascii", 8),
        ("ж", "utf8", 8),
        ("€", "latin1", 8),
        ("", "gsm7", 0),
    ],
)
def test_a_text_is_submitted_in_the_default_alphabet_if_possible_else_in_ucs_2(text, alphabet, dcs):
    (segment,) = segments(text, ref=1, alphabet=alphabet, segmentation="udh8")
    assert segment.dcs == dcs


def test_a_text_of_more_than_255_segments_is_refused():
    with pytest.raises(ValueError, match="at most 255"):
        segments("a" * 153 * 256, ref=1, alphabet="gsm7", segmentation="udh8")


APPENDIX_B = b"id:%b sub:001 dlvrd:001 submit date:0610190851 done date:0610190951 stat:%b err:%b Text:hello"


PHONE = "31612345678"


def receipt(ref: bytes = b"0123456789", stat: bytes = b"DELIVRD", err: bytes = b"000", **fields: object) -> Sm:
    return Sm(esm_class=4, source_addr=PHONE, short_message=APPENDIX_B % (ref, stat, err), **fields)


DELIVERED = Receipt("0123456789", True, "", PHONE)
FAILED = Receipt("7f", False, "the phone can't be reached (error 012)", PHONE)


def written(encoding: str, *, data_coding: int = 0, mark: bool = False) -> Sm:
    """Return a receipt whose text has this encoding."""
    text = "id:7f sub:001 dlvrd:000 stat:UNDELIV err:012 text:caf"
    octets = (("\ufeff" if mark else "") + text).encode(encoding)
    return Sm(esm_class=4, source_addr=PHONE, data_coding=data_coding, short_message=octets)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (receipt(), Receipt("0123456789", True, "", PHONE)),
        (
            receipt(b"1A2b", b"UNDELIV", b"001"),
            Receipt("1A2b", False, "the phone can't be reached (error 001)", PHONE),
        ),
        (receipt(stat=b"EXPIRED"), Receipt("0123456789", False, "the phone was not reached in time", PHONE)),
        (
            receipt(stat=b"REJECTD", err=b"0a1"),
            Receipt("0123456789", False, "the carrier rejected it (error 0a1)", PHONE),
        ),
        (receipt(stat=b"deletED"), Receipt("0123456789", False, "the carrier deleted it", PHONE)),
        *((receipt(stat=stat), None) for stat in (b"ENROUTE", b"ACCEPTD", b"UNKNOWN", b"WEIRD", b"")),
        *((receipt(stat=stat), None) for stat in (b"ACKED", b"BUFFRED", b"BUFFERD", b"scheduled", b"Accepted")),
        *((receipt(stat=stat), DELIVERED) for stat in (b"DELIVERED", b"delivered", b"Delivrd", b"2")),
        (receipt(stat=b"FAILED"), Receipt("0123456789", False, "the carrier could not deliver it", PHONE)),
        (receipt(stat=b"failed"), Receipt("0123456789", False, "the carrier could not deliver it", PHONE)),
        (receipt(stat=b"Rejected"), Receipt("0123456789", False, "the carrier rejected it", PHONE)),
        (receipt(stat=b"UNDELIVERABLE"), Receipt("0123456789", False, "the phone can't be reached", PHONE)),
        (receipt(stat=b"CANCELLED"), Receipt("0123456789", False, "the carrier cancelled it", PHONE)),
        # Decoded by its data_coding, and when that is wrong.
        (written("utf-16-be", data_coding=8), FAILED),
        (written("utf-16-be", data_coding=8, mark=True), FAILED),
        (written("utf-16-le", data_coding=8, mark=True), FAILED),
        (written("utf-16-be"), FAILED),
        (written("utf-16-le", data_coding=8), FAILED),
        (written("ascii", data_coding=8), FAILED),
        (written("latin-1", data_coding=3), FAILED),
        (written("utf-8-sig"), FAILED),
        (written("ascii", data_coding=4), FAILED),
        (Sm(esm_class=4, short_message=b"id:a\x11b stat:DELIVRD"), Receipt("a_b", True)),  # `_` in GSM 7-bit
        # In any order, spacing and letter case of its fields.
        (Sm(esm_class=4, short_message=b"STAT:DELIVRD ID:7"), Receipt("7", True)),
        (Sm(esm_class=4, short_message=b'Id: "7" Stat = Delivered'), Receipt("7", True)),
        (Sm(esm_class=4, short_message=b"message_id:7,status:DELIVERED"), Receipt("7", True)),
        (Sm(esm_class=4, short_message=b"id:sub:001 stat:DELIVRD"), None),
        (Sm(esm_class=4, short_message=b"id: sub:001 stat:DELIVRD"), None),
        (Sm(esm_class=4, short_message=b"id:a:7 stat:DELIVRD"), Receipt("a:7", True)),
        # The renter's own text contains no fields.
        (Sm(esm_class=4, short_message=b"id:7 stat:DELIVRD text:id:8 stat:UNDELIV"), Receipt("7", True)),
        (Sm(esm_class=4, short_message=b"id:7 Text:stat:UNDELIV"), None),
        (Sm(esm_class=4, short_message=b"text:id:8 stat:UNDELIV id:7 stat:DELIVRD"), Receipt("7", True)),
        (Sm(esm_class=0x44, short_message=b"\x05\x00\x03\x01\x02\x01id:7 stat:DELIVRD"), Receipt("7", True)),
        (Sm(esm_class=4, short_message=b"stat:DELIVRD"), None),
        (Sm(esm_class=4, short_message=b"\xff\x00"), None),
        (Sm(esm_class=4, short_message=b"ID:7 Stat:DELIVRD"), Receipt("7", True)),
        (
            Sm(esm_class=4, tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"abc\0"), (Tag.MESSAGE_STATE, b"\x02"))),
            Receipt("abc", True),
        ),
        (
            DataSm(
                esm_class=4,
                tlvs=(
                    (Tag.RECEIPTED_MESSAGE_ID, b"abc\0"),
                    (Tag.MESSAGE_STATE, b"\x05"),
                    (Tag.NETWORK_ERROR_CODE, b"\x03\x00\x1b"),
                ),
            ),
            Receipt("abc", False, "the phone can't be reached (network error 27)"),
        ),
        # The TLVs come from the SMSC itself and take precedence over the text.
        (receipt(tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"x\0"), (Tag.MESSAGE_STATE, b"\x01"))), None),
        (receipt(tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"\0"),)), Receipt("0123456789", True, "", PHONE)),
        # A message_state that the specification does not define is ignored.
        (receipt(tlvs=((Tag.MESSAGE_STATE, b"\0"),)), DELIVERED),
        (receipt(tlvs=((Tag.MESSAGE_STATE, b"\x63"),)), DELIVERED),
    ],
)
def test_a_receipt_identifies_its_message_and_outcome(body, expected):
    assert receipt_of(body) == expected


ID, STATE = (Tag.RECEIPTED_MESSAGE_ID, b"7f\0"), (Tag.MESSAGE_STATE, b"\x02")
FIELDS = b"id:7f sub:001 dlvrd:001 stat:DELIVRD err:000 text:hello"


@pytest.mark.parametrize(
    ("esm_class", "is_one"),
    [(0x00, False), (0x04, True), (0x44, True), (0x84, True), (0x20, True), (0x60, True), (0x03, False), (0x40, False)],
)
def test_text_alone_does_not_make_a_receipt(esm_class, is_one):
    """Anyone can write such a text; only the SMSC can set the esm_class."""
    assert is_receipt(Sm(esm_class=esm_class, short_message=FIELDS)) is is_one


@pytest.mark.parametrize(
    ("text", "tlvs", "is_one"),
    [
        (b"", (ID, STATE), True),
        (b"anything", (ID, STATE), True),
        (FIELDS, (ID,), True),
        (FIELDS, (STATE,), True),
        (FIELDS.decode().encode("utf-16-be"), (ID,), True),
        (b"", (ID,), True),
        (b"", (STATE,), True),
        (b"stat:DELIVRD", (ID,), True),
        # An SMS even if it has one of the TLVs.
        (b"Your code is 418207", (ID,), False),
        (b"Your code is 418207", (STATE,), False),
        (b"stat:DELIVRD", (STATE,), False),
        (b"id:7f", (ID,), False),
        (FIELDS, ((Tag.RECEIPTED_MESSAGE_ID, b"\0"), (Tag.MESSAGE_STATE, b"")), False),
        (b"", (), False),
    ],
)
@pytest.mark.parametrize("of_data_sm", [False, True])
def test_tlvs_that_an_sms_never_has_make_a_receipt(text, tlvs, is_one, of_data_sm):
    body = DataSm(tlvs=(*tlvs, (Tag.MESSAGE_PAYLOAD, text))) if of_data_sm else Sm(short_message=text, tlvs=tlvs)
    assert is_receipt(body) is is_one


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x48])
def test_an_acknowledgement_of_a_phone_is_a_receipt_only_if_it_has_the_fields_of_one(esm_class):
    assert is_receipt(Sm(esm_class=esm_class & ~0x40, short_message=FIELDS))
    assert not is_receipt(Sm(esm_class=esm_class, short_message=b"\0read, thank you"))


@pytest.mark.parametrize(
    ("stat", "word"),
    [(b"WEIRD", "WEIRD"), (b"odd_one", "ODDONE"), (b"DELIVRD", ""), (b"ENROUTE", ""), (b"FAILED", ""), (b"", "")],
)
def test_an_unknown_status_word_is_reported(stat, word):
    assert unknown_word(receipt(stat=stat)) == word
