"""A carrier's deviations: its TLVs, receipts and data_coding values, from its settings."""

import pytest

from dtmf_server.carriers.registry import settings_class
from dtmf_server.carriers.smpp.carrier import read
from dtmf_server.carriers.smpp.codec import encode
from dtmf_server.carriers.smpp.delivery_receipt import receipt_of, unknown_word
from dtmf_server.carriers.smpp.events import Arrived
from dtmf_server.carriers.smpp.kind import _smsc
from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from dtmf_server.carriers.smpp.settings import SmppSettings
from dtmf_server.carriers.smpp.vendor import ReceiptRules, host_and_port, receipt_pattern, receipt_words
from dtmf_server.config import ConfigError, load
from dtmf_server.core.inbound import InboundMessage, Receipt

LONDON = '[[carrier]]\nname = "london"\nhost = "127.0.0.1"\nsystem_id = "me"\npassword = "canary"\n'


def settings(tmp_path, text: str) -> SmppSettings:
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + text)
    (carrier,) = load(path, {}, settings_of=settings_class).carrier
    assert isinstance(carrier, SmppSettings)
    return carrier


def receipt(text: str, state: bytes = b"") -> Sm:
    tlvs = ((0x0427, state),) if state else ()
    return Sm(source_addr="1310", esm_class=4, short_message=text.encode(), tlvs=tlvs)


def test_india_s_dlt_parameters_are_tlvs_of_the_carrier_and_of_a_number(tmp_path):
    smsc = _smsc(
        settings(
            tmp_path,
            'tlvs = { 0x1400 = "1101234567890", 0x1401 = "1107000000001" }\n'
            '[carrier.tlvs_by_sender."+919800000001"]\n0x1401 = "hex:3131303700"\n0x1402 = "x"\n',
        )
    )
    assert smsc.tlvs == {0x1400: b"1101234567890", 0x1401: b"1107000000001"}
    assert smsc.tlvs_by_sender == {"+919800000001": {0x1401: b"1107\0", 0x1402: b"x"}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('tlvs = { 0x10000 = "1" }', "tlvs has the key '0x10000': use a tag from 0x1 to 0xffff"),
        ('tlvs = { 0 = "1" }', "tlvs has the key '0'"),
        ('tlvs = { entity = "1" }', "tlvs has the key 'entity'"),
        ('tlvs = { 0x1400 = "1", 5120 = "2" }', "tlvs lists the tag 0x1400 twice"),
        ("tlvs = { 0x1400 = 1 }", "tlvs maps 0x1400 to 1: use ASCII text"),
        ('tlvs = { 0x1400 = "ü" }', "tlvs maps 0x1400 to 'ü': use ASCII text"),
        ('tlvs = { 0x1400 = "hex:1" }', "after 'hex:', use pairs of hexadecimal digits"),
        (f'tlvs = {{ 0x1400 = "{"x" * 256}" }}', "tlvs has 256 octets for 0x1400: at most 255"),
        ('tlvs_by_sender = { 9198 = { 0x1400 = "1" } }', "tlvs_by_sender has the key '9198': use one of your numbers"),
        ('tlvs_by_sender = { "+9198" = "1" }', "tlvs_by_sender maps +9198 to '1': use a table of TLVs"),
        ('tlvs_by_sender = { "+9198" = { x = "1" } }', "tlvs_by_sender for +9198 has the key 'x'"),
        ('receipt_words = { DLVD = "ok" }', "receipt_words maps DLVD to 'ok': use 'delivered', 'failed' or 'pending'"),
        ('receipt_words = { "_-" = "failed" }', "receipt_words has the key '_-'"),
        ("receipt_pattern = '('", "receipt_pattern is not a regular expression"),
        ("receipt_pattern = '(?P<id>.)'", "receipt_pattern has no group (?P<stat>…)"),
        ('data_coding = { 256 = "ucs2" }', "data_coding has the key '256': use a data_coding from 0x0 to 0xff"),
        ('data_coding = { 0xf5 = "utf7" }', "data_coding maps 0xf5 to 'utf7': use one of ascii, binary"),
        ("ucs2_data_coding = 256", "ucs2_data_coding must be a data_coding from 0 to 255"),
        ("submits_per_s = -1", "submits_per_s must be submits a second on each bind"),
        ("backup_hosts = ['a:0']", "backup_hosts must be a list of hosts"),
        ("backup_hosts = ['a b']", "backup_hosts must be a list of hosts"),
        (
            "backup_hosts = ['smsc2.example.net']",
            "backup_hosts is not this machine: a sandbox has carriers on loopback",
        ),
    ],
)
def test_an_invalid_entry_is_refused_naming_it(tmp_path, text, complaint):
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, text + "\n")
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.example", ("a.example", 2775)),
        ("127.0.0.1:99", ("127.0.0.1", 99)),
        ("[::1]:99", ("::1", 99)),
        ("[::1]", ("::1", 2775)),
    ],
)
def test_a_host_may_have_a_port(text, found):
    assert host_and_port(text, 2775) == found


def test_status_words_of_the_carrier_decide():
    rules = ReceiptRules(
        receipt_words({"DLVD-OK": "delivered", "7": "failed", "ACCEPTD": "delivered", "WAIT": "pending"})
    )
    ok = Receipt("1", True, "", "1310")
    assert receipt_of(receipt("id:1 stat:DLVD_OK"), rules=rules) == ok
    assert receipt_of(receipt("id:1 stat:ACCEPTD"), rules=rules) == ok
    assert receipt_of(receipt("id:1", b"\x06"), rules=rules) == ok  # message_state 6 is ACCEPTD
    assert receipt_of(receipt("id:1 stat:7 err:12"), rules=rules) == Receipt(
        "1", False, "the carrier could not deliver it (error 12)", "1310"
    )
    assert receipt_of(receipt("id:1 stat:WAIT"), rules=rules) is None
    assert unknown_word(receipt("id:1 stat:WAIT"), rules=rules) == ""
    assert unknown_word(receipt("id:1 stat:ODD"), rules=rules) == "ODD"
    assert receipt_of(receipt("id:1 stat:UNDELIV"), rules=rules) == Receipt(
        "1", False, "the phone can't be reached", "1310"
    )


@pytest.mark.parametrize("stat", ["DELIVRD", "delivrd"])
def test_a_pattern_finds_the_fields_of_an_unusual_receipt(stat):
    rules = ReceiptRules(pattern=receipt_pattern(r"ref (?P<id>\w+) is (?P<stat>\w+)(?: code (?P<err>\w+))?"))
    assert receipt_of(receipt(f"Ref a1 is {stat}"), rules=rules) == Receipt("a1", True, "", "1310")
    assert receipt_of(receipt("ref a1 is REJECTD code 5"), rules=rules) == Receipt(
        "a1", False, "the carrier rejected it (error 5)", "1310"
    )
    assert receipt_of(receipt("id:2 stat:DELIVRD"), rules=rules) == Receipt("2", True, "", "1310")
    for odd in ("ref a1 is 9999", "ref a1 is ²", "ref a1 is 99"):
        assert receipt_of(receipt(odd), rules=rules) is None


def test_data_coding_values_of_the_carrier_are_read_and_written(tmp_path):
    smsc = _smsc(settings(tmp_path, 'data_coding = { 0xf5 = "ucs2", 0 = "utf8" }\nucs2_data_coding = 24\n'))

    def arrived(dcs: int, octets: bytes) -> InboundMessage:
        body = Sm(source_addr="1310", destination_addr="1202", data_coding=dcs, short_message=octets)
        frame = encode(Pdu(Command.DELIVER_SM, 1, body))
        found = read(smsc, Arrived(Command.DELIVER_SM, 1, body, frame), 1)
        assert isinstance(found, InboundMessage)
        return found

    assert arrived(0xF5, "漢".encode("utf-16-be")).text == "漢"
    assert arrived(0, "漢".encode()).text == "漢"
    assert arrived(0x08, "漢".encode("utf-16-be")).text == "漢"
    assert smsc.sent_codings == {0: 0, 8: 24}
