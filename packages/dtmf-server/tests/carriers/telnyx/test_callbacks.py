"""Callbacks are read as Telnyx sends them; everything that Telnyx did not sign, or signed too long ago, is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest, CallbackResult
from dtmf_server.carriers.telnyx.callbacks import parse
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from support.providers.telnyx import Callback, Telnyx

from .conftest import CALLBACK_URL, Line

OURS, PHONE = "+12025550200", "+31612345678"
AT_S = 1_700_000_000.5


@pytest.fixture
def line(line: Line) -> Line:
    line.provider.clock = lambda: AT_S
    return line


def accepted(line: Line, *, message: int | str = 7, url: str = CALLBACK_URL) -> str:
    """The ID of an SMS that Telnyx accepted."""
    sent = {"from": OURS, "to": PHONE, "text": "hi", "webhook_url": f"{url}?message={message}"}
    return str(line.provider._accept(sent)["id"])


def test_an_sms_has_its_id_its_time_and_its_text(line: Line) -> None:
    (sms,) = line.parse(line.provider.received(OURS, "Bank", "Your code is 1234", id_="b0e1")).items
    assert sms == InboundMessage(
        OURS, "Bank", "Your code is 1234", carrier_ref="b0e1", received_us=1_700_000_000_500_000
    )


@pytest.mark.parametrize(
    ("written", "us"),
    [
        ("2023-11-14T22:13:20.500+00:00", 500_000),
        ("2023-11-14T22:13:20Z", 0),
        ("2023-11-14T23:13:20.123456+01:00", 123_456),
        ("2023-11-14T22:13:20.25", 250_000),
    ],
)
def test_the_time_is_read_in_every_form_that_telnyx_writes(line: Line, written: str, us: int) -> None:
    (sms,) = line.parse(line.provider.received(OURS, PHONE, "x", received_at=written)).items
    assert isinstance(sms, InboundMessage)
    assert sms.received_us == 1_700_000_000_000_000 + us


def test_an_mms_says_how_many_attachments_it_had(line: Line) -> None:
    picture = {"url": "https://media.telnyx.example/a.png", "content_type": "image/png", "size": 4, "hash_sha256": "0"}
    texts = [
        line.parse(line.provider.received(OURS, PHONE, text, media=[picture] * count)).items[0]
        for text, count in [("look", 1), (None, 2), ("", 0), (None, 0)]
    ]
    assert [sms.content for sms in texts if isinstance(sms, InboundMessage)] == [
        "look\n[MMS with 1 attachment, not shown]",
        "[MMS with 2 attachments, not shown]",
        "",
        "",
    ]


def test_a_group_mms_is_one_message_for_each_of_its_numbers(line: Line) -> None:
    to = [{"phone_number": number} for number in (OURS, "+12025550201", OURS)]
    items = line.parse(line.provider.received(OURS, PHONE, "all", id_="m1", to=to)).items
    assert [(sms.to, sms.carrier_ref) for sms in items if isinstance(sms, InboundMessage)] == [
        (OURS, f"m1 {OURS}"),
        ("+12025550201", "m1 +12025550201"),
    ]


@pytest.mark.parametrize(
    ("status", "errors", "delivered", "reason"),
    [
        ("sent", (), None, ""),
        ("delivered", (), True, ""),
        ("delivery_unconfirmed", (), None, ""),
        ("delivery_failed", ("40008",), False, "the mobile network did not accept the SMS (Telnyx 40008)"),
        ("sending_failed", ("40010",), False, "this number is not registered for sending to US phones (10DLC)"),
        ("sending_failed", (), False, "Telnyx gave no reason"),
        ("expired", (), False, "the SMS expired before it was delivered"),
        ("a state of tomorrow", (), None, ""),
    ],
)
def test_a_state_names_our_message_from_what_telnyx_signed(
    line: Line, status: str, errors: tuple[str, ...], delivered: bool | None, reason: str
) -> None:
    id_ = accepted(line)
    (receipt,) = line.parse(line.provider.state(id_, status, *errors)).items
    assert isinstance(receipt, Receipt)
    assert receipt == Receipt(exact(id_), delivered, receipt.reason, sender=PHONE, to=OURS, message_id=7)
    assert receipt.reason.startswith(reason)
    assert bool(receipt.reason) == bool(reason)


@pytest.mark.parametrize(
    ("message", "url"),
    [
        ("7", "https://elsewhere.example/callbacks/carriers/telnyx"),
        ("7", CALLBACK_URL + "x"),
        ("7&message=8", CALLBACK_URL),
        ("-7", CALLBACK_URL),
        ("٧", CALLBACK_URL),
        ("9" * 19, CALLBACK_URL),
        ("", CALLBACK_URL),
    ],
)
def test_no_message_is_named_by_a_webhook_url_that_is_not_ours(line: Line, message: str, url: str) -> None:
    id_ = accepted(line, message=message, url=url)
    (receipt,) = line.parse(line.provider.state(id_, "delivered")).items
    assert isinstance(receipt, Receipt)
    assert receipt.message_id == 0


def test_the_query_of_the_request_names_no_message_because_it_is_not_signed(line: Line) -> None:
    id_ = accepted(line, url="https://elsewhere.example")
    headers, body = line.provider.signed(line.provider.state(id_, "delivered"))
    request = CallbackRequest("POST", f"{CALLBACK_URL}?message=8", headers, body, round(AT_S * 1e6))
    (receipt,) = line.carrier.parse(request).items
    assert isinstance(receipt, Receipt)
    assert receipt.message_id == 0


def test_other_events_are_acknowledged_and_bring_nothing(line: Line) -> None:
    for kind in ("messaging-profile.spend-limit-reached", "10dlc.brand.update", "call.initiated"):
        for payload in ({}, [], None, {"id": 1}):
            body = json.dumps({"data": {"event_type": kind, "payload": payload}}).encode()
            assert line.parse_raw(*line.provider.sign(body)) == CallbackResult()


def edited(callback: Callback, **fields: Any) -> Callback:
    data = callback.event["data"]
    return Callback({"data": {**data, "payload": {**data["payload"], **fields}}})


def test_events_of_another_messaging_profile_are_refused(line: Line) -> None:
    with pytest.raises(BadSignature, match="another messaging profile"):
        line.parse(edited(line.provider.received(OURS, PHONE, "x"), messaging_profile_id="other"))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "a\n"},
        {"id": "a" * 101},
        {"id": 5},
        {"to": []},
        {"to": [{"phone_number": None}]},
        {"to": [{"phone_number": ""}]},
        {"to": OURS},
        {"from": None},
        {"text": 5},
        {"received_at": None},
        {"received_at": "yesterday"},
    ],
    ids=str,
)
def test_an_sms_without_what_it_needs_is_refused(line: Line, fields: dict[str, Any]) -> None:
    with pytest.raises(CallbackRefused) as refused:
        line.parse(edited(line.provider.received(OURS, PHONE, "canary"), **fields))
    assert not isinstance(refused.value, BadSignature)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"data": null}', b'{"data": {"event_type": 5}}', b"\xff\xfe", b"[" * 20_000, b"{"],
    ids=lambda body: repr(body[:20]),
)
def test_signed_bytes_without_an_event_are_refused(line: Line, body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        line.parse_raw(*line.provider.sign(body))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"telnyx-signature-ed25519": ""}, "no signature"),
        ({"telnyx-timestamp": ""}, "no signature"),
        ({"telnyx-timestamp": "1e9"}, "malformed timestamp"),
        ({"telnyx-timestamp": "-1700000000"}, "malformed timestamp"),
        ({"telnyx-timestamp": "١٧"}, "malformed timestamp"),
        ({"telnyx-timestamp": "9" * 13}, "malformed timestamp"),
        ({"telnyx-timestamp": "1700000001"}, "wrong signature"),
        ({"telnyx-signature-ed25519": "AAAA"}, "malformed signature"),
        ({"telnyx-signature-ed25519": "!"}, "malformed signature"),
        ({"telnyx-signature-ed25519": "é"}, "malformed signature"),
        ({"telnyx-signature-ed25519": "A" * 86 + "=="}, "wrong signature"),
    ],
)
def test_a_forged_callback_is_refused_by_a_fixed_phrase(line: Line, changed: dict[str, str], reason: str) -> None:
    headers, body = line.provider.signed(line.provider.received(OURS, PHONE, "x"))
    with pytest.raises(BadSignature, match=f"^{reason}$"):
        line.parse_raw(headers | changed, body)


@pytest.mark.parametrize("age_s", [-301, 301, 3600, 8 * 86_400])
def test_a_replay_is_refused_once_its_timestamp_is_five_minutes_off(line: Line, age_s: int) -> None:
    callback = line.provider.signed(line.provider.received(OURS, PHONE, "x"))
    line.provider.clock = lambda: AT_S + age_s
    with pytest.raises(BadSignature, match=r"^expired timestamp$"):
        line.parse_raw(*callback)
    line.provider.clock = lambda: AT_S + (299 if age_s > 0 else -299)
    assert line.parse_raw(*callback).items


def test_a_changed_truncated_or_foreign_body_is_refused(line: Line) -> None:
    headers, body = line.provider.signed(line.provider.received(OURS, PHONE, "x"))
    stranger = replace(line.provider, _key=SigningKey(b"\x18" * 32))
    forged = [body[:-1], body + b" ", body.replace(OURS.encode(), b"+12025550201"), body.decode().encode("utf-16"), b""]
    for other in forged:
        with pytest.raises(BadSignature, match=r"^wrong signature$"):
            line.parse_raw(headers, other)
    with pytest.raises(BadSignature, match=r"^wrong signature$"):
        line.parse_raw(*stranger.signed(line.provider.received(OURS, PHONE, "x")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["id", "messaging_profile_id", "from", "to", "text", "received_at", "media", "errors", "webhook_url", "other"]
PARTY = st.fixed_dictionaries({}, optional={"phone_number": JSON | st.just(OURS), "status": JSON, "carrier": JSON})
EVENTS = st.builds(
    lambda kind, fields: {"data": {"event_type": kind, "payload": fields}},
    st.sampled_from(["message.received", "message.sent", "message.finalized", "call.initiated"]) | JSON,
    JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | PARTY | st.lists(PARTY, max_size=3)),
)


@given(body=st.binary() | (EVENTS | JSON).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_whatever_is_signed_is_read_or_refused_and_never_fails(body: bytes) -> None:
    provider = Telnyx(clock=lambda: AT_S)
    headers, _ = provider.sign(body)
    request = CallbackRequest("POST", CALLBACK_URL, headers, body, round(AT_S * 1e6))
    key = VerifyKey(bytes(provider._key.verify_key))
    try:
        result = parse(request, key=key, profile_id=provider.profile_id, callback_url=CALLBACK_URL)
    except CallbackRefused:
        return
    for item in result.items:
        assert isinstance(item, InboundMessage | Receipt)
