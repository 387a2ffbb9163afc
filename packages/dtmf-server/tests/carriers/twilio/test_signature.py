"""Signatures agree with Twilio's own SDK, in both directions."""

from hashlib import sha256
from random import Random
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from dtmf_server.carriers.base import BadSignature, CallbackRequest
from dtmf_server.carriers.twilio.signature import sign, verify
from support.providers.twilio import signature

HEADER = "X-Twilio-Signature"
REQUESTS = 1_500
ALPHABET = "abcXYZ019 +&=%#?/\\\"'\n\r\t\0_.~-éßØ漢字🙂\u202e\ufeff"
HOSTS = [
    "sms.example.net",
    "sms.example.net:443",
    "sms.example.net:8443",
    "SMS.Example.NET",
    "192.0.2.1:80",
    "127.0.0.1",
]
PATHS = ["/callbacks/carriers/twilio", "/", "/a%20b/c", "/callbacks/carriers/twilio/"]


class _Fields(MultiDict):  # type: ignore[misc]  # has the method that the SDK looks for
    def getall(self, name: str) -> list[str]:
        return self.getlist(name)


def generated(chance: Random) -> tuple[str, list[tuple[str, str]], str]:
    """Return a URL, the fields of a form, and a token."""

    def text(length: int) -> str:
        return "".join(chance.choices(ALPHABET, k=chance.randint(0, length)))

    query = f"?message={chance.randrange(10**12)}" if chance.random() < 0.5 else ""
    query += "&x=" + urlencode({"x": text(8)})[2:] if query and chance.random() < 0.3 else ""
    url = chance.choice(["https", "http"]) + "://" + chance.choice(HOSTS) + chance.choice(PATHS) + query
    names = ["MessageSid", "Body", "From", "To", "from", "Zz", "", "NumMedia", text(5)]
    return url, [(chance.choice(names), text(60)) for _ in range(chance.randint(0, 20))], text(32) or "token"


def is_accepted(url: str, body: bytes | list[tuple[str, str]], given: str, token: str) -> bool:
    octets = None if isinstance(body, bytes) else [(name.encode(), value.encode()) for name, value in body]
    request = CallbackRequest("POST", url, {HEADER.lower(): given}, body if isinstance(body, bytes) else b"", 0)
    try:
        verify(request, octets, token=token, header=HEADER)
    except BadSignature:
        return False
    return True


def test_the_sdk_and_we_accept_each_others_signatures_and_refuse_the_same_changed_ones() -> None:
    chance, changed = Random(20), 0
    for _ in range(REQUESTS):
        url, fields, token = generated(chance)
        octets = [(name.encode(), value.encode()) for name, value in fields]
        validator, given = RequestValidator(token), _Fields(fields)
        theirs, ours = validator.compute_signature(url, given), sign(url, octets, token=token)
        assert ours == theirs == signature(url, fields, token=token)
        assert is_accepted(url, fields, theirs, token)
        assert validator.validate(url, given, ours)
        other = chance.choice([url + "1", url.replace("://", "://x."), url.replace("https:", "http:"), url])
        sent = fields[1:] if other == url and fields else fields
        agreed = validator.validate(other, _Fields(sent), theirs)
        assert is_accepted(other, sent, theirs, token) == agreed
        changed += not agreed
    assert changed > REQUESTS // 2


def test_a_signature_of_the_url_with_another_spelling_of_its_port_is_accepted_as_by_the_sdk() -> None:
    spellings = ["https://a.example/cb", "https://a.example:443/cb", "https://a.example:8443/cb"]
    for signed in spellings:
        for configured in spellings:
            given = sign(signed, [], token="t")
            assert is_accepted(configured, [], given, "t") == RequestValidator("t").validate(configured, {}, given)


def test_json_is_verified_by_the_hash_in_the_signed_query_as_by_the_sdk() -> None:
    chance = Random(21)
    for _ in range(1_000):
        url, fields, token = generated(chance)
        body = str(fields)
        url += ("&" if "?" in url else "?") + "bodySHA256=" + sha256(body.encode()).hexdigest()
        given = RequestValidator(token).compute_signature(url, {})
        for sent in (body, body + " "):
            agreed = RequestValidator(token).validate(url, sent, given)
            assert is_accepted(url, sent.encode(), given, token) == agreed == (sent == body)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_json_without_a_hash_is_refused(body: bytes) -> None:
    assert not is_accepted("https://a.example/cb", body, sign("https://a.example/cb", [], token="t"), "t")


def test_any_flipped_bit_of_a_signature_is_refused() -> None:
    url, fields = "https://a.example/cb", [("Body", "123456")]
    right = sign(url, [(b"Body", b"123456")], token="t")
    for place in range(len(right)):
        for bit in range(7):
            flipped = right[:place] + chr(ord(right[place]) ^ (1 << bit)) + right[place + 1 :]
            assert not is_accepted(url, fields, flipped, "t")
    for wrong in ("", " ", right[:-1], right + "=", "é", "\xff\x00"):
        assert not is_accepted(url, fields, wrong, "t")
