"""Bad input gets problem details that name the field and the fix, and nothing is stored."""

import os
import re
from typing import Any

from dtmf_server.storage.db import Database
from support.connection import Asked, Connection, Reply

from .invalid_requests import requests
from .invalid_values import BODY, QUERY
from .operations import ONE_ENGINE, Renter, body_schema_of, calls, dump, names_of, operation_of

SEED = int(os.environ.get("DTMF_TEST_SEED", "15"))
COUNT = int(os.environ.get("DTMF_TEST_MALFORMED", "2000"))
PROBLEM = {"type": str, "title": str, "status": int, "detail": str, "code": str, "request_id": str}
# Implementation details that an error must not contain.
JARGON = re.compile(
    r"`|Expected|Object contains|msgspec|[Ll]itestar|Traceback|Exception|\bstr\b|\bint\b|codec|NoneType"
)


def complaint(asked: Asked, reply: Reply) -> str | None:
    """Return what is wrong with the response to a malformed request; None if nothing is."""
    if not 400 <= reply.status < 500 or reply.headers.get("content-type") != "application/problem+json":
        return f"answered {reply.status}, {reply.headers.get('content-type')}"
    problem = reply.json
    if any(type(problem.get(key)) is not kind or problem[key] == "" for key, kind in PROBLEM.items()):
        return "lacks a member of a problem"
    if problem["status"] != reply.status or problem["request_id"] != reply.headers.get("x-request-id"):
        return "contradicts its own status line or headers"
    if asked.field is not None and str(problem.get("field")).partition("[")[0] != asked.field:
        return f"names {problem.get('field')} and not {asked.field}"
    if JARGON.search(problem["detail"]):
        return "speaks the programmer's language"
    return None


def test_every_malformed_request_is_refused_clearly_and_stores_nothing(
    db: Database, renter: Renter, connection: Connection, document: dict[str, Any]
) -> None:
    before = dump(db)
    faults = []
    asked_for = 0
    for asked in requests(document, renter, seed=SEED, count=COUNT):
        reply = connection.send(asked)
        asked_for += 1
        if wrong := complaint(asked, reply):
            faults.append(f"{asked}\n    {wrong}: {reply.status} {reply.body[:400]!r}")
    print(f"{asked_for} malformed requests with seed {SEED}: {len(faults)} answered badly")
    assert not faults, f"seed {SEED}: {len(faults)} of {asked_for}\n" + "\n".join(faults[:20])
    assert asked_for == COUNT
    assert dump(db) == before


@ONE_ENGINE
def test_every_field_and_parameter_of_the_document_has_malformed_values(
    renter: Renter, document: dict[str, Any]
) -> None:
    assert names_of(document) == set(calls(renter))
    for name in names_of(document):
        parameters = operation_of(document, name).get("parameters", [])
        assert {each["name"] for each in parameters if each["in"] == "query"} <= set(QUERY)
        assert set(body_schema_of(document, name).get("properties", {})) <= set(BODY)


def test_the_requests_these_were_made_from_work(renter: Renter, connection: Connection) -> None:
    for name, call in calls(renter).items():
        reply = connection.send(call.asked(name, renter.token))
        assert reply.status == call.status, (name, reply)


@ONE_ENGINE
def test_a_head_without_end_is_refused_before_it_ends(connection: Connection) -> None:
    reply = connection.send(Endless("GET", b"/healthz"))
    assert (reply.status, reply.code) == (431, "head_too_large")
    assert reply.headers["connection"] == "close"
    assert connection.ask("GET", "/healthz").status == 200


class Endless(Asked):
    """A request whose one header goes on and on."""

    def to_bytes(self) -> bytes:
        """As much of it as the service has to be sent before it can be sure."""
        return b"GET /healthz HTTP/1.1\r\nX-Endless: " + b"x" * 1_000_000
