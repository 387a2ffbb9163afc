"""Every operation of the OpenAPI document with every scope succeeds only where the table of scopes says so."""

from typing import Any

import pytest

from dtmf_server.api import scopes
from dtmf_server.core import api_token
from dtmf_server.core.token_grant import SCOPES, Grant
from dtmf_server.operations import tokens
from dtmf_server.storage.db import Database, Tx
from harness import START_US, new_token
from support.connection import Connection, Reply
from support.visitor import Visitor

from .operations import ONE_ENGINE, PUBLIC, Call, Renter, calls, dump, names_of, operation_of


def alternatives(document: dict[str, Any], name: str) -> set[str]:
    """The scopes of which the document says that the operation needs one."""
    security = operation_of(document, name).get("security", [{"token": []}])
    return {each["token"][0] if each["token"] else scopes.ANY for each in security if each}


def needs(document: dict[str, Any], name: str) -> str:
    """The only scope that the operation needs."""
    (found,) = alternatives(document, name)
    return found


def restricted(db: Database, renter: Renter, *given: str, seed: int = 900) -> tuple[int, str]:
    """A restricted token of the renter with these scopes, which the renter's rental belongs to."""

    def add(tx: Tx) -> int:
        sha256 = api_token.sha256(new_token(seed))
        asked = Grant(scopes=given)
        id_ = tokens.add(tx, renter.account_id, token_sha256=sha256, label="x", now_us=START_US, asked=asked)
        tx.run("UPDATE rentals SET token_id = :id WHERE account_id = :account", id=id_, account=renter.account_id)
        return id_

    return db.write_blocking(add), new_token(seed)


def ask_all(connection: Connection, wanted: dict[str, Call], token: str) -> dict[str, Reply]:
    return {name: connection.send(call.asked(name, token)) for name, call in wanted.items()}


@ONE_ENGINE
def test_the_document_names_the_scope_of_every_operation_as_the_table_does(document: dict[str, Any]) -> None:
    for name in names_of(document) - PUBLIC:
        id_ = operation_of(document, name)["operationId"]
        fields = set(scopes.FIELDS.get(id_, {}).values())
        assert alternatives(document, name) == (fields or {scopes.NEEDS[id_]}), name
        assert alternatives(document, name) <= {*SCOPES, scopes.ANY, scopes.UNRESTRICTED}, name
    documented = {operation_of(document, name)["operationId"] for name in names_of(document)}
    assert set(scopes.NEEDS) == {name for name in documented if name not in ("get_healthz", "get_readyz")}


@pytest.mark.parametrize("scope", SCOPES)
@ONE_ENGINE
def test_a_scope_opens_only_the_operations_of_the_table(
    scope: str, db: Database, renter: Renter, connection: Connection, document: dict[str, Any]
) -> None:
    id_, token = restricted(db, renter, scope)
    every = {name: call for name, call in _calls(renter, id_).items() if name not in PUBLIC}
    fields = every.pop("PATCH /api/v1/number")
    for field, value in (fields.body or {}).items():
        patch = Call(200, {field: value}, fields.query).asked("PATCH /api/v1/number", token)
        allowed = scopes.FIELDS["patch_number"][field] == scope
        assert connection.send(patch).status == (200 if allowed else 403), field
    open_ = {name for name in every if needs(document, name) in (scope, scopes.ANY)}
    before = dump(db)
    for name in sorted(every.keys() - open_):
        reply = connection.send(every[name].asked(name, token))
        assert (reply.status, reply.code) == (403, "scope_required"), (name, reply)
        assert reply.json["scope"] == needs(document, name), name
    assert dump(db) == before
    for name in [name for name in every if name in open_]:
        assert connection.send(every[name].asked(name, token)).status == every[name].status, name


def _calls(renter: Renter, token_id: int) -> dict[str, Call]:
    """The renter's requests, with those about tokens changed to what a restricted token may see, and ask for."""
    found = calls(renter)
    found["GET /api/v1/tokens/{token_id}"] = Call(200, path={"token_id": token_id})
    found["POST /api/v1/tokens"] = Call(201, {"label": "child"})
    found["DELETE /api/v1/tokens"] = Call(204, query={"id": token_id})
    return found


@ONE_ENGINE
def test_with_every_scope_only_operations_of_unrestricted_tokens_are_refused(
    db: Database, renter: Renter, connection: Connection, document: dict[str, Any]
) -> None:
    id_, token = restricted(db, renter, *SCOPES)
    replies = ask_all(connection, {n: c for n, c in _calls(renter, id_).items() if n not in PUBLIC}, token)
    refused = {name for name, reply in replies.items() if reply.status == 403}
    assert refused == {name for name in names_of(document) if scopes.UNRESTRICTED in alternatives(document, name)}


@ONE_ENGINE
def test_forwarding_needs_the_scope_send_as_well(db: Database, renter: Renter, connection: Connection) -> None:
    _, hooks = restricted(db, renter, "webhooks")
    query, forward = {"e164": renter.e164}, {"sms_forwarded_to": "+447700900123"}
    refused = connection.ask("PATCH", "/api/v1/number", forward, token=hooks, query=query)
    assert (refused.status, refused.code, refused.json["scope"]) == (403, "scope_required", "send")
    _, both = restricted(db, renter, "webhooks", "send", seed=901)
    assert connection.ask("PATCH", "/api/v1/number", forward, token=both, query=query).status == 200
    nothing: dict[str, Any] = {"sms_forwarded_to": None}
    assert connection.ask("PATCH", "/api/v1/number", nothing, token=hooks, query=query).status == 200


@ONE_ENGINE
def test_a_restricted_token_ends_no_rental_of_others(db: Database, renter: Renter, connection: Connection) -> None:
    _, token = restricted(db, renter, "rent")
    db.write_blocking(lambda tx: tx.run("UPDATE rentals SET token_id = NULL"))
    reply = connection.ask("DELETE", "/api/v1/number", token=token, query={"e164": renter.e164})
    assert (reply.status, reply.code) == (403, "not_its_rental")
    assert connection.ask("GET", "/api/v1/number", token=renter.token, query={"e164": renter.e164}).status == 200


@ONE_ENGINE
def test_the_website_takes_no_restricted_token(db: Database, renter: Renter, url: str) -> None:
    _, token = restricted(db, renter, *SCOPES)
    with Visitor(url) as visitor:
        page = visitor.sign_in(token)
        assert page.status == 403
        assert "unrestricted token" in page.text
    assert db.read_blocking(lambda tx: tx.all("SELECT * FROM web_sessions")) == []
