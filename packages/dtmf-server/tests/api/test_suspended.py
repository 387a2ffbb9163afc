"""Every operation of the OpenAPI document for a suspended account works only where the table says so."""

from typing import Any

import pytest

from dtmf import DTMF, PermissionDeniedError
from dtmf_server.api import scopes
from dtmf_server.operations import suspend, verify_suspended
from dtmf_server.storage.db import Database
from harness import START_US
from support.connection import Connection

from .operations import ONE_ENGINE, PUBLIC, Renter, calls, dump, names_of, operation_of


@pytest.fixture
def suspended(db: Database, renter: Renter) -> Renter:
    """A renter whose account the operator has suspended."""
    db.write_blocking(lambda tx: suspend.suspend(tx, renter.account_id, now_us=START_US))
    return renter


@ONE_ENGINE
def test_a_suspended_account_can_only_do_what_the_table_allows(
    db: Database, suspended: Renter, connection: Connection, document: dict[str, Any]
) -> None:
    every = {name: call for name, call in calls(suspended).items() if name not in PUBLIC}
    assert set(every) == names_of(document) - PUBLIC
    ids = {name: operation_of(document, name)["operationId"] for name in every}
    refused = [name for name in every if not scopes.WHILE_SUSPENDED[ids[name]]]
    assert {ids[name] for name in refused} >= {"post_numbers", "post_message", "patch_number", "post_tokens"}
    before = dump(db)
    for name in refused:
        reply = connection.send(every[name].asked(name, suspended.token))
        assert (reply.status, reply.code) == (403, "account_suspended"), (name, reply)
    assert dump(db) == before
    for name in every.keys() - set(refused):
        assert connection.send(every[name].asked(name, suspended.token)).status == every[name].status, name
    assert db.read_blocking(lambda tx: list(verify_suspended.differences(tx))) == []


def test_the_tables_of_scopes_and_of_suspension_have_the_same_operations() -> None:
    assert set(scopes.WHILE_SUSPENDED) == set(scopes.NEEDS)
    reads = {name for name in scopes.NEEDS if name.startswith("get_")}
    assert {name for name in reads if not scopes.WHILE_SUSPENDED[name]} == set()


@ONE_ENGINE
def test_another_account_is_not_affected(suspended: Renter, other: Renter, connection: Connection) -> None:
    call = calls(other)["POST /api/v1/message"]
    assert connection.send(call.asked("POST /api/v1/message", other.token)).status == 204


@ONE_ENGINE
def test_the_client_names_the_error_and_still_reads(url: str, suspended: Renter) -> None:
    with DTMF(suspended.token, base_url=url) as dtmf:
        assert dtmf.usage()["suspended"] is True
        assert dtmf.numbers()[0]["messages"]
        with pytest.raises(PermissionDeniedError) as refused:
            dtmf.start_rental("us-mobile")
        assert (refused.value.code, "Ask the operator" in str(refused.value)) == ("account_suspended", True)
        dtmf.sandbox.receive(suspended.e164, "+1234", "your code is 493817")
        assert dtmf.wait_for_code(suspended.e164, timeout=5) == "493817"
