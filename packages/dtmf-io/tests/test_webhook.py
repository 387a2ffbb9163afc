"""A webhook's signature can't be forged, and independent code computes the same signature."""

import base64
import json
import random
import time
from datetime import UTC, datetime
from email.message import Message

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from dtmf.webhook import WebhookVerificationError, sign, verify

KEY = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(bytes(24)).decode()
NOW = 1_700_000_000
MESSAGE = {"id": 1234, "e164": "+1234567890", "sender": "+1234", "content": "SMS text: ĉ 😀"}
BODY = json.dumps(MESSAGE, ensure_ascii=False).encode()


def signed(
    body: bytes = BODY, *, secret: str = SECRET, identifier: str = "msg_1", timestamp: int = NOW
) -> dict[str, str]:
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, id=identifier, timestamp=timestamp, body=body),
    }


def refusal(headers, body=BODY, secret=SECRET, now=NOW) -> str:
    with pytest.raises(WebhookVerificationError) as refused:
        verify(body, headers, secret, now=now)
    assert KEY.hex() not in str(refused.value)
    assert secret not in str(refused.value)
    return str(refused.value)


def test_the_published_test_vector_verifies():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body) == signature


def test_verify_returns_the_message():
    assert verify(BODY, signed(), SECRET, now=NOW) == MESSAGE
    assert verify(BODY.decode(), signed(), SECRET, now=NOW) == MESSAGE


def test_verify_uses_the_local_clock_by_default():
    assert verify(BODY, signed(timestamp=int(time.time())), SECRET) == MESSAGE
    with pytest.raises(WebhookVerificationError, match="old"):
        verify(BODY, signed(), SECRET)


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_header_names_are_read_in_any_case(spell):
    assert verify(BODY, {spell(name): value for name, value in signed().items()}, SECRET, now=NOW) == MESSAGE


def test_headers_may_be_any_mapping_with_items():
    headers = Message()
    for name, value in signed().items():
        headers[name.title()] = value
    assert verify(BODY, headers, SECRET, now=NOW) == MESSAGE


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name):
    headers = signed()
    assert refusal(headers | {name: ""}) == f"the header {name} is missing"
    del headers[name]
    assert refusal(headers) == f"the header {name} is missing"


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 299.9, 300])
def test_five_minutes_either_way_are_tolerated(seconds):
    assert verify(BODY, signed(), SECRET, now=NOW + seconds) == MESSAGE


@pytest.mark.parametrize(("seconds", "said"), [(300.1, "old"), (10**9, "old"), (-300.1, "future"), (-NOW, "future")])
def test_more_than_five_minutes_either_way_are_not(seconds, said):
    assert said in refusal(signed(), now=NOW + seconds)


@pytest.mark.parametrize(
    "timestamp",
    [
        "1e9",
        "-1",
        "+1700000000",
        " 1700000000",
        "1700000000\n",
        "1700000000.0",
        "\u0661\u0667\u0660",
        "NaN",
        "inf",
        "9" * 5000,
    ],
)
def test_a_timestamp_is_plain_digits(timestamp):
    assert refusal(signed() | {"webhook-timestamp": timestamp}) == "the webhook-timestamp is not a number of seconds"


def test_one_good_signature_among_several_is_enough():
    old, new = signed(secret=OTHER)["webhook-signature"], signed()["webhook-signature"]
    for both in (f"{old} {new}", f"{new} {old}", f"v1a,xyz {new}", f"v1 {new}", f"  {new} ", f"é {new}"):
        headers = signed() | {"webhook-signature": both}
        assert verify(BODY, headers, SECRET, now=NOW) == MESSAGE
        if old in both:
            assert verify(BODY, headers, OTHER, now=NOW) == MESSAGE


GOOD = sign(SECRET, id="msg_1", timestamp=NOW, body=BODY)
BASE64 = GOOD.removeprefix("v1,")


@pytest.mark.parametrize(
    "signature",
    [
        *(
            BASE64,
            f"v2,{BASE64}",
            f"V1,{BASE64}",
            f"v1a,{BASE64}",
            f"v1, {BASE64}",
            f"v1.{BASE64}",
            "v1,",
            "v1",
        ),
        *(GOOD.rstrip("="), GOOD + "=", GOOD[:-2], GOOD.lower(), GOOD[::-1], GOOD + "\n", "\t" + GOOD),
        *(f"{GOOD},{GOOD}", f"{GOOD}\t{GOOD}", f"{GOOD}\x00", "\ud800", "😀" * 30, "v1," + "A" * 44),
    ],
)
def test_any_other_signature_is_rejected(signature):
    assert "no webhook-signature matches" in refusal(signed() | {"webhook-signature": signature})


def test_another_secret_id_timestamp_or_body_is_rejected():
    assert "wrong secret" in refusal(signed(secret=OTHER))
    assert "wrong secret" in refusal(signed() | {"webhook-id": "msg_2"})
    assert "wrong secret" in refusal(signed() | {"webhook-timestamp": str(NOW + 1)})
    assert "wrong secret" in refusal(signed() | {"webhook-timestamp": f"0{NOW}"})
    assert "wrong secret" in refusal(signed(), body=BODY + b" ")
    assert "wrong secret" in refusal(signed(), body=BODY.decode() + "\ud800")


def test_ten_thousand_flipped_bits_are_rejected():
    dice = random.Random(20180101)
    headers = signed()
    parts = [BODY, *(value.encode() for value in headers.values())]
    refused = 0
    for _ in range(10_000):
        changed = [bytearray(part) for part in parts]
        victim = dice.choices(changed, weights=[len(part) for part in parts])[0]
        victim[dice.randrange(len(victim))] ^= 1 << dice.randrange(8)
        body, *values = changed
        flipped = dict(zip(headers, (value.decode("latin-1") for value in values), strict=True))
        with pytest.raises(WebhookVerificationError):
            verify(bytes(body), flipped, SECRET, now=NOW)
        refused += 1
    assert refused == 10_000
    assert verify(BODY, headers, SECRET, now=NOW) == MESSAGE


def test_the_separators_of_the_signed_content_cannot_be_moved():
    moved = signed(b'17.{"a": 1}', identifier="msg_1", timestamp=NOW)
    assert "not JSON" in refusal(moved, body=b'17.{"a": 1}')
    headers = moved | {"webhook-id": f"msg_1.{NOW}", "webhook-timestamp": "17"}
    assert refusal(headers, body=b'{"a": 1}', now=17) == "the webhook-id is malformed"


@pytest.mark.parametrize("identifier", ["", "a.b", ".", "a b", "a\n", "é", "\x00", "a" * 257, "a\x7f"])
def test_sign_rejects_an_ambiguous_id(identifier):
    with pytest.raises(ValueError, match="webhook id"):
        sign(SECRET, id=identifier, timestamp=NOW, body=BODY)


def test_sign_rejects_a_time_before_1970():
    with pytest.raises(ValueError, match="seconds since 1970"):
        sign(SECRET, id="msg_1", timestamp=-1, body=BODY)


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "",
            "whsec_",
            "whsec",
            KEY.hex(),
            "whsec_!!!!",
            "whsec_AAA",
            "whsec_é",
            SECRET + "\n",
            " " + SECRET,
        ),
        *(SECRET.removeprefix("whsec_"), SECRET.upper(), SECRET.replace("whsec_", "whsk_")),
    ],
)
def test_a_malformed_secret_raises_value_error_and_is_not_quoted(secret):
    for call in (
        lambda: sign(secret, id="msg_1", timestamp=NOW, body=BODY),
        lambda: verify(BODY, signed(), secret, now=NOW),
    ):
        with pytest.raises(ValueError) as refused:
            call()
        assert type(refused.value) is ValueError
        assert str(refused.value) == "a webhook secret must be 'whsec_' followed by base64"


def raised(call) -> BaseException | None:
    """Return the exception that a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


NOT_A_SECRET = [None, b"whsec_AAAA", 5, True, ["whsec_AAAA"], {"secret": SECRET}]
NOT_A_BODY = [None, MESSAGE, [1], 5, True, object(), (BODY,)]


@pytest.mark.regression("verify-refuses-other-types")
@pytest.mark.parametrize("secret", NOT_A_SECRET, ids=lambda secret: type(secret).__name__)
def test_a_secret_of_the_wrong_type_raises_value_error_and_is_not_quoted(secret):
    for call in (
        lambda: sign(secret, id="msg_1", timestamp=NOW, body=BODY),
        lambda: verify(BODY, signed(), secret, now=NOW),
    ):
        error = raised(call)
        assert type(error) is ValueError, repr(error)
        assert str(error) == f"a webhook secret must be a str, 'whsec_' followed by base64, not {type(secret).__name__}"


@pytest.mark.regression("verify-refuses-other-types")
@pytest.mark.parametrize("body", NOT_A_BODY, ids=lambda body: type(body).__name__)
def test_a_body_of_the_wrong_type_raises_value_error(body):
    for call, named in (
        (lambda: verify(body, signed(), SECRET, now=NOW), "the body must be the bytes or str of the request"),
        (lambda: sign(SECRET, id="msg_1", timestamp=NOW, body=body), "the body to sign must be bytes"),
    ):
        error = raised(call)
        assert type(error) is ValueError, repr(error)
        assert named in str(error)
        assert type(body).__name__ in str(error)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_may_be_text_or_any_kind_of_bytes(kind):
    assert verify(kind(BODY), signed(), SECRET, now=NOW) == MESSAGE


@pytest.mark.regression("verify-refuses-other-types")
@pytest.mark.parametrize(
    "headers",
    [
        *(None, [], [*signed().items()], "webhook-id: 1", 5, {5: "x"} | signed(), {b"webhook-id": b"1"}),
        *(signed() | {name: value} for name in signed() for value in (["x"], b"x", 5, 0, [], ("v1,x",))),
    ],
)
def test_headers_of_the_wrong_type_raise_value_error(headers):
    error = raised(lambda: verify(BODY, headers, SECRET, now=NOW))
    assert type(error) is ValueError, repr(error)
    assert "header" in str(error)


def test_a_header_without_a_value_is_missing():
    for name in signed():
        for value in (None, ""):
            assert refusal(signed() | {name: value}) == f"the header {name} is missing"


@pytest.mark.regression("verify-refuses-other-types")
@pytest.mark.parametrize(
    "now", ["5", float("nan"), float("inf"), True, [5], datetime(2026, 1, 1, tzinfo=UTC)], ids=repr
)
def test_a_malformed_now_raises_value_error(now):
    error = raised(lambda: verify(BODY, signed(), SECRET, now=now))
    assert type(error) is ValueError, repr(error)
    assert "now must be a number of seconds" in str(error)


@pytest.mark.parametrize("timestamp", [None, 1.5, "1", True], ids=repr)
def test_sign_rejects_fractions_of_a_second(timestamp):
    error = raised(lambda: sign(SECRET, id="msg_1", timestamp=timestamp, body=BODY))
    assert type(error) is ValueError, repr(error)


@pytest.mark.parametrize("identifier", [None, b"msg_1", 5], ids=repr)
def test_sign_rejects_an_id_of_the_wrong_type(identifier):
    error = raised(lambda: sign(SECRET, id=identifier, timestamp=NOW, body=BODY))
    assert type(error) is ValueError, repr(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        *((b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[" * 100_000, "not JSON")),
        *((b"[]", "not a JSON object"), (b"1", "not a JSON object"), (b"null", "not a JSON object")),
    ],
)
def test_a_signed_body_that_is_not_an_object_is_rejected(body, said):
    assert said in refusal(signed(body), body=body)


@given(
    st.binary(min_size=1, max_size=64),
    st.text(max_size=200),
    st.from_regex(r"[!-\-/-~]{1,40}", fullmatch=True),
)
def test_the_standardwebhooks_package_agrees(key, content, identifier):
    secret = "whsec_" + base64.b64encode(key).decode()
    now = int(time.time())
    body = json.dumps({"content": content})
    theirs = standardwebhooks.Webhook(secret)
    ours = sign(secret, id=identifier, timestamp=now, body=body.encode())
    assert theirs.sign(identifier, datetime.fromtimestamp(now, tz=UTC), body) == ours
    headers = {"webhook-id": identifier, "webhook-timestamp": str(now), "webhook-signature": ours}
    assert theirs.verify(body, headers) == verify(body, headers, secret) == {"content": content}


def test_the_standardwebhooks_package_accepts_two_signatures_during_rotation():
    now = int(time.time())
    headers = signed(timestamp=now)
    headers["webhook-signature"] += " " + signed(secret=OTHER, timestamp=now)["webhook-signature"]
    for secret in (SECRET, OTHER):
        assert standardwebhooks.Webhook(secret).verify(BODY, headers) == verify(BODY, headers, secret) == MESSAGE
