"""The request that each call sends, byte for byte where it matters, and the value it returns."""

from __future__ import annotations

import enum
import json
import re
from typing import Any

import pytest

from dtmf import __version__

from .conftest import TOKEN
from .stub import Stub, reply

N = "+1234567890"
MESSAGE = {"from": N, "to": "+1234", "content": "abc", "timestamp": "2018-01-01T01:01:02.000000"}
MESSAGE |= {"success": True, "cost": 1000}
NUMBER = {"e164": N, "group_id": "us-mobile", "sms": True, "cost_per_minute": 13, "messages": [MESSAGE]}

# name, arguments, request line after /api/v1, body, response, result (None: the response)
CALLS: list[tuple[str, tuple[Any, ...], str, Any, Any, Any]] = [
    ("account", (), "GET /account", None, {"balance": 12345}, None),
    ("addresses", (), "GET /addresses", None, [{"address": "bcrt1a"}, {"address": "bcrt1b"}], None),
    ("new_address", (), "POST /addresses", None, {"address": "bcrt1c"}, None),
    ("groups", ("mobile",), "GET /groups?type=mobile", None, [{"id": "cz-mobile"}], None),
    ("groups", ("local",), "GET /groups?type=local", None, [], None),
    ("numbers", (), "GET /numbers", None, [NUMBER], None),
    ("number", (N,), "GET /number?e164=%2B1234567890", None, NUMBER, None),
    ("start_rental", ("us-mobile",), "POST /numbers", {"group_id": "us-mobile"}, NUMBER, None),
    ("set_label", (N, "bank"), "PATCH /number?e164=%2B1234567890", {"label": "bank"}, NUMBER, True),
    ("set_label", (N, None), "PATCH /number?e164=%2B1234567890", {"label": None}, NUMBER, True),
    ("tokens", (), "GET /tokens", None, [{"id": 1, "label": "bot"}], None),
    ("token", (), "GET /tokens/0", None, {"id": 7, "label": "bot"}, None),
    ("create_token", ("bot",), "POST /tokens", {"label": "bot"}, {"id": 7, "label": "bot", "token": "x"}, None),
    ("revoke_token", (7,), "DELETE /tokens?id=7", None, None, True),
    ("adopt_rental", (N,), "POST /numbers/adopt", {"e164": N}, None, True),
    ("end_rental", (N,), "DELETE /number?e164=%2B1234567890", None, None, True),
    (
        "set_sms_action",
        (N, None, None),
        "PATCH /number?e164=%2B1234567890",
        {"sms_forwarded_to": None},
        NUMBER,
        True,
    ),
    (
        "set_sms_action",
        (N, "forward", "+44123456789"),
        "PATCH /number?e164=%2B1234567890",
        {"sms_forwarded_to": "+44123456789"},
        NUMBER,
        True,
    ),
    (
        "set_sms_action",
        (N, "webhook", "https://example.org/webhook"),
        "PATCH /number?e164=%2B1234567890",
        {"sms_forwarded_to": "https://example.org/webhook"},
        NUMBER,
        True,
    ),
    (
        "send_message",
        (N, "+44123456789", "Grüße 🙂"),
        "POST /message",
        {"from": N, "to": "+44123456789", "content": "Grüße 🙂"},
        MESSAGE | {"id": 7},
        None,
    ),
    ("deposits", (), "GET /deposits", None, [{"txid": "00", "vout": 1}], None),
    (
        "usage",
        (),
        "GET /usage",
        None,
        {"balance": 5, "cost_per_minute": 0, "runs_out_at": None, "debt": 0, "suspended": False},
        None,
    ),
    (
        "sandbox.receive",
        (N, "MyBank", ""),
        "POST /sandbox/message",
        {"to": N, "from": "MyBank", "content": ""},
        MESSAGE | {"id": 8},
        None,
    ),
    (
        "sandbox.deposit",
        ("bcrt1a", 5000),
        "POST /sandbox/deposit",
        {"address": "bcrt1a", "amount": 5000},
        {"txid": "00"},
        None,
    ),
    (
        "sandbox.deposit",
        ("bcrt1a", 5000, 0),
        "POST /sandbox/deposit",
        {"address": "bcrt1a", "amount": 5000, "confirmations": 0},
        {"txid": "00"},
        None,
    ),
    (
        "sandbox.advance",
        (60,),
        "POST /sandbox/clock",
        {"advance_s": 60},
        {"now": "2018-01-01T01:01:02.000000"},
        None,
    ),
    ("sandbox.advance", (0.5,), "POST /sandbox/clock", {"advance_s": 0.5}, {"now": "2018"}, None),
    ("sandbox.clock", (), "GET /sandbox/clock", None, {"now": "2018", "offset_s": 0.0}, None),
    ("sandbox.sent", (), "GET /sandbox/sent", None, [{"from": N, "to": "+12", "content": "abc"}], None),
]


def method(client: Any, name: str) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client


@pytest.mark.parametrize(("name", "arguments", "line", "body", "answer", "result"), CALLS)
def test_call_sends_its_request_and_returns_the_answer(
    *,
    dtmf: Any,
    stub: Stub,
    name: str,
    arguments: tuple[Any, ...],
    line: str,
    body: Any,
    answer: Any,
    result: Any,
) -> None:
    stub.then(reply(204) if answer is None else reply(200, json.dumps(answer).encode()))

    returned = method(dtmf, name)(*arguments)

    expected = answer if result is None else result
    assert returned == expected
    assert type(returned) is type(expected)
    [request] = stub.received
    verb, path = line.split(" ")
    assert (request.method, request.target) == (verb, f"/api/v1{path}")
    assert (None if request.body == b"" else request.json) == body
    headers = {
        "host": stub.url.removeprefix("http://"),
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "user-agent": f"dtmf-python/{__version__}",
    }
    if verb in {"POST", "DELETE"}:
        key = request.headers.pop("idempotency-key")
        assert re.fullmatch("[0-9a-f]{32}", key)
    if verb != "GET":
        headers["content-length"] = str(len(request.body))
    if body is not None:
        headers["content-type"] = "application/json"
    if name == "send_message":
        headers["prefer"] = "return=representation"
    assert request.headers == headers


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("groups", {"group_type": "local"}),
        ("number", {"e164": N}),
        ("start_rental", {"group_id": "us-mobile"}),
        ("end_rental", {"e164": N}),
        ("set_sms_action", {"e164": N, "action": None, "destination": None}),
        ("send_message", {"e164": N, "to": N, "content": "abc"}),
        ("sandbox.receive", {"e164": N, "sender": "+12", "content": "abc"}),
        ("sandbox.deposit", {"address": "bcrt1a", "amount": 1, "confirmations": 2}),
        ("sandbox.advance", {"seconds": 1}),
    ],
)
def test_arguments_may_be_named(dtmf: Any, stub: Stub, name: str, named: dict[str, Any]) -> None:
    stub.answers([] if name == "groups" else {})
    method(dtmf, name)(**named)
    assert len(stub.received) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "named", "body"),
    [
        (
            "start_rental",
            ("us-mobile",),
            {"max_minutes": 5, "max_sats": 900, "label": "bank", "e164": N},
            {"group_id": "us-mobile", "e164": N, "max_minutes": 5, "max_sats": 900, "label": "bank"},
        ),
        ("start_rental", ("us-mobile",), {"max_sats": 900}, {"group_id": "us-mobile", "max_sats": 900}),
        ("set_limits", (N,), {"max_minutes": 5}, {"max_minutes": 5}),
        ("set_limits", (N,), {"max_minutes": None, "max_sats": 900}, {"max_minutes": None, "max_sats": 900}),
    ],
)
def test_limits_are_sent_if_given(
    dtmf: Any, stub: Stub, *, name: str, arguments: tuple[Any, ...], named: dict[str, Any], body: Any
) -> None:
    stub.answers(NUMBER)
    method(dtmf, name)(*arguments, **named)
    assert stub.received[0].json == body


@pytest.mark.parametrize(
    "url",
    [
        "http://a/",
        "https://example.org",
        "HTTPS://Example.ORG/Hook?q=1#f",
        "https://example.org:65535/%20",
        "https://[2001:db8::1]:8443/hook",
        "https://192.0.2.1/",
        "https://a_b.example.org./~x/;y=(z)",
        "https://bücher.example/ü",
        "https://example.org/" + "a" * 2_028,
    ],
)
def test_webhook_accepts_any_well_formed_url_and_sends_it_unchanged(dtmf: Any, stub: Stub, url: str) -> None:
    stub.answers(NUMBER)
    assert dtmf.set_sms_action(N, "webhook", url) is True
    assert stub.received[0].json == {"sms_forwarded_to": url}


def test_the_longest_text_is_sent_in_full(dtmf: Any, stub: Stub) -> None:
    stub.answers({})
    dtmf.send_message(N, N, "🙂" * 1_600)
    assert stub.received[0].json["content"] == "🙂" * 1_600


class Word(str, enum.Enum):  # noqa: UP042  # unlike this class, a StrEnum is formatted as its value
    """Constants as some programs define them. An f-string shows such a member by its name."""

    TOKEN = TOKEN
    MOBILE = "mobile"
    PARKED = "parked"
    NUMBER = N
    FORWARD = "forward"
    GROUP = "us-mobile"


class Cursor(int, enum.Enum):
    """The same for numbers."""

    LAST = 7


def test_enum_members_are_sent_by_value(connect: Any, stub: Stub) -> None:
    stub.then(reply(200, b"[]"), reply(200, b"[]"), reply(200, b"[]"), reply(200, b"{}"))
    dtmf = connect(Word.TOKEN)
    dtmf.groups(Word.MOBILE)
    assert list(dtmf.deliveries(Word.PARKED, e164=Word.NUMBER, after=Cursor.LAST)) == []
    assert list(dtmf.transactions(Cursor.LAST)) == []
    dtmf.retry_delivery(Cursor.LAST)
    dtmf.set_sms_action(Word.NUMBER, Word.FORWARD, Word.NUMBER)
    dtmf.start_rental(Word.GROUP)
    assert {request.headers["authorization"] for request in stub.received} == {f"Bearer {TOKEN}"}
    assert [request.target.removeprefix("/api/v1") for request in stub.received] == [
        "/groups?type=mobile",
        "/deliveries?state=parked&e164=%2B1234567890&after=7&limit=100",
        "/transactions?after=7&limit=100",
        "/deliveries/7/retry",
        "/number?e164=%2B1234567890",
        "/numbers",
    ]
    assert [request.json for request in stub.received[-2:]] == [{"sms_forwarded_to": N}, {"group_id": "us-mobile"}]


def test_each_call_has_its_own_idempotency_key(dtmf: Any, stub: Stub) -> None:
    stub.answers({})
    for _ in range(5):
        dtmf.start_rental("us-mobile")
    assert len({request.headers["idempotency-key"] for request in stub.received}) == 5


def test_a_base_url_may_have_a_path(connect: Any, stub: Stub) -> None:
    stub.answers({"balance": 1})
    connect(base_url=f"{stub.url}/numbers/").account()
    assert stub.received[0].target == "/numbers/api/v1/account"


def test_calls_share_one_connection(dtmf: Any, stub: Stub) -> None:
    stub.answers({"balance": 1})
    for _ in range(5):
        dtmf.account()
    assert stub.connections == 1


def test_an_idle_connection_closed_by_the_server_is_replaced_silently(connect: Any, stub: Stub) -> None:
    stub.then(lambda connection: reply(200, b"{}")(connection) and False)
    client = connect(max_retries=0)
    assert client.account() == {}
    assert stub.closed.acquire(timeout=10)
    assert client.account() == {}
    assert stub.connections == 2
