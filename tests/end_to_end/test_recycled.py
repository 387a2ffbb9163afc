"""A recycled number leaks nothing: the next renter reads everything the API offers."""

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from dtmf import DTMF, NoNumbersAvailableError, NotFoundError
from dtmf_server.operations import verify
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.schema import metadata
from harness import DAY_US, FakeWall, give_coins, new_token, open_account, runtime_over, serving
from support.server_process import request
from support.webhook_receiver import receiving

NUMBER = "+12025550200"  # the only one of its group
ELSEWHERE = "+447911123987"
RECEIVED, SENT, FORWARDED = "canary-received", "canary-sent", "canary-forwarded"
SENDER = "CanarySender"
DAY_S = DAY_US / 1e6
STREAM_READ_S = 1.0


@pytest.fixture
def renters(db: Database, url: str) -> Iterator[tuple[DTMF, DTMF]]:
    """Two funded accounts: the first renter and the next one."""
    for seed in (0, 1):
        give_coins(db, open_account(db, seed=seed), 10_000_000)
    with DTMF(new_token(0), base_url=url) as first, DTMF(new_token(1), base_url=url) as following:
        yield first, following


def live_through(dtmf: DTMF, webhook_url: str) -> list[str]:
    """Create a rental with everything: SMS in and out, a webhook, a forward, a deposit. Returns its canaries."""
    address = dtmf.new_address()["address"]
    txid = dtmf.sandbox.deposit(address, 4321)["txid"]
    assert dtmf.start_rental("tiny")["e164"] == NUMBER
    dtmf.set_sms_action(NUMBER, "webhook", webhook_url)
    dtmf.sandbox.receive(NUMBER, SENDER, RECEIVED)
    dtmf.sandbox.advance(0)  # posts it: another action would park it
    dtmf.send_message(NUMBER, ELSEWHERE, SENT)
    dtmf.set_sms_action(NUMBER, "forward", ELSEWHERE)
    dtmf.sandbox.receive(NUMBER, SENDER, FORWARDED)
    dtmf.sandbox.advance(1)
    assert len(dtmf.number(NUMBER)["messages"]) == 4
    assert dtmf.end_rental(NUMBER) is True
    return [RECEIVED, SENT, FORWARDED, SENDER, ELSEWHERE, webhook_url, address, txid]


# --- everything there is to read --------------------------------------------------------------------------------


def everything(url: str, token: str) -> str:
    """Return the responses to every GET of the OpenAPI document with this token, with and without the number."""
    answers = []
    for path in paths_to_read(url):
        status, text = read(url, token, path)
        assert status in (200, 404), f"{path}: {status} {text}"
        answers.append(f"{path}: {text}")
    assert len(answers) > 10
    return "\n".join(answers)


def paths_to_read(url: str) -> list[str]:
    """Iterate over every path below /api/v1 with every combination of its parameters."""
    _, text = read(url, "", "/schema/openapi.json")
    found = []
    for path, methods in json.loads(text)["paths"].items():
        if "get" not in methods or not path.startswith("/api/v1/"):
            continue
        parameters = methods["get"].get("parameters", [])
        asked = [asking(parameter) for parameter in parameters if parameter["in"] == "query"]
        for choice in itertools.product(*asked):
            found += [f"{filled}?{'&'.join(filter(None, choice))}" for filled in with_ids(path)]
    return found


def asking(parameter: dict[str, Any]) -> list[str]:
    """Return the possible values of a parameter, including none."""
    schema = parameter["schema"]
    values = {"e164": ["%2B" + NUMBER[1:]], "type": ["mobile", "local"], "after": ["0"]}
    values |= {"limit": [str(schema.get("maximum"))], "contains": [NUMBER[2:6]]}
    enumerated = schema.get("enum") or [v for option in schema.get("oneOf", []) for v in option.get("enum", [])]
    given = [f"{parameter['name']}={value}" for value in values.get(parameter["name"], enumerated) if value is not None]
    assert given or not parameter.get("required"), f"what to ask {parameter['name']} for?"
    return given if parameter.get("required") else ["", *given]


def with_ids(path: str) -> list[str]:
    """Return the path, with its parameter, if any, replaced by every possible id."""
    before, brace, rest = path.partition("{")
    name, _, rest = rest.partition("}")
    ids = ["tiny", "us-mobile"] if name == "group_id" else range(1, 13)
    return [f"{before}{id_}{rest}" for id_ in ids] if brace else [path]


def read(url: str, token: str, path: str) -> tuple[int, str]:
    """Return status and text of a GET; of a stream, the text of the first second."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        stream = connection.sock
        reply = connection.getresponse()
        stream.settimeout(STREAM_READ_S)
        chunks = []
        try:
            while chunk := reply.read1(65536):
                chunks.append(chunk)
        except TimeoutError:
            pass
        return reply.status, b"".join(chunks).decode()


def seen(canaries: list[str], text: str) -> list[str]:
    """Return the canaries that appear in a text."""
    return [canary for canary in canaries if canary in text]


def test_the_next_renter_sees_nothing_older(renters: tuple[DTMF, DTMF], url: str) -> None:
    first, following = renters
    with receiving() as receiver:
        canaries = live_through(first, receiver.url)
        assert set(seen(canaries, everything(url, new_token(0)))) >= set(canaries) - {receiver.url}
        first.sandbox.advance(DAY_S)

        rented = following.start_rental("tiny")
        assert (rented["e164"], rented["messages"], rented["sms_forwarded_to"]) == (NUMBER, [], None)
        assert following.number(NUMBER) == rented
        assert following.numbers() == [rented]
        assert list(following.messages()) == list(following.messages(NUMBER)) == []
        assert [*following.deposits(), *following.addresses(), *following.sandbox.sent()] == []
        older = seen(canaries, everything(url, new_token(1)))
        print(f"the next renter asked {len(paths_to_read(url))} ways: {len(older)} older texts and addresses seen")
        assert older == []

        following.sandbox.receive(NUMBER, "NextSender", "next-text")
        following.send_message(NUMBER, "+447911555444", "next-sent")
        following.sandbox.advance(1)
        assert seen(canaries, everything(url, new_token(1))) == []
        assert seen(["NextSender", "next-text", "next-sent", "+447911555444"], everything(url, new_token(0))) == []
        assert receiver.contents == [RECEIVED]


def test_the_former_renter_keeps_their_messages_but_has_no_claim_on_the_number(renters: tuple[DTMF, DTMF]) -> None:
    first, following = renters
    live_through(first, "http://127.0.0.1:9999/")
    first.sandbox.advance(DAY_S)
    following.start_rental("tiny")
    for refused in (
        lambda: first.number(NUMBER),
        lambda: first.end_rental(NUMBER),
        lambda: first.set_sms_action(NUMBER, "forward", ELSEWHERE),
        lambda: first.send_message(NUMBER, ELSEWHERE, "text"),
        lambda: first.sandbox.receive(NUMBER, SENDER, "text"),
    ):
        with pytest.raises(NotFoundError):
            refused()
    assert first.numbers() == []
    assert [m["content"] for m in first.messages(NUMBER) if m["inbound"]] == [RECEIVED, FORWARDED]
    assert following.number(NUMBER)["sms_forwarded_to"] is None


def test_an_idempotency_key_is_scoped_to_its_account(renters: tuple[DTMF, DTMF], url: str) -> None:
    first, following = renters
    first.start_rental("tiny")
    body = {"to": NUMBER, "from": SENDER, "content": RECEIVED}
    assert request(url, new_token(0), "POST", "/sandbox/message", body, key="same").status == 201
    first.end_rental(NUMBER)
    refused = request(url, new_token(1), "POST", "/sandbox/message", body, key="same")
    assert refused.status == 404
    first.sandbox.advance(DAY_S)
    following.start_rental("tiny")
    mine = request(url, new_token(1), "POST", "/sandbox/message", body | {"content": "mine"}, key="same")
    assert (mine.status, mine.json["content"]) == (201, "mine")


# --- cooldown ---------------------------------------------------------------------------------------------------


def test_a_number_has_a_cooldown_of_a_day_before_others_can_rent_it(renters: tuple[DTMF, DTMF]) -> None:
    first, following = renters
    first.start_rental("tiny")
    with pytest.raises(NoNumbersAvailableError):
        following.start_rental("tiny")
    first.end_rental(NUMBER)
    first.sandbox.advance(DAY_S - 0.001)
    with pytest.raises(NoNumbersAvailableError):
        following.start_rental("tiny")
    first.sandbox.advance(0.001)
    assert following.start_rental("tiny")["e164"] == NUMBER


def test_the_former_renter_can_rent_a_number_again_during_its_cooldown(renters: tuple[DTMF, DTMF]) -> None:
    first, following = renters
    live_through(first, "http://127.0.0.1:9999/")
    first.sandbox.advance(DAY_S / 2)
    again = first.start_rental("tiny")
    assert (again["e164"], again["messages"], again["sms_forwarded_to"]) == (NUMBER, [], None)
    assert [m["content"] for m in first.messages(NUMBER) if m["inbound"]] == [RECEIVED, FORWARDED]
    first.end_rental(NUMBER)
    first.sandbox.advance(DAY_S / 2)
    with pytest.raises(NoNumbersAvailableError):  # the cooldown starts again
        following.start_rental("tiny")


def test_an_sms_to_a_number_in_cooldown_is_counted_and_its_text_discarded(
    renters: tuple[DTMF, DTMF], db: Database
) -> None:
    first, following = renters
    first.start_rental("tiny")
    first.end_rental(NUMBER)
    with pytest.raises(NotFoundError):
        first.sandbox.receive(NUMBER, SENDER, "lost-by-sandbox")
    sender = following.start_rental("us-mobile")["e164"]
    following.send_message(sender, NUMBER, "lost-by-carrier")
    following.sandbox.advance(1)
    stored = db.read_blocking(lambda tx: tx.all("SELECT content, inbound FROM messages"))
    # Only the sender's own rows.
    assert [(row["content"], bool(row["inbound"])) for row in stored] == [("lost-by-carrier", False)]
    counted = db.read_blocking(lambda tx: tx.one("SELECT unrouted_messages FROM service"))
    assert counted is not None
    assert counted["unrouted_messages"] == 1
    first.sandbox.advance(1)
    assert first.start_rental("tiny")["messages"] == []
    assert list(first.messages(NUMBER)) == []


# --- retention --------------------------------------------------------------------------------------------------


def all_rows(tx: Tx, name: str) -> list[dict[str, Any]]:
    """Return every row of a table."""
    return [dict(row) for row in tx.all(f"SELECT * FROM {name}")]


def tables_showing(db: Database, canaries: list[str]) -> set[str]:
    """Return the tables in which any column contains one of these texts."""

    def shown(value: object) -> str:
        return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)

    found = set()
    for name in metadata.tables:
        rows = db.read_blocking(partial(all_rows, name=name))
        if any(canary in shown(value) for row in rows for value in row.values() for canary in canaries):
            found.add(name)
    return found


def wait_until(done: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    for _ in range(1000):
        if done():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came about")


def test_thirty_days_after_a_rental_its_texts_are_gone_and_the_ledger_stays(db: Database, wall: FakeWall) -> None:
    for seed in (0, 1):
        give_coins(db, open_account(db, seed=seed), 10_000_000)
    texts = [RECEIVED, SENT, FORWARDED]
    with receiving() as receiver:
        with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
            live_through(dtmf, receiver.url)
            wait_until(lambda: all(m["status"] in ("received", "delivered") for m in dtmf.messages()))
            ledger, kept = list(dtmf.transactions()), list(dtmf.messages())
            dtmf.sandbox.advance(27 * DAY_S)
            assert list(dtmf.messages()) == kept
            assert "messages" in tables_showing(db, texts)
        wall.advance(us=3 * DAY_US - 1_000_000)  # three real days: stored responses are deleted after two
        with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
            wait_until(lambda: "idempotency" not in tables_showing(db, texts))
            assert list(dtmf.messages()) == kept
            dtmf.sandbox.advance(1)
            assert tables_showing(db, texts) == set()
            assert seen(texts, everything(url, new_token())) == []
            assert [m["content"] for m in dtmf.messages(NUMBER)] == [None] * 4
            assert [m | {"content": None} for m in kept] == list(dtmf.messages())
            assert list(dtmf.transactions()) == ledger
    assert receiver.contents == [RECEIVED]
    assert db.read_blocking(verify.differences) == []
