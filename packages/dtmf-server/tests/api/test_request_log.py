"""The record of API requests: each that writes is recorded with what it changed, or why it was refused, and nothing else is."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from dtmf_server.operations import close_account, explain_request, retention
from dtmf_server.operations.explain_request import RequestExplanation
from dtmf_server.runtime.context import Runtime
from dtmf_server.runtime.request_log import FREE_PER_HOUR, REFUSALS_MAX, SUCCESSES_MAX, RefusedRequest, RequestLog
from dtmf_server.storage import api_requests
from dtmf_server.storage.api_requests import ApiRequest
from dtmf_server.storage.db import Database, Tx
from dtmf_server.workers.request_log import record_requests
from harness import DAY_US, START_US, FakeWall, new_token, runtime_over, serving
from support.connection import Connection, Reply

from .operations import Renter

Explain = Callable[[Reply], list[RequestExplanation]]


@pytest.fixture
def served(db: Database, wall: FakeWall) -> Iterator[Runtime]:
    """A runtime whose requests are recorded when the test asks for it."""
    yield runtime_over(db, wall=wall)


@pytest.fixture
def connection(served: Runtime) -> Iterator[Connection]:
    """A connection to the API, without workers."""
    with serving(served, workers=False) as url, Connection(url) as opened:
        yield opened


@pytest.fixture
def explain(served: Runtime) -> Explain:
    """Record what waits, and explain the request of a reply."""

    def explained(reply: Reply) -> list[RequestExplanation]:
        record(served)
        return served.db.read_blocking(partial(explain_request.explain, request_id=reply.headers["x-request-id"]))

    return explained


def record(runtime: Runtime) -> None:
    """Record what waits, as the worker does."""
    asyncio.run(record_requests(runtime))


def count(db: Database) -> int:
    row = db.read_blocking(lambda tx: tx.one("SELECT count(*) AS n FROM api_requests"))
    assert row is not None
    return int(row["n"])


def test_a_rent_request_is_recorded_with_what_it_created(
    connection: Connection, renter: Renter, explain: Explain, db: Database
) -> None:
    reply = connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=renter.token)
    assert reply.status == 201
    (found,) = explain(reply)
    assert (found.account_id, found.operation, found.status) == (renter.account_id, "POST /api/v1/numbers", 201)
    assert (found.code, found.is_repeated, found.at_us) == (None, False, START_US)
    token = db.read_blocking(lambda tx: tx.one("SELECT label FROM tokens WHERE id = :id", id=found.token_id))
    assert token is not None and found.token_label == token["label"]
    effects = {effect.kind: effect.values for effect in found.effects}
    assert effects["rental"]["e164"] == reply.json["e164"]
    assert effects["transfer"]["kind"] == "rental_minutes" and effects["transfer"]["amount"] == 13


def test_ending_changing_and_sending_are_recorded(connection: Connection, renter: Renter, explain: Explain) -> None:
    ask = partial(connection.ask, token=renter.token)
    sent = explain(ask("POST", "/api/v1/message", {"from": renter.e164, "to": "+12025550199", "content": "hi"}))
    labelled = explain(ask("PATCH", "/api/v1/number", {"label": "shop"}, query={"e164": renter.e164}))
    ended = explain(ask("DELETE", "/api/v1/number", query={"e164": renter.e164}))
    kinds = [{effect.kind for effect in found.effects} for (found,) in (sent, labelled, ended)]
    assert {"message", "delivery of message", "transfer"} <= kinds[0]
    assert kinds[1] == {"rental"} and {"rental", "event"} <= kinds[2]
    assert "hi" not in repr(sent) and "+12025550199" not in repr(sent)


def test_a_repeated_request_changed_nothing(connection: Connection, renter: Renter, explain: Explain) -> None:
    ask = partial(connection.ask, "POST", "/api/v1/addresses", token=renter.token, headers={"Idempotency-Key": "k"})
    first, second = ask(), ask()
    assert first.json == second.json
    ((new,), (repeated,)) = explain(first), explain(second)
    assert not new.is_repeated and [effect.kind for effect in new.effects] == ["address"]
    assert repeated.is_repeated and (repeated.status, [*repeated.effects]) == (201, [])


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/api/v1/numbers", {"group_id": "nothing"}, "group_not_found"),
        ("/api/v1/numbers", {"group_id": 5}, "invalid_request"),
        ("/api/v1/numbers", b"{", "invalid_request"),
    ],
)
def test_a_refused_request_is_recorded_with_the_reason(
    connection: Connection, renter: Renter, explain: Explain, path: str, body: Any, code: str
) -> None:
    reply = connection.ask("POST", path, body, token=renter.token)
    assert reply.code == code
    (found,) = explain(reply)
    assert (found.account_id, found.status, found.code) == (renter.account_id, reply.status, code)
    assert [*found.effects] == []


def test_a_new_account_owns_the_request_that_opened_it(connection: Connection, served: Runtime) -> None:
    reply = connection.ask("POST", "/api/v1/accounts")
    record(served)
    (found,) = served.db.read_blocking(partial(explain_request.explain, request_id=reply.headers["x-request-id"]))
    assert found.account_id >= 1000 and {effect.kind for effect in found.effects} == {"token"}


def test_reads_and_strangers_are_not_recorded(connection: Connection, renter: Renter, served: Runtime) -> None:
    connection.ask("GET", "/api/v1/usage", token=renter.token)
    connection.ask("GET", "/api/v1/number", query={"e164": "+12025550198"}, token=renter.token)
    connection.ask("POST", "/api/v1/addresses")
    connection.ask("POST", "/api/v1/addresses", token=new_token(99))
    connection.ask("POST", "/api/v1/nothing", token=renter.token)
    record(served)
    assert count(served.db) == 0


def test_nothing_is_recorded_if_the_operator_turns_it_off(db: Database, wall: FakeWall, renter: Renter) -> None:
    runtime = runtime_over(db, wall=wall, request_retention_us=0)
    with serving(runtime, workers=False) as url, Connection(url) as connection:
        assert connection.ask("POST", "/api/v1/addresses", token=renter.token).status == 201
        assert connection.ask("POST", "/api/v1/numbers", {"group_id": "x"}, token=renter.token).status == 404
    record(runtime)
    assert count(db) == 0


def test_records_are_deleted_with_the_account_and_after_their_time(
    connection: Connection, renter: Renter, other: Renter, served: Runtime, wall: FakeWall
) -> None:
    db = served.db
    for each in (renter, other):
        connection.ask("POST", "/api/v1/addresses", token=each.token)
    record(served)
    assert count(db) == 2
    connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=renter.token)
    db.write_blocking(
        lambda tx: close_account.close_account(
            tx, renter.account_id, given_up_max=10**9, now_us=START_US, wall_us=START_US
        )
    )
    while db.write_blocking(close_account.go_on):
        pass
    record(served)  # what waited when the account was deleted
    assert count(db) == 1

    def forget(tx: Tx) -> int:
        return retention.forget_requests(tx, wall_us=wall(), retention_us=served.settings.request_retention_us)

    wall.advance(us=30 * DAY_US)
    assert db.write_blocking(forget) == 0
    wall.advance(us=1)
    assert db.write_blocking(forget) == 1 and db.write_blocking(forget) == 0 == count(db)


FREE = ApiRequest(request_id="req_1", account_id=1000, token_id=1, operation="POST /x", status=201, at_wall_us=0)
CHARGED = structs.replace(FREE, changes={"transfers": [1]})
REFUSED = RefusedRequest("req_2", bytes(32), "POST /x", 409, "x", 0)


def test_a_flood_of_requests_fills_no_memory() -> None:
    log = RequestLog()
    for _ in range(SUCCESSES_MAX + 5):
        log.add(CHARGED)
    for _ in range(REFUSALS_MAX + 5):
        log.add_refused(REFUSED)
    taken = log.take(10**6)
    assert (len(taken[0]), len(taken[1])) == (SUCCESSES_MAX, REFUSALS_MAX)
    assert not any(log.take(1))


def test_requests_that_cost_nothing_are_limited_per_caller_and_hour() -> None:
    log = RequestLog()

    def recorded(at_wall_us: int) -> tuple[int, int, int]:
        """Return how many requests of each kind are recorded of one more than the limit."""
        counts = [0, 0, 0]
        for _ in range(FREE_PER_HOUR + 1):
            log.add(structs.replace(FREE, at_wall_us=at_wall_us))
            counts[0] += len(log.take(1)[0])
            log.add(structs.replace(CHARGED, at_wall_us=at_wall_us))
            counts[1] += len(log.take(1)[0])
            log.add_refused(structs.replace(REFUSED, at_wall_us=at_wall_us))
            counts[2] += len(log.take(1)[1])
        return counts[0], counts[1], counts[2]

    expected = (FREE_PER_HOUR, FREE_PER_HOUR + 1, FREE_PER_HOUR)
    assert recorded(0) == expected == recorded(3600 * 10**6)
    log.add(structs.replace(FREE, account_id=1001, at_wall_us=3600 * 10**6))
    assert len(log.take(1)[0]) == 1


def test_many_changes_are_cut(db: Database, renter: Renter) -> None:
    new = ApiRequest(
        request_id="req_3",
        account_id=renter.account_id,
        token_id=None,
        operation="DELETE /x",
        status=204,
        at_wall_us=0,
        changes={"rentals": [*range(1, 1000)]},
    )
    db.write_blocking(lambda tx: api_requests.add(tx, [new]))
    (row,) = db.read_blocking(lambda tx: api_requests.of_request_id(tx, "req_3"))
    assert api_requests.changes_of(row) == {"rentals": [*range(1, api_requests.IDS_MAX + 1)]}
