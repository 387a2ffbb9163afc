"""Callbacks become SMS and receipts; whatever else arrives is refused, and nothing is a traceback."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest, CallbackResult
from dtmf_server.carriers.twilio import callbacks
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.core.inbound import InboundMessage, Receipt
from support.providers.twilio import ACCOUNT, TOKEN, Twilio, signature
from support.twilio_carrier import CALLBACK_URL, OURS, PHONE

HEADER, SID = "X-Twilio-Signature", "SM" + "a" * 32
SMS = {"MessageSid": SID, "AccountSid": ACCOUNT, "From": PHONE, "To": OURS, "Body": "Your code is 123456"}
STATUS = {"MessageSid": SID, "AccountSid": ACCOUNT, "MessageStatus": "delivered"}

Fields = dict[str, str] | list[tuple[str, str]]


def read(url: str, body: bytes, given: str, kind: str = "application/x-www-form-urlencoded") -> CallbackResult:
    request = CallbackRequest("POST", url, {"content-type": kind, HEADER.lower(): given}, body, 0)
    return callbacks.parse(request, account_sid=ACCOUNT, token=TOKEN, header=HEADER)


def form(fields: Fields, *, url: str = CALLBACK_URL) -> list[InboundMessage | Receipt]:
    pairs = [*fields.items()] if isinstance(fields, dict) else fields
    return list(read(url, urlencode(pairs).encode(), signature(url, pairs)).items)


def test_an_sms_is_read_with_its_sid_and_answered_without_a_text() -> None:
    pairs = [*SMS.items()]
    result = read(CALLBACK_URL, urlencode(pairs).encode(), signature(CALLBACK_URL, pairs))
    assert list(result.items) == [InboundMessage(OURS, PHONE, "Your code is 123456", carrier_ref=SID)]
    assert (result.reply.status, result.reply.body) == (204, b"")


@pytest.mark.parametrize("text", ["", " ", "a+b &=%", "漢字 🙂\n\t", "\0", "\r\n", "x" * 1600])
def test_every_text_arrives_unchanged(text: str) -> None:
    (sms,) = form(SMS | {"Body": text})
    assert isinstance(sms, InboundMessage)
    assert (sms.content, sms.redacted) == (text, False)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"Body": "", "NumMedia": "1"}, "[MMS with 1 attachment, not shown]"),
        ({"Body": "See", "NumMedia": "2"}, "See\n[MMS with 2 attachments, not shown]"),
        ({"NumMedia": "many"}, "Your code is 123456"),
    ],
)
def test_attachments_are_counted_in_the_text(fields: dict[str, str], text: str) -> None:
    (sms,) = form(SMS | fields)
    assert isinstance(sms, InboundMessage)
    assert sms.content == text


def test_a_removed_code_is_recognized_by_its_error_code() -> None:
    (sms,) = form(SMS | {"ErrorCode": "30038", "SmsStatus": "failed", "Body": "Your code is ***"})
    assert isinstance(sms, InboundMessage)
    assert sms.redacted


@pytest.mark.parametrize(
    ("status", "code", "delivered", "reason"),
    [
        *[(status, "", None, "") for status in ("accepted", "queued", "sending", "sent")],
        ("delivered", "", True, ""),
        ("read", "", True, ""),
        ("failed", "", False, "Twilio gave no reason"),
        ("canceled", "", False, "the SMS was canceled"),
        ("undelivered", "30003", False, "the phone can't be reached (Twilio 30003)"),
        ("undelivered", "30006", False, "the destination is a landline or its network can't be reached (Twilio 30006)"),
        ("failed", "30007", False, "Twilio or the mobile network filtered the SMS (Twilio 30007)"),
        (
            "failed", "30034", False,
            "this number is not registered for sending to US phones (A2P 10DLC) (Twilio 30034)",
        ),
        ("FAILED", "31234", False, "Twilio error 31234"),
        ("failed", "x", False, "Twilio gave no reason"),
    ],
)  # fmt: skip
def test_a_status_becomes_a_receipt_with_our_own_id(
    status: str, code: str, delivered: bool | None, reason: str
) -> None:
    fields = STATUS | {"MessageStatus": status} | ({"ErrorCode": code} if code else {})
    assert form(fields, url=f"{CALLBACK_URL}?message=42") == [Receipt(f"={SID}", delivered, reason, message_id=42)]


@pytest.mark.parametrize("query", ["", "?message=", "?message=x", "?message=-1", "?message=" + "9" * 30, "?other=1"])
def test_a_status_without_our_id_is_known_by_its_sid_alone(query: str) -> None:
    assert form(STATUS, url=CALLBACK_URL + query) == [Receipt(f"={SID}", True)]


def test_an_unknown_status_changes_nothing() -> None:
    assert form(STATUS | {"MessageStatus": "pondering"}) == []


def test_json_is_read_like_a_form() -> None:
    asked: list[tuple[str, bytes, str]] = []
    provider = Twilio()
    provider.post_raw = lambda url, body, kind, headers: asked.append((url, body, headers[HEADER])) or (204, b"", "")  # type: ignore[method-assign]  # recorded, not sent
    provider.post_json(CALLBACK_URL, json.dumps(SMS | {"NumMedia": 0, "Extra": {"a": [1]}}).encode())
    ((url, body, given_),) = asked
    (sms,) = read(url, body, given_, "application/json; charset=utf-8").items
    assert sms == InboundMessage(OURS, PHONE, "Your code is 123456", carrier_ref=SID)
    for changed in (body + b" ", body.replace(b"123456", b"666666")):
        with pytest.raises(BadSignature, match="wrong hash of the body"):
            read(url, changed, given_, "application/json")
    with pytest.raises(BadSignature):
        read(url, body, given_)  # as a form


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        (SMS | {"AccountSid": "AC" + "2" * 32}, "another account"),
        ({name: value for name, value in SMS.items() if name != "AccountSid"}, "another account"),
        (SMS | {"MessageSid": ""}, "no message SID"),
        (SMS | {"MessageSid": SID + "MessagingServiceSid"}, "no message SID"),
        (SMS | {"MessageSid": "SM" + "g" * 32}, "no message SID"),
        (SMS | {"MessageSid": SID + "\n"}, "no message SID"),
        (SMS | {"To": ""}, "an SMS without To or From"),
        ({name: value for name, value in SMS.items() if name != "From"}, "an SMS without To or From"),
        ([*SMS.items(), ("Body", "another")], "a field with two values"),
        ([*SMS.items(), *((f"x{n}", "") for n in range(300))], "too many fields"),
    ],
)
def test_a_signed_request_that_is_not_a_callback_is_refused(fields: Fields, refusal: str) -> None:
    with pytest.raises(CallbackRefused, match=f"^{refusal}$"):
        form(fields)


def test_a_field_repeated_with_the_same_value_is_read_once() -> None:
    assert len(form([*SMS.items(), ("Body", SMS["Body"])])) == 1


@pytest.mark.parametrize("query", ["?message=1&message=2"])
def test_two_ids_are_refused(query: str) -> None:
    with pytest.raises(CallbackRefused, match="two message IDs"):
        form(STATUS, url=CALLBACK_URL + query)


def test_mis_encoded_octets_are_signed_as_they_are_and_shown_with_replacements() -> None:
    import base64
    import hashlib
    import hmac

    body = urlencode({name: value for name, value in SMS.items() if name != "Body"}).encode() + b"&Body=caf%E9+%"
    signed = CALLBACK_URL.encode() + b"".join(
        name.encode() + value
        for name, value in sorted({**{n: v.encode() for n, v in SMS.items()}, "Body": b"caf\xe9 %"}.items())
    )
    given_ = base64.b64encode(hmac.new(TOKEN.encode(), signed, hashlib.sha1).digest()).decode()
    (sms,) = read(CALLBACK_URL, body, given_).items
    assert isinstance(sms, InboundMessage)
    assert sms.content == "caf\ufffd %"


@pytest.mark.parametrize("header", ["", "AAAA", signature(CALLBACK_URL, [*SMS.items()], token="another token")])
def test_a_forged_request_is_refused(header: str) -> None:
    with pytest.raises(BadSignature, match=r"^(no|wrong) signature$"):
        read(CALLBACK_URL, urlencode(SMS).encode(), header)


@pytest.mark.parametrize("cut", [1, 20, 60, 100])
def test_a_truncated_request_is_refused(cut: int) -> None:
    body = urlencode(SMS).encode()
    with pytest.raises(BadSignature, match="wrong signature"):
        read(CALLBACK_URL, body[:-cut], signature(CALLBACK_URL, [*SMS.items()]))


def test_a_signature_for_another_url_or_query_is_refused() -> None:
    for url in (CALLBACK_URL + "?message=1", CALLBACK_URL + "2", CALLBACK_URL.replace("https", "http")):
        with pytest.raises(BadSignature, match="wrong signature"):
            read(url, urlencode(SMS).encode(), signature(CALLBACK_URL, [*SMS.items()]))


def test_signalwire_has_another_header_and_uuids(make: Callable[..., TwilioCarrier]) -> None:
    project, sid = "aaaaaaaa-0000-4000-8000-bbbbbbbbbbbb", "cccccccc-0000-4000-8000-dddddddddddd"
    carrier = make(account_sid=project, signature_header="X-SignalWire-Signature")
    pairs = [*(SMS | {"AccountSid": project, "MessageSid": sid}).items()]
    headers = {"x-signalwire-signature": signature(CALLBACK_URL, pairs)}
    request = CallbackRequest("POST", CALLBACK_URL, headers, urlencode(pairs).encode(), 0)
    assert [item.carrier_ref for item in carrier.parse(request).items if isinstance(item, InboundMessage)] == [sid]


NAMES = st.sampled_from([*SMS, *STATUS, "SmsSid", "NumMedia", "ErrorCode", "SmsStatus", "x"])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=60), st.sampled_from(["application/json", "text/plain", ""]))
def test_octets_are_read_or_refused(body: bytes, given_: str, kind: str) -> None:
    with pytest.raises(CallbackRefused):
        read(CALLBACK_URL, body, given_, kind)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), max_size=12),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30),
)
def test_signed_fields_are_read_or_refused(fields: list[tuple[str, str]], query: str) -> None:
    pairs = [("AccountSid", ACCOUNT), ("MessageSid", SID), *fields]
    try:
        items = form(pairs, url=f"{CALLBACK_URL}?{query}")
    except CallbackRefused:
        return
    assert len(items) <= 1


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
        max_leaves=8,
    )
)
def test_signed_json_is_read_or_refused(value: object) -> None:
    import hashlib

    if isinstance(value, dict):
        value = {"AccountSid": ACCOUNT, "MessageSid": SID} | value
    body = json.dumps(value).encode()
    url = f"{CALLBACK_URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    try:
        result = read(url, body, signature(url, []), "application/json")
    except CallbackRefused:
        return
    assert len(result.items) <= 1
