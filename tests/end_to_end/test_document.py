"""The examples of the public document, run unchanged against the real service with both clients."""

import ast
import asyncio
from collections.abc import Iterator
from pprint import pformat
from typing import Any

import pytest

from dtmf import AuthenticationError
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database
from end_to_end import examples
from end_to_end.clients import BOTH, awaited, client_of
from harness import (
    DAY_US,
    START_US,
    FakeWall,
    Group,
    give_coins,
    initialise,
    new_token,
    open_account,
    runtime_over,
    serving,
)
from support.inspect import ON_SQLITE
from support.paths import LOOPBACK_CERTIFICATE
from support.webhook_receiver import Posted, Receiver, receiving

CATALOG = {
    Group("cz-mobile", "mobile", "Czech Republic", "cz", True, False, 32093, 269, 601, None): ["+420700000000"],
    Group("us-mobile", "mobile", "United States", "us", True, False, 5000, 13, 705, None): [
        f"+12345678{number:02d}" for number in range(90, 100)
    ],
    Group("us-local", "local", "United States", "us", True, False, 0, 0, 0, None): ["+12125550100", "+12125550101"],
}
EXAMPLES, WEBHOOK_BODY = examples.read()
RESULTS = [example for example in EXAMPLES if example.printed]


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A database with the document's catalog and numbers."""
    database = open_database(database_url)
    initialise(database, CATALOG)
    yield database
    database.close()


@pytest.fixture
def url(db: Database, wall: FakeWall, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The service, trusting the receiver's certificate, at 2018-01-01T01:01:01."""
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK_CERTIFICATE))
    assert wall.at_us == START_US
    with serving(runtime_over(db, wall=wall)) as address:
        yield address


def set_the_stage(dtmf: Any, db: Database, wall: FakeWall, account_id: int) -> None:
    """Prepare the state that the document's first example assumes."""
    give_coins(db, account_id, 5000 + 13 + 1000 + 12345)
    dtmf.new_address()
    dtmf.new_address()
    assert dtmf.start_rental("us-mobile")["e164"] == "+1234567890"
    wall.advance(seconds=1)
    sent = dtmf.send_message("+1234567890", "+1234", "abc")
    dtmf.sandbox.advance(0)  # the carrier accepts it
    dtmf.start_rental("us-local")  # one of the numbers that `...` stands for
    assert sent["id"] == 1


def before(example: examples.Example, dtmf: Any, url: str) -> None:
    """Prepare the state between two examples: the document's second day, and funds for the first."""
    if example.source.startswith("dtmf.start_rental"):
        dtmf.sandbox.deposit(dtmf.new_address()["address"], 1_000_000)
        moved = dtmf.sandbox.advance(DAY_US / 1e6 - 1)
        assert moved == {"now": "2018-01-02T01:01:01.000000"}


def played(kind: Any, db: Database, wall: FakeWall, url: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the result of every example that has one, in the document's order."""
    account_id = open_account(db)
    monkeypatch.setenv("DTMF_URL", url)
    names: dict[str, Any] = {}
    found: list[Any] = []
    with client_of(kind, new_token(), url) as dtmf, asyncio.Runner() as runner:
        set_the_stage(dtmf, db, wall, account_id)
        for example in EXAMPLES:
            before(example, dtmf, url)
            source = example.source.replace("DTMF", kind.__name__).replace("your token", new_token())
            if example.printed:
                found.append(awaited(eval(source, names), runner))
            else:
                exec(source, names)
        awaited(names["dtmf"].close(), runner)
    return found


@pytest.mark.parametrize("kind", BOTH)
def test_every_example_of_the_document_returns_what_it_shows(
    kind: Any, db: Database, wall: FakeWall, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = played(kind, db, wall, url, monkeypatch)
    assert len(results) == len(RESULTS) == 11
    for example, result in zip(RESULTS, results, strict=True):
        assert examples.differences(examples.value(example.printed), result) == [], example.source


@ON_SQLITE
@pytest.mark.parametrize("kind", BOTH)
def test_results_are_formatted_as_in_the_document(
    kind: Any, db: Database, wall: FakeWall, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = played(kind, db, wall, url, monkeypatch)
    shown = {example.source: (example, result) for example, result in zip(RESULTS, results, strict=True)}
    for source, (example, result) in shown.items():
        if "address" in source:
            continue
        printed, pretty = example.python, pformat(result, sort_dicts=False)
        if "..." not in printed:
            assert pretty == printed, source
            assert repr(result) == repr(ast.literal_eval(printed)), source
        else:
            assert pretty.startswith(printed.split("...")[0].rstrip(" \n,")), source
    assert repr(shown["dtmf.account()"][1]) == "{'balance': 12345}"
    assert str(shown['dtmf.end_rental("+1234567891")'][1]) == "True"


def test_every_example_of_the_document_is_run() -> None:
    sources = [example.source for example in EXAMPLES]
    assert sources[:2] == ["from dtmf import DTMF", 'dtmf = DTMF("your token")']
    calls = [source.removeprefix("dtmf.").partition("(")[0] for source in sources[2:]]
    assert calls == [
        *("account", "addresses", "new_address", "groups", "numbers", "number", "start_rental", "end_rental"),
        *("set_sms_action", "set_sms_action", "set_sms_action"),
    ]


@pytest.mark.parametrize(
    ("printed", "result"),
    [
        ("{'a': 1, 'b': true}", {"b": True, "a": 1}),
        ("{'a': 1}", {"a": 1, "b": 2}),
        ("{'a': 1}", {}),
        ("{'a': 1}", {"a": True}),
        ("{'a': true}", {"a": 1}),
        ("{'a': 1}", {"a": 1.0}),
        ("{'a': null}", {"a": False}),
        ("[{'a': 1}]", [{"a": 1}, {"a": 1}]),
        ("[{'a': 1}, ...]", []),
        ("[{'a': 1}, ...]", [{"a": 1}, {"b": 1}]),
        ("{'address': '1xxx'}", {"address": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"}),
        ("True", 1),
    ],
)
def test_the_comparison_detects_a_wrong_result(printed: str, result: Any) -> None:
    assert examples.differences(examples.value(printed), result)


@ON_SQLITE
@pytest.mark.parametrize("kind", BOTH)
def test_the_account_is_a_plain_dict_of_its_balance_alone(kind: Any, db: Database, url: str) -> None:
    give_coins(db, open_account(db), 12345)
    with client_of(kind, new_token(), url) as dtmf:
        account = dtmf.account()
    assert account == {"balance": 12345}
    assert type(account) is dict
    assert type(account["balance"]) is int
    assert list(account) == ["balance"]


@ON_SQLITE
@pytest.mark.parametrize("kind", BOTH)
def test_only_the_service_rejects_the_documents_placeholder_token(kind: Any, url: str) -> None:
    with client_of(kind, "your token", url) as dtmf, pytest.raises(AuthenticationError) as refused:
        dtmf.account()
    assert "your token" not in str(refused.value)


@ON_SQLITE
@pytest.mark.parametrize("kind", BOTH)
def test_a_documented_action_is_what_the_number_shows(kind: Any, db: Database, url: str) -> None:
    give_coins(db, open_account(db), 50_000)
    with client_of(kind, new_token(), url) as dtmf:
        dtmf.start_rental("us-mobile")
        for action, destination in (
            ("forward", "+44123456789"),
            ("webhook", "https://example.org/webhook"),
            (None, None),
        ):
            assert dtmf.set_sms_action("+1234567890", action, destination) is True
            assert dtmf.number("+1234567890")["sms_forwarded_to"] == destination
            named = {"e164": "+1234567890", "action": action, "destination": destination}
            assert dtmf.set_sms_action(**named) is True


@pytest.mark.parametrize("kind", BOTH)
def test_the_webhook_receives_exactly_the_documented_body(kind: Any, db: Database, url: str) -> None:
    give_coins(db, open_account(db), 50_000)
    open_account(db, seed=1)
    with (
        receiving(certificate=LOOPBACK_CERTIFICATE) as receiver,
        client_of(kind, new_token(), url) as dtmf,
        client_of(kind, new_token(1), url) as other,
    ):
        dtmf.start_rental("us-mobile")
        rented = other.start_rental("us-local")["e164"]
        db.write_blocking(lambda tx: fill_messages(tx, rented, through=1233))
        assert dtmf.set_sms_action("+1234567890", "webhook", receiver.url) is True
        dtmf.sandbox.receive("+1234567890", "+1234", "SMS text")
        (posted,) = receiver.wait_for(1)
        dtmf.sandbox.advance(0)
        check_webhook(posted, receiver)


def fill_messages(tx: Tx, e164: str, *, through: int) -> None:
    """Simulate SMS at a free number until the last one has this id."""
    row = tx.one("SELECT coalesce(max(id), 0) AS id FROM messages")
    assert row is not None
    inbound = [InboundMessage(e164, "+1", "")] * (through - row["id"])
    assert receive_many(tx, inbound, now_us=START_US)[-1] == through


def check_webhook(posted: Posted, receiver: Receiver) -> None:
    """The webhook gets one HTTPS POST, with the documented JSON members in the documented order."""
    assert receiver.url.startswith("https://")
    assert (posted.method, posted.path) == ("POST", "/webhook")
    assert posted.headers["content-type"] == "application/json"
    expected = examples.value(WEBHOOK_BODY)
    assert examples.differences(expected, posted.json) == []
    assert repr(posted.json) == WEBHOOK_BODY == repr(expected)
    assert len(receiver.posted) == 1
