"""Messages from an SMSC are decoded as intended, and acknowledged once stored: through a real bind."""

import itertools
from collections.abc import Iterator

import pytest

from dtmf_server.carriers.smpp.pdu import Body, Command, DataSm, Pdu, Raw, Sm, Tag
from dtmf_server.carriers.smpp.status import Status
from smpp.conftest import Bound

_sequences = itertools.count(1000)
PHONE = "4915112345678"
EMOJI = "Hi 😀".encode("utf-16-be")  # the surrogate pair is at octets 6 to 9


def sm(
    text: bytes = b"", dcs: int = 0, *, udh: bytes = b"", tlvs: tuple[tuple[int, bytes], ...] = (), **more: object
) -> Sm:
    """Return a deliver_sm body; header elements get their length and the UDH indicator."""
    header = bytes((len(udh),)) + udh if udh else b""
    fields = {"source_addr_ton": 1, "source_addr": PHONE, "dest_addr_ton": 1, "dest_addr_npi": 1}
    esm_class = 0x40 if udh else 0
    return Sm(**(fields | {"esm_class": esm_class} | more), data_coding=dcs, short_message=header + text, tlvs=tlvs)


def ref8(ref: int, total: int, number: int) -> bytes:
    return bytes((0, 3, ref, total, number))


def ref16(ref: int, total: int, number: int) -> bytes:
    return b"\x08\x04" + ref.to_bytes(2, "big") + bytes((total, number))


def sar(ref: int, total: int, number: int) -> tuple[tuple[int, bytes], ...]:
    return (
        (Tag.SAR_MSG_REF_NUM, ref.to_bytes(2, "big")),
        (Tag.SAR_TOTAL_SEGMENTS, bytes((total,))),
        (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
    )


PORTS = b"\x05\x04\x0b\x84\x0b\x84"
# name: the PDUs delivered, and the texts the renter reads; from +PHONE unless a sender is given.
CASES: dict[str, tuple[list[Sm | DataSm], list[str | tuple[str, str]]]] = {
    # Encodings.
    "gsm text in the default alphabet": ([sm(b"Your code is 123456")], ["Your code is 123456"]),
    "gsm landmarks": ([sm(b"\x00\x01\x02\x11\x1c\x7f")], ["@£$_Æà"]),
    "gsm extension table": ([sm(b"\x1b\x65\x1b\x3c\x1b\x3e\x1b\x28\x1b\x29\x1b\x40")], ["€[]{}|"]),
    "gsm escape at the end": ([sm(b"a\x1b")], ["a "]),
    "gsm escape before an unknown septet": ([sm(b"\x1bA")], ["A"]),
    "gsm octet above 7 bits is marked latin-1": ([sm(b"caf\xe9")], ["\ufffdcafé"]),
    "an empty text": ([sm()], [""]),
    "a text of 160 septets": ([sm(b"a" * 160)], ["a" * 160]),
    "a text of 254 octets": ([sm(b"a" * 254)], ["a" * 254]),
    "dcs 0xf0 is gsm": ([sm(b"\x1b\x65 5", 0xF0)], ["€ 5"]),
    "dcs 0xf1 is gsm": ([sm(b"\x00", 0xF1)], ["@"]),
    "dcs 0xf5 is binary": ([sm(b"\x01\xff", 0xF5)], ["01ff"]),
    "dcs 0x10 flash is gsm": ([sm(b"\x02", 0x10)], ["$"]),
    "dcs 0x18 flash is ucs-2": ([sm("č".encode("utf-16-be"), 0x18)], ["č"]),
    "dcs 1 is ascii": ([sm(b"$_@", 1)], ["$_@"]),
    "dcs 3 is latin-1": ([sm(b"\xa3\xe9", 3)], ["£é"]),
    "dcs 6 is cyrillic": ([sm("код".encode("iso8859_5"), 6)], ["код"]),
    "dcs 7 is hebrew": ([sm("קוד".encode("iso8859_8"), 7)], ["קוד"]),
    "dcs 8 is ucs-2": ([sm("Žluťoučký kůň".encode("utf-16-be"), 8)], ["Žluťoučký kůň"]),
    "ucs-2 with an emoji": ([sm(EMOJI, 8)], ["Hi 😀"]),
    "ucs-2 with an odd octet": ([sm(b"\0Ax", 8)], ["A\ufffdx"]),
    "ucs-2 with half a pair": ([sm(b"\0A\xd8\x3d", 8)], ["A\ufffd"]),
    "ucs-2 in the other byte order": ([sm(b"\xff\xfeA\0", 8)], ["A"]),
    "ucs-2 with a NUL": ([sm(b"\0A\0\0\0B", 8)], ["A\u2400B"]),
    "ucs-2 with a counted NUL at its end": ([sm(b"\0A\0\0", 8)], ["A"]),
    "ascii with a counted NUL at its end": ([sm(b"code 1234\0", 1)], ["code 1234"]),
    "8-bit text": ([sm(b"plain", 4)], ["plain"]),
    "8-bit text of several lines": ([sm(b"Your code:\n\t418207\r\n", 4)], ["Your code:\n\t418207\r\n"]),
    "8-bit text of several lines, dcs 0xf4": ([sm(b"Your code:\n418207", 0xF4)], ["Your code:\n418207"]),
    "8-bit text of several lines, dcs 0x14": ([sm(b"Your code:\n418207", 0x14)], ["Your code:\n418207"]),
    "8-bit text with a counted NUL": ([sm(b"code 1234\0", 4)], ["code 1234"]),
    "8-bit binary": ([sm(b"\x00\x01\x02\xff", 4)], ["000102ff"]),
    "korean": ([sm("인증번호".encode("cp949"), 0x0E)], ["인증번호"]),
    "shift jis": ([sm("認証".encode("cp932"), 5)], ["認証"]),
    "a reserved dcs": ([sm(b"\x00b", 0x8F)], ["@b"]),
    # National language tables: 0x24 single shift, 0x25 locking shift.
    "turkish single shift": ([sm(b"\x1bS\x1bi\x1bg\x1bs \x1be5", udh=b"\x24\x01\x01")], ["Şığş €5"]),
    "spanish single shift": ([sm(b"C\x1badiz \x1bo", udh=b"\x24\x01\x02")], ["Cádiz ó"]),
    "portuguese single shift": ([sm(b"n\x1b{o \x1b\x05", udh=b"\x24\x01\x03")], ["não ê"]),
    "turkish locking shift": ([sm(b"\x40\x07\x0c\x1d\x60", udh=b"\x25\x01\x01")], ["İığşç"]),
    "turkish locking shift, default extension": ([sm(b"\x1b\x65\x1b(", udh=b"\x25\x01\x01")], ["€{"]),
    "hindi, both": ([sm(b"\x15\x18\x1b\x1c\x1bA", udh=b"\x24\x01\x06\x25\x01\x06")], ["कघ०A"]),
    "tables of two languages": ([sm(b"\x40\x1ba", udh=b"\x25\x01\x01\x24\x01\x02")], ["İá"]),
    "an empty place of a single shift table": ([sm(b"\x1b\x07", udh=b"\x25\x01\x01\x24\x01\x01")], ["ı"]),
    "a language without a table": ([sm(b"\x40\x1be", udh=b"\x24\x01\x7f\x25\x01\x02")], ["¡€"]),
    "national tables do not touch ucs-2": ([sm("ж".encode("utf-16-be"), 8, udh=b"\x25\x01\x01")], ["ж"]),
    "turkish in two parts": (
        [
            sm(b"\x07\x1b", udh=ref8(60, 2, 1) + b"\x24\x01\x01\x25\x01\x01"),
            sm(b"s\x0c", udh=b"\x25\x01\x01" + ref8(60, 2, 2) + b"\x24\x01\x01"),
        ],
        ["ışğ"],
    ),
    "a table in the second part alone": (
        [sm(b"\x40", udh=ref16(61, 2, 1)), sm(b"\x40", udh=ref16(61, 2, 2) + b"\x25\x01\x01")],
        ["¡İ"],
    ),
    # Forms of a single message.
    "a NUL between the text and the tlvs": (
        [sm(b"hi", rest=b"\0\x14\x00\x00\x06vendor")],
        ["hi"],
    ),
    "message_payload": ([sm(tlvs=((Tag.MESSAGE_PAYLOAD, b"long " * 100),))], ["long " * 100]),
    "message_payload of 20,000 characters": ([sm(tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 20_000),))], ["x" * 20_000]),
    "data_sm": (
        [DataSm(source_addr_ton=1, source_addr=PHONE, dest_addr_ton=1, tlvs=((Tag.MESSAGE_PAYLOAD, b"data"),))],
        ["data"],
    ),
    "ports only": ([sm(b"to a port", udh=PORTS)], ["to a port"]),
    "one part of one": ([sm(b"alone", udh=ref8(1, 1, 1))], ["alone"]),
    "a header longer than the text": ([sm(b"\x20abc", esm_class=0x40)], [" abc"]),
    "unknown tlvs": ([sm(b"hi", tlvs=((0x1400, b"vendor"), (0x0000, b"")))], ["hi"]),
    # Long messages, in every form.
    "two parts, 8-bit reference": ([sm(b"one ", udh=ref8(1, 2, 1)), sm(b"two", udh=ref8(1, 2, 2))], ["one two"]),
    "two parts, 16-bit reference": ([sm(b"one ", udh=ref16(1, 2, 1)), sm(b"two", udh=ref16(1, 2, 2))], ["one two"]),
    "two parts, sar": ([sm(b"one ", tlvs=sar(1, 2, 1)), sm(b"two", tlvs=sar(1, 2, 2))], ["one two"]),
    "ports before the reference": (
        [sm(b"one ", udh=PORTS + ref8(2, 2, 1)), sm(b"two", udh=PORTS + ref8(2, 2, 2))],
        ["one two"],
    ),
    "ports after the reference": (
        [sm(b"one ", udh=ref16(3, 2, 1) + PORTS), sm(b"two", udh=ref16(3, 2, 2) + PORTS)],
        ["one two"],
    ),
    "parts in message_payload": (
        [
            sm(esm_class=0x40, tlvs=((Tag.MESSAGE_PAYLOAD, b"\x05" + ref8(4, 2, number) + text),))
            for number, text in ((1, b"one "), (2, b"two"))
        ],
        ["one two"],
    ),
    "parts backwards": (
        [sm(b"%d" % number, udh=ref8(5, 3, number)) for number in (3, 2, 1)],
        ["123"],
    ),
    "twelve parts, sorted as numbers": (
        [sm(b"%d." % number, udh=ref8(6, 12, number)) for number in (12, 10, 2, 1, 11, 9, 3, 8, 4, 7, 5, 6)],
        ["1.2.3.4.5.6.7.8.9.10.11.12."],
    ),
    "255 parts": ([sm(b"x", udh=ref8(7, 255, number)) for number in range(1, 256)], ["x" * 255]),
    "an emoji split between parts": (
        [sm(EMOJI[8:], 8, udh=ref8(8, 2, 2)), sm(EMOJI[:8], 8, udh=ref8(8, 2, 1))],
        ["Hi 😀"],
    ),
    "a byte order mark in each part": (
        [sm(b"\xfe\xff" + EMOJI[:8], 8, udh=ref8(62, 2, 1)), sm(b"\xfe\xff" + EMOJI[8:], 8, udh=ref8(62, 2, 2))],
        ["Hi 😀"],
    ),
    "the other byte order mark in each part": (
        [
            sm("\ufeffone ".encode("utf-16-le"), 8, udh=ref8(63, 2, 1)),
            sm("\ufefftwo".encode("utf-16-le"), 8, udh=ref8(63, 2, 2)),
        ],
        ["one two"],
    ),
    "a code unit split between parts": (
        [sm(EMOJI[:7], 8, udh=ref8(9, 2, 1)), sm(EMOJI[7:], 8, udh=ref8(9, 2, 2))],
        ["Hi 😀"],
    ),
    "a gsm escape split between parts": (
        [sm(b"5 \x1b", udh=ref8(10, 2, 1)), sm(b"\x65", udh=ref8(10, 2, 2))],
        ["5 €"],
    ),
    "parts of two codings": (
        [sm(b"abc", udh=ref8(11, 2, 1)), sm("č".encode("utf-16-be"), 8, udh=ref8(11, 2, 2))],
        ["abcč"],
    ),
    "two senders with one reference": (
        [
            sm(text, udh=ref8(12, 2, number), source_addr=phone)
            for text, number, phone in ((b"a1", 1, "111"), (b"b1", 1, "222"), (b"b2", 2, "222"), (b"a2", 2, "111"))
        ],
        [("+222", "b1b2"), ("+111", "a1a2")],
    ),
    "one reference in two widths": (
        [
            *(sm(b"a1", udh=ref8(13, 2, 1)), sm(b"b1", udh=ref16(13, 2, 1))),
            *(sm(b"b2", udh=ref16(13, 2, 2)), sm(b"a2", udh=ref8(13, 2, 2))),
        ],
        ["b1b2", "a1a2"],
    ),
    "one reference with two totals": (
        [
            *(sm(b"a1", udh=ref8(14, 2, 1)), sm(b"b1", udh=ref8(14, 3, 1)), sm(b"b2", udh=ref8(14, 3, 2))),
            *(sm(b"a2", udh=ref8(14, 2, 2)), sm(b"b3", udh=ref8(14, 3, 3))),
        ],
        ["a1a2", "b1b2b3"],
    ),
    "a reference used again": (
        [sm(b"%s%d" % (text, n), udh=ref8(15, 2, n)) for text in (b"a", b"b") for n in (1, 2)],
        ["a1a2", "b1b2"],
    ),
    "an sms between parts": (
        [sm(b"one ", udh=ref8(16, 2, 1)), sm(b"between"), sm(b"two", udh=ref8(16, 2, 2))],
        ["between", "one two"],
    ),
    # Senders and repeated messages.
    "a name as sender": ([sm(b"hi", source_addr_ton=5, source_addr="Bank 24")], [("Bank 24", "hi")]),
    "a short code": ([sm(b"hi", source_addr_ton=3, source_addr="12345")], [("12345", "hi")]),
    "an unknown type of number": ([sm(b"hi", source_addr_ton=0, source_addr="0151234")], [("0151234", "hi")]),
    "a type of number that is not in the table": ([sm(b"hi", source_addr_ton=99)], [(PHONE, "hi")]),
    "no sender": ([sm(b"hi", source_addr="")], [("", "hi")]),
    "a latin-1 sender": ([sm(b"hi", source_addr_ton=5, source_addr="Café")], [("Café", "hi")]),
    "genuine repeats": ([sm(b"yes")] * 3, ["yes"] * 3),
    "a batch keeps its order": ([sm(b"%d" % n) for n in range(50)], [str(n) for n in range(50)]),
    # PDUs that are not messages.
    "a receipt is not an sms": ([sm(b"id:1 stat:DELIVRD", esm_class=4)], []),
    "an empty receipt": ([sm(b"", esm_class=4)], []),
    "an sme's own acknowledgement is an sms": ([sm(b"read", esm_class=8)], ["read"]),
}


@pytest.fixture
def came(inbox: Bound) -> Iterator[list[tuple[str, str]]]:
    """Record what has already arrived when the test begins."""
    inbox.smsc.seen.clear()
    return inbox.received()


def to(inbox: Bound, body: Sm | DataSm) -> Sm | DataSm:
    from msgspec.structs import replace

    return body if body.destination_addr else replace(body, destination_addr=inbox.number)


def delivered(inbox: Bound, *bodies: Sm | DataSm) -> list[int]:
    """Return the statuses with which these were answered, in order."""
    pdus = [
        Pdu(Command.DELIVER_SM if isinstance(body, Sm) else Command.DATA_SM, next(_sequences), to(inbox, body))
        for body in bodies
    ]
    inbox.smsc.send(*pdus)
    return [inbox.smsc.answer(pdu.sequence).status for pdu in pdus]


@pytest.mark.regression("text-codings")
@pytest.mark.parametrize("case", CASES)
def test_a_delivered_sms_is_decoded_as_intended(inbox: Bound, came: list[tuple[str, str]], case: str) -> None:
    bodies, expected = CASES[case]
    assert delivered(inbox, *bodies) == [Status.ESME_ROK] * len(bodies)
    # They were acknowledged, so they must already be stored: don't wait.
    assert inbox.received()[len(came) :] == [(f"+{PHONE}", e) if isinstance(e, str) else e for e in expected]


@pytest.mark.parametrize("address", ["{0}", "+{0}", "00{0}"])
@pytest.mark.parametrize("ton", [0, 1])
def test_our_number_is_recognised_in_every_notation(
    inbox: Bound, came: list[tuple[str, str]], address: str, ton: int
) -> None:
    body = sm(b"hi", dest_addr_ton=ton, destination_addr=address.format(inbox.number))
    assert delivered(inbox, body) == [Status.ESME_ROK]
    assert inbox.received()[len(came) :] == [(f"+{PHONE}", "hi")]


def test_an_sms_for_an_unrented_number_is_acknowledged_and_counted(inbox: Bound, came: list[tuple[str, str]]) -> None:
    strays = "SELECT unrouted_messages AS n FROM service"
    before = inbox.rows(strays)[0]["n"]
    assert delivered(inbox, sm(b"hi", destination_addr="19995550100")) == [Status.ESME_ROK]
    assert inbox.received() == came
    assert inbox.rows(strays)[0]["n"] == before + 1


@pytest.mark.parametrize(
    ("sent", "command", "status"),
    [
        (Pdu(Command.ENQUIRE_LINK, 7), Command.ENQUIRE_LINK_RESP, Status.ESME_ROK),
        (Pdu(0x03, 8, Raw(rest=b"id\0")), Command.GENERIC_NACK, Status.ESME_RINVCMDID),
        (Pdu(0x07, 9, Raw()), Command.GENERIC_NACK, Status.ESME_RINVCMDID),
        (Pdu(Command.DELIVER_SM, 10, Body()), Command.DELIVER_SM_RESP, Status.ESME_RX_T_APPN),
    ],
)
def test_every_request_is_answered(inbox: Bound, sent: Pdu, command: int, status: int) -> None:
    inbox.smsc.seen.clear()
    inbox.smsc.send(sent)
    answer = inbox.smsc.answer(sent.sequence)
    assert (answer.command, answer.status) == (command, status)


def test_a_message_sent_one_octet_per_segment_is_received(inbox: Bound, came: list[tuple[str, str]]) -> None:
    from dtmf_server.carriers.smpp.codec import encode

    octets = encode(Pdu(Command.DELIVER_SM, 77, to(inbox, sm(b"slowly"))))
    for octet in octets:
        inbox.smsc.do("send", octets=f"{octet:02x}")
    assert inbox.smsc.answer(77).status == Status.ESME_ROK
    assert inbox.received()[len(came) :] == [(f"+{PHONE}", "slowly")]
