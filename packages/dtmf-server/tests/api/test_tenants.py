"""Tenants are apart: with another's token, a revoked one or none, nothing of a renter can be read or changed."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

from dtmf_server.core import api_token
from dtmf_server.operations import tokens
from dtmf_server.storage.db import Database
from harness import START_US, new_token
from support.connection import Asked, Connection

from .operations import ONE_ENGINE, PUBLIC, Call, Renter, calls, dump, names_of, operation_of

# Responses to requests for another account's resources.
NOT_FOUND = {
    "DELETE /api/v1/tokens",
    "GET /api/v1/tokens/{token_id}",
    "POST /api/v1/numbers/adopt",
    "GET /api/v1/number",
    "PATCH /api/v1/number",
    "DELETE /api/v1/number",
    "POST /api/v1/message",
    "GET /api/v1/messages",
    "POST /api/v1/deliveries/{delivery_id}/retry",
    "POST /api/v1/deliveries/test",
    "GET /api/v1/invoices/{invoice_id}",
    "POST /api/v1/sandbox/message",
}
REFUSED = NOT_FOUND | {"POST /api/v1/sandbox/deposit", "POST /api/v1/sandbox/pay"}


def sent(asked: Asked) -> str:
    """Return all values that the caller sent."""
    return unquote_plus(asked.target.decode()) + asked.body.decode()


def leaks(renter: Renter, asked: Asked, answer: bytes) -> list[str]:
    """Return the renter's data in a response to another account that didn't send it itself."""
    text = json.dumps(json.loads(answer), ensure_ascii=False) if answer else ""
    return [secret for secret in renter.secrets if secret in text and secret not in sent(asked)]


@ONE_ENGINE
def test_every_operation_of_the_document_has_a_case(renter: Renter, document: dict[str, Any]) -> None:
    untested = names_of(document) - set(calls(renter))
    print(f"{len(names_of(document))} operations documented: {len(untested)} untested")
    assert names_of(document) == set(calls(renter)), "a new operation needs a case in operations.py, and a look here"
    assert names_of(document) >= REFUSED | PUBLIC


def test_lists_without_their_filters_are_the_callers_own(
    renter: Renter, other: Renter, connection: Connection, document: dict[str, Any]
) -> None:
    shown = ""
    for name, call in calls(renter).items():
        parameters = operation_of(document, name).get("parameters", [])
        optional = {each["name"] for each in parameters if not each.get("required")}
        if name.startswith("GET") and not call.path and not call.query.keys() - optional:
            asked = replace(call, query={}).asked(name, other.token)
            reply = connection.send(asked)
            assert reply.status == 200, name
            assert not leaks(renter, asked, reply.body), (name, reply)
            shown += connection.send(replace(call, query={}).asked(name, renter.token)).body.decode()
    # All of it is there to be leaked: the renter reads it by the same requests.
    unseen = [secret for secret in renter.secrets if secret not in shown and secret != renter.token]
    assert unseen == []


def test_another_accounts_token_reads_and_changes_nothing(
    db: Database, renter: Renter, other: Renter, connection: Connection
) -> None:
    before, leaked = dump(db, renter.account_id), []
    for name, call in calls(renter).items():
        asked = call.asked(name, other.token)
        reply = connection.send(asked)
        expected = 404 if name in NOT_FOUND else 422 if name in REFUSED else call.status
        assert reply.status == expected, (name, reply)
        leaked += leaks(renter, asked, reply.body)
        assert not leaked, (name, reply)
        assert dump(db, renter.account_id) == before, name
    print(f"{len(calls(renter))} operations with another's token: {len(leaked)} leaks")


def test_the_same_requests_by_the_renter_do_read_and_change(
    db: Database, renter: Renter, connection: Connection
) -> None:
    # Without this the test above could pass on requests that mean nothing to anybody.
    for name in sorted(REFUSED, key=lambda name: name.startswith("DELETE")):
        call = calls(renter)[name]
        assert connection.send(call.asked(name, renter.token)).status == call.status, name


def test_without_a_token_nothing_is_read_or_changed(db: Database, renter: Renter, connection: Connection) -> None:
    _refused_everywhere(db, renter, connection, None)


def test_a_revoked_token_reads_and_changes_nothing(db: Database, renter: Renter, connection: Connection) -> None:
    revoked = new_token(77)
    sha256 = api_token.sha256(revoked)
    id_ = db.write_blocking(
        lambda tx: tokens.add(tx, renter.account_id, token_sha256=sha256, label="x", now_us=START_US)
    )
    assert connection.ask("GET", "/api/v1/account", token=revoked).status == 200
    assert connection.ask("DELETE", "/api/v1/tokens", token=renter.token, query={"id": id_}).status == 204
    _refused_everywhere(db, renter, connection, revoked)


def _refused_everywhere(db: Database, renter: Renter, connection: Connection, bearer: str | None) -> None:
    before, leaked, private = dump(db), [], {n: c for n, c in calls(renter).items() if n not in PUBLIC}
    for name, call in private.items():
        asked = call.asked(name, bearer, **{"Idempotency-Key": "a key"})
        reply = connection.send(asked)
        assert (reply.status, reply.code) == (401, "unauthenticated"), (name, reply)
        assert reply.headers["www-authenticate"] == "Bearer"
        leaked += leaks(renter, asked, reply.body)
        assert not leaked, name
    assert dump(db) == before
    print(f"{len(private)} operations with {'a revoked' if bearer else 'no'} token: {len(leaked)} leaks")


def test_an_answer_does_not_tell_a_strangers_number_from_none(
    renter: Renter, other: Renter, connection: Connection
) -> None:
    for name in sorted(NOT_FOUND):
        answers = []
        for call in (calls(renter)[name], _of_nobody(calls(renter)[name])):
            reply = connection.send(call.asked(name, other.token))
            answers.append((reply.status, reply.code, _without_digits(reply.json["detail"])))
        assert answers[0] == answers[1], name


def _of_nobody(call: Call) -> Call:
    """Return the same request about something that doesn't exist."""
    nobodys = {"e164": "+12025550199", "from": "+12025550199", "to": "+12025550199", "id": 987654321}
    body = None if call.body is None else {key: nobodys.get(key, value) for key, value in call.body.items()}
    query = {key: nobodys.get(key, value) for key, value in call.query.items()}
    return Call(call.status, body, query, dict.fromkeys(call.path, 987654321))


def _without_digits(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())


@ONE_ENGINE
def test_what_is_public_shows_nothing_of_a_renter(renter: Renter, connection: Connection) -> None:
    for path in ("/healthz", "/readyz", "/docs/api", "/docs/reference/errors", "/schema/openapi.json"):
        reply = connection.ask("GET", path)
        assert reply.status == 200
        assert not [secret for secret in renter.secrets if secret.encode() in reply.body], path
