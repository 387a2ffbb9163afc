"""Webhooks of the app: what they mean, and that nothing else is accepted."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtmf_server.carriers.android.callbacks import parse
from dtmf_server.carriers.android.message_ids import message_id_of, phone_id
from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRefused,
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
)
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from harness import START_US, FakeWall
from support.android_carrier import NUMBERS, settings_for
from support.providers.android import SimulatedPhone

PHONE = SimulatedPhone(FakeWall())
SMS = {
    "messageId": "83be51e4",
    "message": "code 123",
    "sender": "Bank",
    "phoneNumber": "Bank",
    "simNumber": 1,
    "receivedAt": "2018-01-01T03:00:59.000+02:00",
}
ID = phone_id(b"key", carrier="pixel", message_id=77, message=CarrierMessage("+12025550200", "+447700900999", "Hi"))


def event(name: str, payload: object, **others: Any) -> bytes:
    found = {"id": "e1", "webhookId": "w1", "event": name, "deviceId": "device-1", "payload": payload}
    return json.dumps({**found, **others}).encode()


def request(body: bytes, headers: dict[str, str] | None = None, *, wall_us: int = START_US) -> CallbackRequest:
    signed = PHONE.sign(body) if headers is None else headers
    return CallbackRequest("POST", "/", {name.lower(): value for name, value in signed.items()}, body, wall_us)


def read(body: bytes, **settings: Any) -> CallbackResult:
    return parse(request(body), settings_for(**settings))


def sms(**changes: Any) -> InboundMessage:
    payload = {name: value for name, value in {**SMS, **changes}.items() if value is not None}
    (found,) = read(event("sms:received", payload)).items
    assert isinstance(found, InboundMessage)
    return found


def test_an_sms_has_its_number_text_and_time() -> None:
    found = sms()
    assert (found.to, found.sender, found.text) == (NUMBERS["1"], "Bank", "code 123")
    assert found.received_us == START_US - 2_000_000
    assert sms(simNumber=2).to == NUMBERS["2"]
    assert sms(sender=None).sender == "Bank", "versions before 1.50 only have phoneNumber"
    assert sms(message="").text == ""


def test_a_twin_has_the_same_id_and_another_sms_has_not() -> None:
    first = sms().carrier_ref
    assert sms(receivedAt="2018-01-01T01:00:59.000Z").carrier_ref == first
    others = [
        sms(receivedAt="2018-01-01T03:01:00.000+02:00"),  # a person repeats a text
        sms(messageId="83be51e5"),
        sms(sender="Shop"),
    ]
    other_phone = read(event("sms:received", SMS, deviceId="device-2")).items[0]
    assert isinstance(other_phone, InboundMessage)
    refs = {first, other_phone.carrier_ref, *(one.carrier_ref for one in others)}
    assert len(refs) == 5


def test_the_number_is_that_of_the_sim_and_an_unknown_sim_is_nobodys() -> None:
    assert sms(simNumber=3).to == "pixel, SIM 3"
    assert sms(simNumber=3, recipient=NUMBERS["1"]).to == "pixel, SIM 3"
    assert sms(simNumber=None).to == "pixel, unknown SIM"
    assert sms(simNumber=None, recipient="+447700900999").to == "pixel, unknown SIM"
    assert sms(simNumber=None, recipient=NUMBERS["2"]).to == NUMBERS["2"]
    (found,) = read(event("sms:received", {**SMS, "simNumber": 2}), sims={"any": "+12025550200"}).items
    assert isinstance(found, InboundMessage)
    assert found.to == "+12025550200"


@pytest.mark.parametrize(
    ("text", "wall_us"),
    [
        ("2018-01-01T01:01:01Z", START_US),
        ("2018-01-01T01:01:01.123456789Z", START_US + 123_456),
        ("2018-01-01T06:31:01.000+05:30", START_US),
        ("2017-12-31T20:01:01.000-05:00", START_US),
        ("2018-01-01T06:31:01.000+05:30", START_US),
        ("2017-12-31T20:01:01.000+-5:0", START_US),  # Android 6
        ("1970-01-01T00:00:00.000Z", None),
    ],
)
def test_times_have_an_offset(text: str, wall_us: int | None) -> None:
    assert sms(receivedAt=text).received_us == wall_us


@pytest.mark.parametrize("text", ["", "now", "2018-01-01T01:01:01", "2018-13-01T01:01:01Z", "2018-01-01", "1" * 1000])
def test_an_unreadable_time_is_refused(text: str) -> None:
    with pytest.raises(CallbackRefused):
        sms(receivedAt=text)


@pytest.mark.parametrize(
    ("name", "more", "delivered", "reason"),
    [
        ("sms:sent", {}, None, ""),
        ("sms:delivered", {}, True, ""),
        (
            "sms:failed",
            {"reason": "Send result: RESULT_ERROR_NO_SERVICE"},
            False,
            "Send result: RESULT_ERROR_NO_SERVICE",
        ),
        ("sms:failed", {}, False, "the phone can't send the SMS"),
        ("sms:cancelled", {}, False, "the SMS was cancelled on the phone"),
    ],
)
def test_states_are_receipts_with_our_own_message_id(
    name: str, more: dict[str, str], delivered: bool | None, reason: str
) -> None:
    (found,) = read(event(name, {"messageId": ID, "recipient": "+447700900999", **more})).items
    assert found == Receipt(exact(ID), delivered, reason, "+447700900999", message_id=77)


@pytest.mark.parametrize("id_", ["", "x", ID.upper(), ID + "0", ID[1:], f"d0000{ID[5:]}", "d" * 500])
def test_an_sms_of_another_program_on_the_phone_is_ignored(id_: str) -> None:
    result = read(event("sms:failed", {"messageId": id_, "reason": "x"}))
    assert (result.items, result.outcome) == ((), "ignored: SMS of another program")


def test_an_id_is_the_same_for_a_retry_and_fits_the_app() -> None:
    message = CarrierMessage("+12025550200", "+447700900999", "Hi")
    ids = {
        phone_id(key, carrier=name, message_id=id_, message=sent)
        for key, name, id_, sent in [
            (b"key", "pixel", 77, message),
            (b"key", "pixel", 77, CarrierMessage(message.sender, message.to, message.text, taken={1: "x"})),
            (b"other database", "pixel", 77, message),
            (b"key", "nexus", 77, message),
            (b"key", "pixel", 78, message),
            (b"key", "pixel", 77, CarrierMessage("+12025550200", "+447700900999", "Hi!")),
        ]
    }
    assert len(ids) == 5
    longest = phone_id(b"key", carrier="p" * 40, message_id=2**63 - 1, message=message)
    assert len(longest) <= 36
    assert message_id_of(longest, carrier="p" * 40) == 2**63 - 1
    assert message_id_of(longest, carrier="pixel") is None


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("mms:received", "ignored: MMS"),
        ("mms:downloaded", "ignored: MMS"),
        ("sms:data-received", "ignored: data SMS"),
        ("new:event", "ignored: other event"),
    ],
)
def test_unsupported_events_are_accepted_and_counted(name: str, outcome: str) -> None:
    result = read(event(name, {"anything": 1}))
    assert (result.items, result.outcome, result.is_heartbeat) == ((), outcome, False)


@pytest.mark.parametrize("name", ["system:ping", "app:started"])
def test_pings_are_heartbeats(name: str) -> None:
    result = read(event(name, {"health": {"status": "pass"}}))
    assert (result.items, result.is_heartbeat) == ((), True)


def test_an_event_of_another_device_is_refused() -> None:
    assert read(event("sms:received", SMS), device_id="device-1").items
    with pytest.raises(CallbackRefused):
        read(event("sms:received", SMS), device_id="device-2")


BODY = event("sms:received", SMS)


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (BODY, {}, "no signature"),
        (BODY, {"X-Signature": "00"}, "no signature"),
        (BODY, {"X-Timestamp": "1514768461"}, "no signature"),
        (BODY, PHONE.sign(BODY, key="another"), "wrong signature"),
        (BODY, {**PHONE.sign(BODY), "X-Signature": "é" * 64}, "wrong signature"),
        (BODY, {**PHONE.sign(BODY), "X-Timestamp": "1514768462"}, "wrong signature"),
        (BODY[:-1], PHONE.sign(BODY), "wrong signature"),
        (BODY + b" ", PHONE.sign(BODY), "wrong signature"),
        (BODY, PHONE.sign(BODY, at_s=START_US // 1_000_000 - 301), "expired timestamp"),
        (BODY, PHONE.sign(BODY, at_s=START_US // 1_000_000 + 302), "expired timestamp"),
        (BODY, PHONE.sign(BODY, at_s=-5), "expired timestamp"),
        (BODY, PHONE.sign(BODY, at_s=10**20), "expired timestamp"),
    ],
)
def test_forged_changed_and_stale_webhooks_are_refused(body: bytes, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(BadSignature, match=reason):
        parse(request(body, headers), settings_for())


def test_the_permitted_age_is_a_setting() -> None:
    old = PHONE.sign(BODY, at_s=START_US // 1_000_000 - 3600)
    assert parse(request(BODY, old), settings_for(signature_max_age_s=3700)).items


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"event": 5}',
        b'{"event": "sms:received"}',
        b"\xff\xfe{\x00}\x00",
        b'{"event": "sms:received", "payload": []}',
        b"[" * 60_000,
        b'{"event": "sms:received", "payload": ' + b"9" * 5000 + b"}",
        event("sms:received", {**SMS, "simNumber": "1"}),
        event("sms:received", {**SMS, "message": None}),
        event("sms:received", {**SMS, "messageId": ""}),
        event("sms:received", {**SMS, "sender": None, "phoneNumber": None}),
        BODY[: len(BODY) // 2],
        BODY.decode().encode("utf-16"),
    ],
)
def test_signed_bodies_that_are_not_the_apps_are_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        read(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
payloads = st.fixed_dictionaries({}, optional={name: json_values | st.just(value) for name, value in SMS.items()})
events = st.builds(
    lambda name, payload, device: event(name, payload, deviceId=device),
    st.sampled_from(["sms:received", "sms:sent", "sms:failed", "system:ping", "mms:received"]) | st.text(),
    payloads | json_values,
    json_values,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine
@given(body=st.binary() | events, is_signed=st.booleans(), signature=st.text(), timestamp=st.text())
def test_any_request_gives_a_result_or_is_refused(body: bytes, is_signed: bool, signature: str, timestamp: str) -> None:
    headers = None if is_signed else {"X-Signature": signature, "X-Timestamp": timestamp}
    try:
        result = parse(request(body, headers), settings_for())
    except CallbackRefused:
        return
    assert is_signed
    for item in result.items:
        assert isinstance(item, InboundMessage | Receipt)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.datetimes().map(lambda at: at.isoformat()) | st.text(), st.text(alphabet="+-:Z0123456789", max_size=8))
def test_any_time_is_read_or_refused(text: str, offset: str) -> None:
    try:
        sms(receivedAt=text + offset)
    except CallbackRefused:
        return
