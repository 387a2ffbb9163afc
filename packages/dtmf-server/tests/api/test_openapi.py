"""The OpenAPI document is correct: requests that schemathesis generates get the documented responses."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from support.connection import Connection

from .operations import AS_LIST, ONE_ENGINE, PUBLIC, Renter, calls, names_of, operation_of

EXAMPLES = int(os.environ.get("DTMF_TEST_EXAMPLES", "3"))  # of good requests for each operation, and of bad ones
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
MODES = [(GenerationMode.POSITIVE, CHECKS), (GenerationMode.NEGATIVE, [*CHECKS, checks.negative_data_rejection])]
deterministically = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
# After these the renter has no token or number any more.
LAST = ["DELETE /api/v1/number", "DELETE /api/v1/tokens"]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """The transport of schemathesis."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def generated(document: dict[str, Any]) -> dict[str, Any]:
    """The operations that schemathesis has read, by name; test_tenants covers tokens."""
    results: list[Any] = list(schemathesis.openapi.from_dict({**document, "security": []}).get_all_operations())
    found = [result.ok() for result in results]
    by_name = {operation.label: operation for operation in found}
    return {name: by_name[name] for name in sorted(by_name, key=lambda name: (name in LAST, name))}


made: dict[tuple[str, GenerationMode], list[Any]] = {}  # the same for every engine: making them takes the time


def cases(operation: Any, mode: GenerationMode) -> list[Any]:
    """Generate requests of an operation."""
    key = (operation.label, mode)
    if key not in made:
        found: list[Any] = []

        @deterministically
        @given(case=operation.as_strategy(generation_mode=mode))
        def collect(case: Any) -> None:
            found.append(case)

        with suppress(Unsatisfiable):  # where there is nothing that could be wrong
            collect()
        made[key] = found
    return made[key]


def test_answers_conform_to_the_document(
    url: str, renter: Renter, document: dict[str, Any], session: requests.Session
) -> None:
    headers = {"Authorization": f"Bearer {renter.token}", **AS_LIST}
    good = calls(renter)
    for name, operation in generated(document).items():
        call = good[name]
        worked = operation.Case(
            query=dict(call.query),
            path_parameters=dict(call.path),
            **({"body": call.body, "media_type": "application/json"} if call.body else {}),
        )
        reply = worked.call(base_url=url, session=session, headers=headers)
        worked.validate_response(reply, checks=CHECKS)
        assert reply.status_code == call.status, (name, reply.text)


def test_whatever_the_document_allows_or_forbids_is_answered_as_it_says(
    url: str, renter: Renter, document: dict[str, Any], session: requests.Session
) -> None:
    headers = {"Authorization": f"Bearer {renter.token}", **AS_LIST}
    sent = 0
    for operation in generated(document).values():
        for mode, expected in MODES:
            for case in cases(operation, mode):
                if case.query and "wait" in case.query:
                    case.query["wait"] = 0
                case.validate_response(case.call(base_url=url, session=session, headers=headers), checks=expected)
                sent += 1
    print(f"{sent} requests made from the document")
    assert sent > EXAMPLES * len(names_of(document)), "schemathesis has made too few to mean anything"


@ONE_ENGINE
def test_every_operation_documents_its_problems_headers_and_tokens(document: dict[str, Any]) -> None:
    assert {name for name in names_of(document) if operation_of(document, name).get("security") == []} == PUBLIC
    assert document["security"] == [{"token": []}]
    for name in names_of(document):
        operation = operation_of(document, name)
        assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}
        assert any(status.startswith("2") for status in operation["responses"])
        keyed = any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", []))
        assert keyed == (name.split(" ")[0] in ("POST", "DELETE")), name
        assert operation["summary"] and operation["description"]
    ids = [operation_of(document, name)["operationId"] for name in names_of(document)]
    assert len(set(ids)) == len(ids)


@ONE_ENGINE
def test_paths_below_schema_that_do_not_exist_are_problems(connection: Connection) -> None:
    for path in ("/schema/x", "/schema/openapi.yaml", "/schema/swagger"):
        assert connection.ask("GET", path).code == "not_found"
