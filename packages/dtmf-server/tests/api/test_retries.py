"""Retries are safe: one Idempotency-Key, one effect, one answer, however often and however many at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from dtmf_server.storage.db import Database, Tx
from harness import give_coins, new_token, open_account
from support.connection import Asked, Connection, Reply

from .operations import OTHER_PHONE, Call, Renter, calls, dump

AT_ONCE = 10
KEY = {"Idempotency-Key": "11111111-2222-3333-4444-555555555555"}
# Tables that workers write to, and the keys themselves.
NOT_EFFECTS = {"idempotency", "events", "simulated_blocks", "attempts", "delivery_attempts"}
# Another valid request to the same operation.
OTHER_BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/tokens": {"label": "phone"},
    "POST /api/v1/numbers": {"group_id": "free"},
    "POST /api/v1/message": {"content": "something else"},
    "POST /api/v1/sandbox/message": {"content": "something else"},
    "POST /api/v1/sandbox/deposit": {"amount": 2000},
    "POST /api/v1/invoices": {"amount": 2000},
    "POST /api/v1/sandbox/pay": {"amount": 2000},
    "POST /api/v1/sandbox/clock": {"advance_s": 60},
    "POST /api/v1/deliveries/retry": {"since": "2018-01-01T01:01:02"},
    "POST /api/v1/deliveries/test": {"e164": "+12025550199"},
    "POST /api/v1/numbers/adopt": {"e164": "+12025550199"},
}
SECRET = {
    "POST /api/v1/tokens",
    "POST /api/v1/accounts",
    "POST /api/v1/webhook_secret",
    "POST /api/v1/sign_in_links",
}


def repeatable(renter: Renter) -> dict[str, Call]:
    """Every POST and DELETE, with an effect each."""
    found = {name: call for name, call in calls(renter).items() if name.split(" ")[0] in ("POST", "DELETE")}
    found["POST /api/v1/sandbox/clock"] = Call(200, {"advance_s": 30})  # within the minute that is paid
    return found


def sizes(db: Database) -> dict[str, int]:
    """How many rows each table has, and what else an effect can be."""
    found = {name: len(rows) for name, rows in dump(db).items() if name not in NOT_EFFECTS}
    for name, statement in {
        "clock": "SELECT clock_offset_us AS n FROM service",
        "ended": "SELECT count(*) AS n FROM rentals WHERE ended_at_us IS NOT NULL",
        "adopted": "SELECT count(*) AS n FROM rentals WHERE token_id IS NULL",
        "revoked": "SELECT count(*) AS n FROM tokens WHERE revoked_at_us IS NOT NULL",
    }.items():
        found[name] = db.read_blocking(partial(_count, statement=statement))
    return found


def _count(tx: Tx, *, statement: str) -> int:
    row = tx.one(statement)
    assert row is not None
    return int(row["n"])


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Return the messages received."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def at_once(url: str, asked: Asked) -> list[Reply]:
    """The replies to the same request, sent by many at the same time."""

    def send(_: int) -> Reply:
        with Connection(url) as connection:
            return connection.send(asked)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(AT_ONCE)))


def test_ten_at_once_with_one_key_have_the_effect_of_one_and_its_answer(
    db: Database, url: str, renter: Renter, other: Renter, connection: Connection
) -> None:
    once, extra = repeatable(other), 0
    for name, call in repeatable(renter).items():
        start = sizes(db)
        assert connection.send(once[name].asked(name, other.token)).status == call.status, name
        middle = sizes(db)
        replies = at_once(url, call.asked(name, renter.token, **{"Idempotency-Key": f"for {name}"}))
        expected, found = difference(middle, start), difference(sizes(db), middle)
        extra += sum(abs(found.get(each, 0) - expected.get(each, 0)) for each in expected | found)
        assert found == expected, name
        assert expected or name.endswith(("/retry", "/webhook_secret")), f"{name} has no effect to count"
        if name in SECRET:
            assert sorted(reply.status for reply in replies) == [call.status] + [409] * (AT_ONCE - 1), name
            assert {reply.code for reply in replies if reply.status == 409} == {"already_issued"}
        else:
            assert {(reply.status, reply.body) for reply in replies} == {(call.status, replies[0].body)}, name
    print(f"{len(once)} operations asked {AT_ONCE} times at once with one key: {extra} effects too many or too few")


def test_the_same_key_with_another_request_is_refused_and_changes_nothing(
    db: Database, renter: Renter, connection: Connection
) -> None:
    found = repeatable(renter)
    bodies = {name for name, call in found.items() if call.body}
    assert bodies == set(OTHER_BODIES), "an operation with a body needs another valid one here"
    for name in sorted(bodies):
        call = found[name]
        key = {"Idempotency-Key": name}
        assert connection.send(call.asked(name, renter.token, **key)).status == call.status, name
        different = replace(call, body={**(call.body or {}), **OTHER_BODIES[name]})
        _refused_as_mismatch(db, connection, different.asked(name, renter.token, **key))
        # The same key for another operation is another request too.
        _refused_as_mismatch(db, connection, Call(201).asked("POST /api/v1/addresses", renter.token, **key))


def test_the_same_key_with_another_query_is_refused(db: Database, renter: Renter, connection: Connection) -> None:
    second = connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=renter.token).json["e164"]
    delete = Call(204, query={"e164": renter.e164})
    assert connection.send(delete.asked("DELETE /api/v1/number", renter.token, **KEY)).status == 204
    other_number = replace(delete, query={"e164": second})
    _refused_as_mismatch(db, connection, other_number.asked("DELETE /api/v1/number", renter.token, **KEY))
    assert [n["e164"] for n in connection.ask("GET", "/api/v1/numbers", token=renter.token).json] == [second]


def _refused_as_mismatch(db: Database, connection: Connection, asked: Asked) -> None:
    before = sizes(db)
    reply = connection.send(asked)
    assert (reply.status, reply.code) == (422, "idempotency_mismatch"), asked
    assert sizes(db) == before


def test_a_refusal_does_not_burn_its_key(db: Database, connection: Connection) -> None:
    account_id = open_account(db, seed=9)
    rent = {"body": {"group_id": "us-mobile"}, "token": new_token(9), "headers": KEY}
    for _ in range(3):
        assert connection.ask("POST", "/api/v1/numbers", **rent).code == "insufficient_funds"
    give_coins(db, account_id, 13)
    first = connection.ask("POST", "/api/v1/numbers", **rent)
    assert first.status == 201
    again = connection.ask("POST", "/api/v1/numbers", **rent)
    assert (again.status, again.body) == (201, first.body)
    assert connection.ask("GET", "/api/v1/account", token=new_token(9)).json == {"balance": 0}


def test_keys_of_different_accounts_are_apart(renter: Renter, other: Renter, connection: Connection) -> None:
    rent = {"body": {"group_id": "us-mobile"}, "headers": KEY}
    replies = [connection.ask("POST", "/api/v1/numbers", token=who.token, **rent) for who in (renter, other, renter)]
    assert [reply.status for reply in replies] == [201, 201, 201]
    assert replies[0].body == replies[2].body
    assert replies[0].json["e164"] != replies[1].json["e164"]


def test_the_same_key_with_another_preference_is_another_request(renter: Renter, connection: Connection) -> None:
    message = {"from": renter.e164, "to": OTHER_PHONE, "content": "once"}
    wanted = {**KEY, "Prefer": "return=representation"}
    first = connection.ask("POST", "/api/v1/message", message, token=renter.token, headers=wanted)
    plain = connection.ask("POST", "/api/v1/message", message, token=renter.token, headers=KEY)
    again = connection.ask("POST", "/api/v1/message", message, token=renter.token, headers=wanted)
    assert (first.status, plain.status, again.status) == (201, 422, 201)
    assert first.body == again.body
