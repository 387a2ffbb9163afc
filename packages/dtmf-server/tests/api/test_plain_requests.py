"""The rows that clients in the field rely on: as plain curl sends them, with no header that is not needed."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from dtmf_server.storage.db import Database
from harness import give_coins, new_token, open_account
from support.connection import Connection, Reply

from .operations import ONE_ENGINE, Renter, calls

GROUP = [
    *("id", "type", "name", "country_code", "sms_support", "voice_support", "setup_cost", "rental_cost_per_minute"),
    *("cost_per_inbound_message", "cost_per_inbound_call_minute"),
]
NUMBER = [
    *("e164", "group_id", "sms", "cost_per_minute", "cost_per_inbound_message", "assignment_start"),
    *("sms_forwarded_to", "messages"),
]
MESSAGE = ["from", "to", "content", "timestamp", "success", "cost"]
FIXED = [
    *("GET /api/v1/account", "GET /api/v1/addresses", "POST /api/v1/addresses", "GET /api/v1/groups"),
    *("GET /api/v1/numbers", "POST /api/v1/numbers", "GET /api/v1/number", "DELETE /api/v1/number"),
    *("PATCH /api/v1/number", "POST /api/v1/message"),
]
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}")


def curl(connection: Connection, method: str, path: str, body: object = None) -> Reply:
    """What `curl -H 'Authorization: Bearer …' -X METHOD -d BODY` sends."""
    headers = {"User-Agent": "curl/8.5.0", "Accept": "*/*"}
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return connection.ask(method, path, body, token=new_token(), headers=headers)


def test_the_first_rows_work_with_plain_requests(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    assert curl(connection, "GET", "/api/v1/account").body == b'{"balance":100000}'
    _addresses(connection)
    _groups(connection)
    e164 = _rent(connection)
    path = "/api/v1/number?e164=%2B" + e164[1:]
    _actions(connection, path)
    _message(connection, e164, path)
    ended = curl(connection, "DELETE", path)
    assert (ended.status, ended.body) == (204, b"")
    assert curl(connection, "GET", "/api/v1/numbers").body == b"[]"
    assert curl(connection, "GET", path).status == 404


def _addresses(connection: Connection) -> None:
    assert curl(connection, "GET", "/api/v1/addresses").body == b"[]"
    created = curl(connection, "POST", "/api/v1/addresses")
    assert created.status == 201
    assert list(created.json) == ["address"]
    assert curl(connection, "POST", "/api/v1/addresses", b"").status == 201  # curl -d ''
    listed = curl(connection, "GET", "/api/v1/addresses")
    assert listed.status == 200
    assert [list(each) for each in listed.json] == [["address"], ["address"]]
    assert listed.json[0] == created.json


def _groups(connection: Connection) -> None:
    for kind, ids in (("mobile", ["us-mobile", "tiny"]), ("local", ["free"])):
        reply = curl(connection, "GET", f"/api/v1/groups?type={kind}")
        assert reply.status == 200
        assert [list(group) for group in reply.json] == [GROUP] * len(ids)
        assert [group["id"] for group in reply.json] == ids
        assert {group["type"] for group in reply.json} == {kind}
        assert {group["cost_per_inbound_call_minute"] for group in reply.json} == {None}


def _rent(connection: Connection) -> str:
    reply = curl(connection, "POST", "/api/v1/numbers", {"group_id": "us-mobile"})
    number: dict[str, Any] = reply.json
    assert reply.status == 201
    assert list(number) == NUMBER
    assert TIME.fullmatch(number["assignment_start"])
    known = {"e164": number["e164"], "assignment_start": number["assignment_start"]}
    prices = {"cost_per_minute": 13, "cost_per_inbound_message": 705}
    assert number == {"group_id": "us-mobile", "sms": True, "sms_forwarded_to": None, "messages": [], **known, **prices}
    assert curl(connection, "GET", "/api/v1/numbers").json == [number]
    return str(number["e164"])


def _actions(connection: Connection, path: str) -> None:
    for destination in ("+44123456789", "https://example.org/webhook", None):
        reply = curl(connection, "PATCH", path, {"sms_forwarded_to": destination})
        assert reply.status == 200
        assert list(reply.json) == NUMBER
        assert reply.json["sms_forwarded_to"] == destination
        assert curl(connection, "GET", path).body == reply.body


def _message(connection: Connection, e164: str, path: str) -> None:
    body = {"from": e164, "to": "+447700900123", "content": "abc"}
    sent = curl(connection, "POST", "/api/v1/message", body)
    assert (sent.status, sent.body) == (204, b"")
    arrived = {"to": e164, "from": "+1234", "content": "from outside"}
    assert curl(connection, "POST", "/api/v1/sandbox/message", arrived).status == 201
    number = curl(connection, "GET", path).json
    assert [list(message) for message in number["messages"]] == [MESSAGE, MESSAGE]
    assert all(TIME.fullmatch(message["timestamp"]) for message in number["messages"])
    assert [message["content"] for message in number["messages"]] == ["abc", "from outside"]
    assert [message["cost"] for message in number["messages"]] == [1000, 705]
    assert number["messages"][1]["success"] is True


@ONE_ENGINE
def test_a_sent_message_is_shown_only_to_whom_prefers_it(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    e164 = _rent(connection)
    body = {"from": e164, "to": "+447700900123", "content": "abc"}
    for prefer, status in (("return=representation", 201), ("return = representation", 201), ("return=minimal", 204)):
        reply = connection.ask("POST", "/api/v1/message", body, token=new_token(), headers={"Prefer": prefer})
        assert reply.status == status
        assert (list(json.loads(reply.body)) if reply.body else None) == (
            [*MESSAGE, "id", "e164", "inbound", "status", "reason"] if status == 201 else None
        )


@ONE_ENGINE
@pytest.mark.parametrize("name", FIXED)
def test_a_parameter_that_means_nothing_is_passed_over(renter: Renter, connection: Connection, name: str) -> None:
    call = calls(renter)[name]
    asked = call.asked(name, renter.token)
    joint = b"&" if b"?" in asked.target else b"?"
    reply = connection.send(replace(asked, target=asked.target + joint + b"_=1514768461&_=1&utm_source=x"))
    assert reply.status == call.status, reply.body


def test_a_method_that_is_not_allowed_gets_the_allowed_ones(connection: Connection) -> None:
    refused = curl(connection, "DELETE", "/api/v1/account")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert "/api/v1/account does not allow DELETE; it allows GET, HEAD, OPTIONS" in refused.body.decode()
