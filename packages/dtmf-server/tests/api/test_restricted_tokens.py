"""Restricted tokens: never wider than the one that created them, and their rentals and actions end with them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from dtmf_server.core.units import HOUR_US, SECOND_US
from dtmf_server.operations import rent, tokens
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database, Tx
from harness import START_US, FakeWall, serving
from support.connection import Connection, Reply
from support.streaming import EventSource

from .operations import ONE_ENGINE, Renter

DAY = "2999-01-01T00:00:00"


def create(connection: Connection, token: str, **asked: Any) -> Reply:
    return connection.ask("POST", "/api/v1/tokens", {"label": "bot", **asked}, token=token)


def created(connection: Connection, token: str, **asked: Any) -> dict[str, Any]:
    reply = create(connection, token, **asked)
    assert reply.status == 201, reply
    return dict(reply.json)


def told(reply: Reply) -> tuple[int, str, str | None]:
    return reply.status, reply.code, reply.json.get("field")


def revoke(connection: Connection, token: str, id_: int) -> Reply:
    return connection.ask("DELETE", "/api/v1/tokens", token=token, query={"id": id_})


def own(connection: Connection, token: str) -> Any:
    return connection.ask("GET", "/api/v1/tokens/0", token=token).json


@ONE_ENGINE
def test_what_is_left_out_is_that_of_the_parent_and_what_is_wider_is_named(
    renter: Renter, connection: Connection
) -> None:
    limits = {"scopes": ["tokens", "rent", "read"], "groups": ["us-mobile"], "expires_at": DAY}
    limits |= {"sats_max": 2000, "sats_per_day": 500, "rentals_max": 3}
    parent = created(connection, renter.token, **limits)
    child = created(connection, parent["token"])
    shown = own(connection, child["token"])
    assert shown["created_by"] == parent["id"]
    assert shown["scopes"] == ["read", "rent", "tokens"]
    assert {name: shown[name] for name in ("groups", "sats_max", "sats_per_day", "rentals_max")} == {
        name: limits[name] for name in ("groups", "sats_max", "sats_per_day", "rentals_max")
    }
    assert shown["expires_at"] == "2999-01-01T00:00:00.000000"
    wider: dict[str, Any] = {
        "scopes": ["read", "send"],
        "groups": ["us-mobile", "free"],
        "expires_at": "2999-01-01T00:00:01",
    }
    wider |= {"sats_max": 2001, "sats_per_day": 501, "rentals_max": 4}
    for field, value in wider.items():
        assert told(create(connection, parent["token"], **{field: value})) == (422, "token_too_wide", field)
    narrower = {"scopes": ["read"], "expires_at": "2998-01-01T00:00:00", "sats_max": 1999, "rentals_max": 1}
    created(connection, parent["token"], **narrower)
    assert told(create(connection, child["token"], scopes=["read"]))[:2] == (403, "token_too_deep")


@ONE_ENGINE
def test_bad_restrictions_are_refused_by_name(renter: Renter, connection: Connection) -> None:
    bad: list[tuple[str, Any]] = [
        ("scopes", []),
        ("scopes", ["admin"]),
        ("scopes", ["read", "read"]),
        ("expires_at", "2018-01-01T00:00:00"),
        ("expires_at", "tomorrow"),
        *[
            (name, value)
            for name in ("sats_max", "sats_per_day", "rentals_max")
            for value in (0, -1, 1.0, True, 10**30)
        ],
    ]
    for field, value in bad:
        reply = create(connection, renter.token, **{field: value})
        assert (reply.status, reply.code) == (422, "invalid_request"), (field, value, reply)
        assert reply.json["detail"].startswith(field), reply
    assert told(create(connection, renter.token, groups=["moon"]))[:2] == (404, "group_not_found")


@ONE_ENGINE
def test_an_unrestricted_token_is_as_it_was(renter: Renter, connection: Connection) -> None:
    new = created(connection, renter.token)
    assert list(new) == ["id", "label", "token"]
    listed = connection.ask("GET", "/api/v1/tokens", token=new["token"]).json
    assert [list(each) for each in listed] == [["id", "label", "created_at"]] * 3
    bot = created(connection, renter.token, scopes=["read"])
    assert revoke(connection, renter.token, new["id"]).status == 204
    # Its last unrestricted token can't be revoked, even while a restricted one works.
    for each in listed[1:2]:
        assert revoke(connection, renter.token, each["id"]).status == 204
    assert told(revoke(connection, renter.token, listed[0]["id"]))[:2] == (409, "last_token")
    assert connection.ask("GET", "/api/v1/account", token=bot["token"]).status == 200


@ONE_ENGINE
def test_a_restricted_token_sees_and_revokes_only_itself_and_its_children(
    renter: Renter, connection: Connection
) -> None:
    parent = created(connection, renter.token, scopes=["tokens", "read"])
    other = created(connection, renter.token, scopes=["tokens", "read"])
    child = created(connection, parent["token"], scopes=["read"])
    listed = connection.ask("GET", "/api/v1/tokens", token=parent["token"]).json
    assert [each["id"] for each in listed] == [parent["id"], child["id"]]
    for id_ in (renter.second_token_id, other["id"]):
        assert revoke(connection, parent["token"], id_).status == 404
        assert connection.ask("GET", f"/api/v1/tokens/{id_}", token=parent["token"]).status == 404
    assert connection.ask("GET", f"/api/v1/tokens/{parent['id']}", token=child["token"]).status == 403
    assert revoke(connection, parent["token"], child["id"]).status == 204
    assert connection.ask("GET", f"/api/v1/tokens/{child['id']}", token=parent["token"]).json["ended_at"]
    assert connection.ask("GET", "/api/v1/account", token=child["token"]).status == 401


def test_a_revoked_parent_ends_its_children_their_rentals_and_actions_but_not_what_was_adopted(
    renter: Renter, connection: Connection
) -> None:
    parent = created(connection, renter.token, scopes=["tokens", "read", "rent", "webhooks"])
    child = created(connection, parent["token"], scopes=["rent", "webhooks"])
    first, second, third = (
        connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=token).json["e164"]
        for token in (parent["token"], child["token"], child["token"])
    )
    hook = {"sms_forwarded_to": "http://127.0.0.1:1025/x"}
    for e164 in (renter.e164, third):
        query = {"e164": e164}
        assert connection.ask("PATCH", "/api/v1/number", hook, token=child["token"], query=query).status == 200
    assert (
        connection.ask("PUT", "/api/v1/account/webhook", {"url": hook["sms_forwarded_to"]}, token=child["token"]).status
        == 200
    )
    adopted = connection.ask("POST", "/api/v1/numbers/adopt", {"e164": third}, token=renter.token)
    assert adopted.status == 204
    number = connection.ask("GET", "/api/v1/number", token=renter.token, query={"e164": third})
    assert number.json["sms_forwarded_to"] == hook["sms_forwarded_to"]
    assert revoke(connection, renter.token, parent["id"]).status == 204
    for token in (parent["token"], child["token"]):
        assert connection.ask("GET", "/api/v1/tokens/0", token=token).status == 401
    live = connection.ask("GET", "/api/v1/numbers", token=renter.token).json
    assert {each["e164"]: each["sms_forwarded_to"] for each in live} == {
        renter.e164: None,
        third: hook["sms_forwarded_to"],
    }
    assert connection.ask("GET", "/api/v1/account/webhook", token=renter.token).json == {"url": None}
    for e164 in (first, second):
        gone = connection.ask("GET", "/api/v1/number", token=renter.token, query={"e164": e164})
        assert gone.status == 404
        assert "the token that started it was revoked" in gone.json["detail"]


@ONE_ENGINE
def test_groups_and_the_number_of_rentals_are_limited(renter: Renter, connection: Connection) -> None:
    parent = created(connection, renter.token, scopes=["tokens", "rent"], groups=["us-mobile", "free"], rentals_max=2)
    child = created(connection, parent["token"], groups=["free"])
    for token, group in ((parent["token"], "tiny"), (child["token"], "us-mobile")):
        reply = connection.ask("POST", "/api/v1/numbers", {"group_id": group}, token=token)
        assert told(reply)[:2] == (403, "group_not_allowed")
    e164 = connection.ask("POST", "/api/v1/numbers", {"group_id": "free"}, token=child["token"]).json["e164"]
    assert connection.ask("DELETE", "/api/v1/number", token=parent["token"], query={"e164": e164}).status == 204
    assert connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=parent["token"]).status == 201
    for token, group in ((parent["token"], "us-mobile"), (child["token"], "free")):
        reply = connection.ask("POST", "/api/v1/numbers", {"group_id": group}, token=token)
        assert told(reply) == (403, "limit_reached", "rentals_max")
        assert (reply.json["limit"], reply.json["remaining"]) == (2, 0)
    assert own(connection, parent["token"])["rentals_started"] == 2
    assert own(connection, child["token"])["rentals_started"] == 1


def expiring(connection: Connection, renter: Renter, **asked: Any) -> dict[str, Any]:
    """A token that expires an hour after the start."""
    at = datetime.fromtimestamp((START_US + HOUR_US) / SECOND_US, UTC).isoformat()
    return created(connection, renter.token, expires_at=at, **asked)


def test_an_expired_token_is_refused_and_its_rentals_end_at_its_expiry(
    db: Database, renter: Renter, connection: Connection, wall: FakeWall
) -> None:
    bot = expiring(connection, renter, scopes=["read", "rent"])
    assert connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=bot["token"]).status == 201
    wall.advance(seconds=59 * 60)
    assert connection.ask("GET", "/api/v1/account", token=bot["token"]).status == 200
    wall.advance(us=49 * HOUR_US)  # a clock that jumps past the expiry
    assert connection.ask("GET", "/api/v1/account", token=bot["token"]).status == 401
    while db.write_blocking(lambda tx: tokens.expire(tx, now_us=wall.at_us, wall_us=wall.at_us)):
        pass
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals WHERE token_id = :id", id=bot["id"]))
    assert (row["ended_at_us"], row["end_reason"], row["booked_minutes"]) == (START_US + HOUR_US, "token", 61)


@contextmanager
def polling(url: str, token: str) -> Iterator[Any]:
    """A long poll and a stream with this token, begun."""
    with (
        ThreadPoolExecutor(1) as pool,
        Connection(url) as waiting,
        EventSource(url, token, query={"after": 10**6}) as source,
    ):
        query = {"wait": 60, "after": 10**6}
        yield pool.submit(waiting.ask, "GET", "/api/v1/messages", token=token, query=query), source


@pytest.mark.parametrize("end", ["revoked", "parent revoked", "expires"])
@ONE_ENGINE
def test_waits_and_streams_of_a_token_that_ends_meanwhile_end_with_it(
    end: str, runtime: Runtime, renter: Renter, wall: FakeWall
) -> None:
    with serving(runtime) as url, Connection(url) as connection:
        parent = created(connection, renter.token, scopes=["tokens", "read"])
        at = datetime.fromtimestamp((wall.at_us + SECOND_US // 2) / SECOND_US, UTC).isoformat()
        bot = created(connection, parent["token"], scopes=["read"], **({"expires_at": at} if end == "expires" else {}))
        with polling(url, bot["token"]) as (answer, source):
            if end == "expires":
                wall.advance(seconds=1)  # the waits are bounded by the real time that was left
            else:
                id_ = bot["id"] if end == "revoked" else parent["id"]
                assert revoke(connection, renter.token, id_).status == 204
            assert answer.result(20).status == 401
            assert list(source.events()) == []


def test_a_token_created_twice_with_one_key_is_created_once(renter: Renter, connection: Connection) -> None:
    parent = created(connection, renter.token, scopes=["tokens", "read"])
    key = {"Idempotency-Key": "once"}
    ask = {"label": "bot", "scopes": ["read"]}
    assert connection.ask("POST", "/api/v1/tokens", ask, token=parent["token"], headers=key).status == 201
    again = connection.ask("POST", "/api/v1/tokens", ask, token=parent["token"], headers=key)
    assert (again.status, again.code) == (409, "already_issued")
    assert len(connection.ask("GET", "/api/v1/tokens", token=parent["token"]).json) == 2


def test_renting_with_a_token_revoked_meanwhile_leaves_no_rental(
    url: str, db: Database, renter: Renter, connection: Connection
) -> None:
    bot = created(connection, renter.token, scopes=["rent"])
    with ThreadPoolExecutor(9) as pool:

        def rent_one(_: int) -> int:
            with Connection(url) as own_connection:
                return own_connection.ask(
                    "POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=bot["token"]
                ).status

        started = [pool.submit(rent_one, nth) for nth in range(8)]
        assert revoke(connection, renter.token, bot["id"]).status == 204
        assert {each.result(60) for each in started} <= {201, 401}

    def left(tx: Tx) -> int:
        row = tx.one("SELECT count(*) AS n FROM rentals WHERE token_id = :id AND ended_at_us IS NULL", id=bot["id"])
        assert row is not None
        return int(row["n"])

    assert db.read_blocking(left) == 0


@ONE_ENGINE
def test_a_token_with_many_rentals_ends_them_all(
    db: Database, renter: Renter, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = created(connection, renter.token, scopes=["rent"])
    monkeypatch.setattr(tokens, "ENDS_MAX", 2)
    for _ in range(5):
        assert connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=bot["token"]).status == 201
    assert revoke(connection, renter.token, bot["id"]).status == 204
    live = db.read_blocking(lambda tx: rent.live_rentals(tx, renter.account_id, now_us=START_US))
    assert [row["e164"] for row in live] == [renter.e164]


def test_a_key_that_another_token_has_used_gives_a_restricted_token_nothing(
    renter: Renter, connection: Connection
) -> None:
    bot, other = (created(connection, renter.token, scopes=["tokens", "read"])["token"] for _ in range(2))
    ask: dict[str, Any] = {"body": {"label": "x", "scopes": ["read"]}, "headers": {"Idempotency-Key": "guessed"}}
    replies = [connection.ask("POST", "/api/v1/tokens", token=token, **ask) for token in (renter.token, bot, other) * 2]
    assert [reply.status for reply in replies] == [201, 201, 201, 409, 409, 409]
    assert {reply.code for reply in replies[3:]} == {"already_issued"}, "a token is shown once"
    assert len({reply.json["token"] for reply in replies[:3]}) == 3
