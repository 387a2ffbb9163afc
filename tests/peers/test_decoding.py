"""The same deliver_sm, encoded by npm's `smpp`, for our service and for Kannel: both decode it correctly."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.core import sms_segments as core_sms
from peers.conftest import Exchange
from peers.kannel import Read
from smpp.conftest import Bound, binding, sqlite

PHONE = "4915112345678"
EMOJI = "Hi 😀".encode("utf-16-be")  # the surrogate pair is at octets 6 to 9
PAYLOAD = "A long text in one PDU, which npm writes as message_payload. " * 8
Sms = dict[str, Any]  # in npm's format


def octets(value: bytes) -> Sms:
    return {"hex": value.hex()}


def sms(text: str | bytes, data_coding: int = 0, **more: Any) -> Sms:
    """Return a deliver_sm. npm encodes a str according to data_coding; bytes are sent unchanged."""
    return {"short_message": octets(text) if isinstance(text, bytes) else text, "data_coding": data_coding} | more


def part(header: bytes, text: str | bytes, data_coding: int = 0) -> Sms:
    """Return a deliver_sm with a user data header."""
    message = octets(text) if isinstance(text, bytes) else text
    return {"short_message": {"udh": octets(bytes((len(header),)) + header), "message": message}} | {
        "data_coding": data_coding
    }


def ref8(number: int, *, of: int, ref: int) -> bytes:
    return bytes((0, 3, ref, of, number))


def ref16(number: int, *, of: int, ref: int) -> bytes:
    return b"\x08\x04" + ref.to_bytes(2, "big") + bytes((of, number))


def sar(number: int, *, of: int, ref: int) -> Sms:
    return {"sar_msg_ref_num": ref, "sar_total_segments": of, "sar_segment_seqnum": number}


PORTS = b"\x05\x04\x0b\x84\x0b\x84"
# Messages that npm delivers, and the expected texts.
CASES: dict[str, tuple[list[Sms], str]] = {
    "gsm": ([sms("Your code is 123456")], "Your code is 123456"),
    "gsm with every sign of its extension": ([sms("^{}\\[~]|€ ^{}")], "^{}\\[~]|€ ^{}"),
    "gsm landmarks": (
        [sms("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà")],
        "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
    ),
    "gsm by its class, 0xf0": ([sms(b"\x00\x1be", 0xF0)], "@€"),
    "gsm by its class, 0xf1": ([sms(b"\x02\x11", 0xF1)], "$_"),
    "flash": ([sms(b"\x00b", 0x10)], "@b"),
    "ascii": ([sms(b"$_@ plain", 1)], "$_@ plain"),
    "latin-1": ([sms("café £ ÿ ¼", 3)], "café £ ÿ ¼"),
    "cyrillic": ([sms("код 123".encode("iso8859_5"), 6)], "код 123"),
    "hebrew": ([sms("קוד".encode("iso8859_8"), 7)], "קוד"),
    "ucs-2": ([sms("Žluťoučký kůň 验证码", 8)], "Žluťoučký kůň 验证码"),
    "ucs-2 with an emoji": ([sms("Hi 😀 👩‍👩‍👧", 8)], "Hi 😀 👩‍👩‍👧"),
    "ucs-2 by its class": ([sms("č".encode("utf-16-be"), 0x18)], "č"),
    "an empty text": ([sms("")], ""),
    "one line after another": ([sms("one\ntwo\r\n")], "one\ntwo\r\n"),
    "binary": ([sms(b"\x00\x01\xff", 4)], "0001ff"),
    "binary by its class": ([sms(b"\x00\x1b\xfe", 0xF5)], "001bfe"),
    "a name as sender": ([sms("hi", source_addr_ton=5, source_addr="Bank 24")], "hi"),
    "a short code": ([sms("hi", source_addr_ton=3, source_addr="12345")], "hi"),
    "message_payload": ([{"message_payload": PAYLOAD, "data_coding": 0}], PAYLOAD),
    "message_payload in ucs-2": ([{"message_payload": "č😀" * 99, "data_coding": 8}], "č😀" * 99),
    "one part of one": ([part(ref8(1, of=1, ref=1), "alone")], "alone"),
    "two parts, 8-bit reference": ([part(ref8(n, of=2, ref=2), t) for n, t in ((1, "one "), (2, "two"))], "one two"),
    "two parts, 16-bit reference": ([part(ref16(n, of=2, ref=3), t) for n, t in ((1, "one "), (2, "two"))], "one two"),
    "two parts, sar": ([sms(t, **sar(n, of=2, ref=4)) for n, t in ((1, "one "), (2, "two"))], "one two"),
    "backwards": ([part(ref8(n, of=3, ref=5), f"{n} {{€}} ") for n in (3, 2, 1)], "1 {€} 2 {€} 3 {€} "),
    "backwards, sar": ([sms(f"{n} ", **sar(n, of=3, ref=6)) for n in (2, 3, 1)], "1 2 3 "),
    "twelve parts out of order": (
        [part(ref8(n, of=12, ref=7), f"{n}.") for n in (12, 10, 2, 1, 11, 9, 3, 8, 4, 7, 5, 6)],
        "1.2.3.4.5.6.7.8.9.10.11.12.",
    ),
    "an emoji split between parts": (
        [part(ref8(1, of=2, ref=8), EMOJI[:8], 8), part(ref8(2, of=2, ref=8), EMOJI[8:], 8)],
        "Hi 😀",
    ),
    "an emoji split, the end first": (
        [part(ref16(2, of=2, ref=9), EMOJI[8:], 8), part(ref16(1, of=2, ref=9), EMOJI[:8], 8)],
        "Hi 😀",
    ),
    "an emoji split, sar": (
        [sms(EMOJI[:8], 8, **sar(1, of=2, ref=10)), sms(EMOJI[8:], 8, **sar(2, of=2, ref=10))],
        "Hi 😀",
    ),
    "ports before the reference": (
        [part(PORTS + ref8(n, of=2, ref=11), t) for n, t in ((1, "one "), (2, "two"))],
        "one two",
    ),
    "long binary": (
        [part(ref8(1, of=2, ref=12), b"\x00\x01", 4), part(ref8(2, of=2, ref=12), b"\xfe\xff", 4)],
        "0001feff",
    ),
    # By default, npm sends data_coding 1 with GSM 7-bit, which has control characters if decoded as ASCII.
    "what npm writes by itself": ([{"short_message": "Your code {1} @ home"}], "Your code {1} @ home"),
    "a gsm escape split between parts": (
        [part(ref8(1, of=2, ref=13), b"5 \x1b"), part(ref8(2, of=2, ref=13), b"\x65")],
        "5 €",
    ),
}
# Kannel's different result for some of them.
KANNEL = {
    "what npm writes by itself": "Your code \x1b(1\x1b) \x00 home",  # the octets unchanged
    "a gsm escape split between parts": "5 ?e",  # Kannel decodes each part separately
}


@pytest.mark.parametrize("case", CASES)
def test_messages_from_npm_are_decoded_correctly_and_like_kannel(exchange: Exchange, case: str) -> None:
    ours, before = exchange.ours, len(exchange.ours.received())
    addressed = {"source_addr_ton": 1, "source_addr": PHONE, "dest_addr_ton": 1, "destination_addr": ours.number}
    delivered, expected = CASES[case]
    exchange.smsc.do("deliver", to=["dtmf", "kannel"], sms=[addressed | one for one in delivered])
    read = exchange.kannel.read()
    assert read.text == KANNEL.get(case, expected)
    (received,) = ours.eventually(lambda: ours.received()[before:])
    assert received == (read.sender, expected)
    assert ours.rows("SELECT count(*) AS n FROM parts")[0]["n"] == 0


TEXTS = {
    "short": "Hello",
    "with every extension": "Total: €5 {net} [x] ~ \\ | ^ é Ω",
    "160 septets": "a" * 160,
    "161 septets": "a" * 160 + "b",
    "an extension at the end of a segment": "a" * 152 + "€" * 5,
    "long": "Long ago, in a galaxy far away. {€} " * 12,
    "ucs-2": "Žluťoučký kůň",
    "70 code units": "ж" * 70,
    "71 code units": "ж" * 71,
    "an emoji at the end of a segment": "ж" * 66 + "😀" * 40,
    "long ucs-2": "Dlouhá zpráva s 😀 uprostřed. " * 12,
}
GSM = [name for name, text in TEXTS.items() if core_sms.segments(text).encoding == "gsm7"]


@pytest.mark.parametrize("name", TEXTS)
def test_messages_from_kannel_are_decoded_correctly(exchange: Exchange, name: str) -> None:
    ours, before, text = exchange.ours, len(exchange.ours.received()), TEXTS[name]
    exchange.smsc.do("set", relay={"kannel": "dtmf"})
    exchange.kannel.send(text, sender=f"+{PHONE}", to=ours.e164, coding=0 if name in GSM else 2)
    (received,) = ours.eventually(lambda: ours.received()[before:])
    assert received == (f"+{PHONE}", text)


@pytest.fixture
def bind_to_exchange(exchange: Exchange, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Callable[..., Bound]]:
    """Bind another service with its own settings."""
    with ExitStack() as stack:
        database = stack.enter_context(sqlite(migrated_sqlite, tmp_path / "dtmf.db"))
        yield partial(binding, stack, database, smsc=exchange.smsc)


@pytest.mark.parametrize("segmentation", ["udh8", "udh16", "sar", "payload"])
def test_npm_and_kannel_decode_our_messages_correctly(
    exchange: Exchange, bind_to_exchange: Callable[..., Bound], segmentation: str
) -> None:
    bound = bind_to_exchange(segmentation=segmentation, system_id=segmentation)
    exchange.smsc.do("set", relay={segmentation: "kannel"})
    for name, text in TEXTS.items():
        segments = bound.until(bound.sends(text), "sent")["segments"]
        seen = exchange.smsc.wait("sms", system_id=segmentation)
        assert seen["text"] == text, name
        assert seen["segments"] == (1 if segmentation == "payload" else segments), name
        assert exchange.kannel.read() == Read(bound.e164, "+31612345678", text), name


def test_kannel_decodes_our_latin_1_messages_correctly(
    exchange: Exchange, bind_to_exchange: Callable[..., Bound]
) -> None:
    bound = bind_to_exchange(alphabet="latin1", system_id="latin1")
    exchange.smsc.do("set", relay={"latin1": "kannel-latin1"})
    for name, text in TEXTS.items():
        bound.until(bound.sends(text), "sent")
        assert exchange.kannel.read() == Read(bound.e164, "+31612345678", text), name
