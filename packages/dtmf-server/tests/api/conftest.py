"""Fixtures of the API's tests: renters that live here, and a connection to the service."""

from collections.abc import Iterator
from typing import Any

import pytest

from dtmf_server.storage.db import Database
from support.connection import Connection

from .operations import Renter, move_in


@pytest.fixture
def renter(db: Database) -> Renter:
    """An account that has one of everything."""
    return move_in(db, seed=1)


@pytest.fixture
def other(db: Database) -> Renter:
    """Another one."""
    return move_in(db, seed=2)


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection to the service."""
    with Connection(url) as opened:
        yield opened


@pytest.fixture
def document(connection: Connection) -> dict[str, Any]:
    """The service's OpenAPI document."""
    found: dict[str, Any] = connection.ask("GET", "/schema/openapi.json").json
    return found
