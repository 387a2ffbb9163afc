"""Fuzz everything that reads what HTTP carriers, phones and smsd send, and the operator's receipt words and patterns.

`python packages/dtmf-server/tests/carriers/fuzz_callbacks.py RUNS` searches for an undeclared exception with atheris and exits
1 at the first. The same `check` runs under Hypothesis in test_fuzz_callbacks.py, where atheris has no wheel.
"""

import contextlib
import gc
import hashlib
import hmac
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC
from types import FunctionType
from urllib.parse import quote_from_bytes

from nacl.signing import SigningKey

from dtmf_server.callbacks.carriers import storable
from dtmf_server.carriers.android import callbacks as android_callbacks
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.api_client import ApiReply, NoReply
from dtmf_server.carriers.base import BadSignature, CallbackRefused, CallbackRequest, CallbackResult
from dtmf_server.carriers.gammu import rows
from dtmf_server.carriers.smpp import vendor
from dtmf_server.carriers.telnyx import callbacks as telnyx_callbacks
from dtmf_server.carriers.twilio import callbacks as twilio_callbacks
from dtmf_server.carriers.twilio.signature import sign
from dtmf_server.core.inbound import InboundMessage, Part
from dtmf_server.core.user_data_header import place_of

URL, NOW_US, NOW_S = "https://sms.example/callbacks/carriers/x", 1_793_000_000_000_000, 1_793_000_000
ACCOUNT, TOKEN, HEADER, PROFILE = "AC" + "1" * 32, "token", "X-Twilio-Signature", "profile"
KEY = SigningKey(b"\x17" * 32)
PHONE = AndroidSettings(
    name="pixel",
    kind="android",
    url="http://127.0.0.1:8080",
    password="p",
    signing_key="key",
    sims={"1": "+12025550200"},
)
Reader = Callable[[bytes], None]
LARGEST = 2**62  # of the integers that both databases store


def check(data: bytes) -> None:
    """Raise any exception that a reader must not raise. The first octet chooses the reader."""
    READERS[data[0] % len(READERS) if data else 0](data[1:])


def twilio_form(data: bytes) -> None:
    """Read a form: as it is, and signed, with fields made of the octets."""
    _parse_twilio(data, "application/x-www-form-urlencoded", URL)
    sid, *values = data.split(b"\0")
    names = (b"Body", b"To", b"From", b"NumMedia", b"ErrorCode", b"MessageStatus", b"SmsSid")
    fields = {b"AccountSid": ACCOUNT.encode(), b"MessageSid": sid or b"SM" + b"1" * 32}
    fields |= dict(zip(names, values, strict=False))
    body = b"&".join(name + b"=" + quote_from_bytes(value).encode() for name, value in fields.items())
    _parse_twilio(body, "application/x-www-form-urlencoded", URL + "?message=" + data[:20].decode("latin-1"))


def twilio_json(data: bytes) -> None:
    """Read JSON."""
    signed = json.dumps({"AccountSid": ACCOUNT, "MessageSid": "SM" + "1" * 32, "Body": _text(data)}).encode()
    for body in (data, signed):
        _parse_twilio(body, "application/json", f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}")


def telnyx_event(data: bytes) -> None:
    """Read an event: the octets as a body, and in each of its fields."""
    _parse_telnyx(data)
    parts = [_text(part) for part in data.split(b"\0")]
    kind, id_, number, text, at, code = (parts + ["2026-01-01T00:00:00Z"] * 6)[:6]
    payload = {
        "id": id_ or "1",
        "messaging_profile_id": PROFILE,
        "from": {"phone_number": number},
        "to": [{"phone_number": number or "+1", "status": text}],
        "text": text,
        "received_at": at,
        "errors": [{"code": code, "title": text}],
        "webhook_url": f"{URL}?message={id_}",
    }
    for event in ("message.received", "message.finalized", kind):
        _parse_telnyx(json.dumps({"data": {"event_type": event, "payload": payload}}).encode())


def telnyx_signature(data: bytes) -> None:
    """Read headers of the octets."""
    timestamp, _, signature = _text(data).partition("\0")
    for headers in (
        {telnyx_callbacks.TIMESTAMP_HEADER: timestamp, telnyx_callbacks.SIGNATURE_HEADER: signature},
        {telnyx_callbacks.TIMESTAMP_HEADER: str(NOW_S), telnyx_callbacks.SIGNATURE_HEADER: _text(data)},
        {telnyx_callbacks.TIMESTAMP_HEADER: _text(data), telnyx_callbacks.SIGNATURE_HEADER: b64encode(data).decode()},
    ):
        _refused(lambda headers=headers: _telnyx(b"{}", headers))


def android_event(data: bytes) -> None:
    """Read an event: the octets as a body, and in each of its fields."""
    _parse_android(data)
    parts = [_text(part) for part in data.split(b"\0")]
    kind, id_, sender, text, at, sim = (parts + ["2026-01-01T00:00:00.000+02:00"] * 6)[:6]
    payload = {
        "messageId": id_ or "1",
        "sender": sender,
        "message": text,
        "receivedAt": at,
        "recipient": sender,
        "reason": text,
        "simNumber": len(sim),
    }
    for event in ("sms:received", "sms:failed", kind):
        body = {"event": event, "deviceId": id_, "payload": payload}
        _parse_android(json.dumps(body).encode())


def android_signature(data: bytes) -> None:
    """Read headers of the octets."""
    timestamp, _, signature = _text(data).partition("\0")
    _refused(lambda: _android(b"{}", {"x-timestamp": timestamp, "x-signature": signature}))
    signed = android_signed(b"{}", timestamp)
    _refused(lambda: _android(b"{}", signed))


def gammu_row(data: bytes) -> None:
    """Read rows of smsd's tables, whose every column has any text. Every row has a result."""
    parts = ([_text(part) for part in data.split(b"\0")] + [""] * 6)[:6]
    sender, received, coding, udh, text, decoded = parts
    for hexadecimal in (text, data.hex()):
        for header in (udh, data[:12].hex()):
            for each in (coding, "Default_No_Compression", "Unicode_No_Compression", "8bit"):
                row = rows.InboxRow(1, "modem1", sender, received, each, header, hexadecimal, decoded)
                _check_item(rows.inbound(row, "+12025550200", zone=UTC, now_us=NOW_US))
    place_of(data)
    creator = rows.creator_prefix("x") + "7." + "0" * 16 + ".1"
    for sent in (
        rows.SentRow(1, creator, sender, received, 1, coding, len(data), len(text)),
        rows.SentRow(1, sender, "modem1", "", 1, "DeliveryFailed", -1),
    ):
        if found := rows.receipt([sent], {}):
            storable(found)


def api_reply(data: bytes) -> None:
    """Read the headers and the body of a reply of a carrier's API."""
    reply = ApiReply(429, {"retry-after": _text(data)}, data)
    assert reply.retry_after_s is None or reply.retry_after_s >= 0
    with contextlib.suppress(NoReply):
        reply.json()


def receipt_rules(data: bytes) -> None:
    """Read the operator's status words, patterns and other tables."""
    text = data.decode(errors="replace")
    key, _, value = text.partition("\0")
    readers: tuple[Callable[[], object], ...] = (
        lambda: vendor.receipt_words({key: value}),
        lambda: vendor.receipt_pattern(text),
        lambda: vendor.receipt_pattern(f"(?P<id>{key})(?P<stat>{value})"),
        lambda: vendor.tlvs({key: value}),
        lambda: vendor.tlvs_by_sender({key: {value: key}}),
        lambda: vendor.data_codings({key: value}),
        lambda: vendor.host_and_port(text, 2775),
    )
    for read in readers:
        with contextlib.suppress(ValueError):
            read()


READERS: tuple[Reader, ...] = (
    twilio_form,
    twilio_json,
    telnyx_event,
    telnyx_signature,
    android_event,
    android_signature,
    gammu_row,
    api_reply,
    receipt_rules,
)


def _parse_twilio(body: bytes, kind: str, url: str) -> None:
    headers = {"content-type": kind}
    fields = None if "json" in kind else twilio_callbacks._pairs(body) if body.count(b"&") < 200 else []
    signed = headers | {HEADER.lower(): sign(url, fields or (), token=TOKEN)}
    for each in (headers, headers | {HEADER.lower(): body[:40].decode("latin-1")}):
        _refused(lambda each=each: _twilio(body, url, each))
    _accept(lambda: _twilio(body, url, signed))


def _twilio(body: bytes, url: str, headers: Mapping[str, str]) -> CallbackResult:
    request = CallbackRequest("POST", url, headers, body, NOW_US)
    return twilio_callbacks.parse(request, account_sid=ACCOUNT, token=TOKEN, header=HEADER)


def _parse_telnyx(body: bytes) -> None:
    signature = b64encode(KEY.sign(f"{NOW_S}|".encode() + body).signature).decode()
    headers = {telnyx_callbacks.TIMESTAMP_HEADER: str(NOW_S), telnyx_callbacks.SIGNATURE_HEADER: signature}
    _accept(lambda: _telnyx(body, headers))


def _telnyx(body: bytes, headers: Mapping[str, str]) -> CallbackResult:
    request = CallbackRequest("POST", URL, headers, body, NOW_US)
    return telnyx_callbacks.parse(request, key=KEY.verify_key, profile_id=PROFILE, callback_url=URL)


def _parse_android(body: bytes) -> None:
    _accept(lambda: _android(body, android_signed(body, str(NOW_S))))


def android_signed(body: bytes, timestamp: str) -> dict[str, str]:
    """Return the headers of a webhook."""
    signature = hmac.new(b"key", body + timestamp.encode(errors="replace"), hashlib.sha256).hexdigest()
    return {"x-timestamp": timestamp, "x-signature": signature}


def _android(body: bytes, headers: Mapping[str, str]) -> CallbackResult:
    return android_callbacks.parse(CallbackRequest("POST", URL, headers, body, NOW_US), PHONE)


def _refused(parse: Callable[[], CallbackResult]) -> None:
    """Parse a request whose signature may be anything but right."""
    with contextlib.suppress(CallbackRefused):
        parse()


def _accept(parse: Callable[[], CallbackResult]) -> None:
    """Parse a signed request. Its items can be stored."""
    try:
        result = parse()
    except CallbackRefused as error:
        assert not isinstance(error, BadSignature) or str(error).startswith("another"), error
        return
    for item in result.items:
        if isinstance(item, InboundMessage):
            _check_item(item)
        else:
            assert abs(storable(item).message_id) < LARGEST


def _check_item(item: InboundMessage) -> None:
    stored = storable(item)
    assert isinstance(stored, InboundMessage) and item.carrier_ref
    assert stored.received_us is None or abs(stored.received_us) < LARGEST
    for text in (stored.to, stored.sender, "" if isinstance(stored.content, Part) else stored.content):
        assert "\0" not in text
        text.encode()  # fails on lone surrogates, which databases and JSON reject


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape") if data[:1] == b"\xff" else data.decode("latin-1")


def main() -> None:
    """Run atheris over `check`."""
    import atheris

    runs = sys.argv.pop(1) if len(sys.argv) > 1 else "100000"
    for each in gc.get_objects():  # only the project's own functions, as in fuzz_pdu.py
        if isinstance(each, FunctionType) and str(each.__module__).startswith("dtmf_server.carriers"):
            atheris.instrument_func(each)
    atheris.Setup([sys.argv[0], f"-runs={runs}", "-max_len=400", "-verbosity=0", "-print_final_stats=1"], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
