"""What tests of deliveries do and look at: numbers that cost nothing, the outbox's rows, the account's events."""

from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.storage.db import Database

ELSEWHERE = "+447911000000"
# For tests in whose outcome the engine has no part: once is enough.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def rent(dtmf: DTMF, action: Any = None, destination: str | None = None) -> str:
    """A number that costs nothing by the minute, so that only what a test is about costs something."""
    e164 = dtmf.start_rental("free")["e164"]
    dtmf.set_sms_action(e164, action, destination)
    return e164


def settle(dtmf: DTMF) -> None:
    """Returns once nothing is due and nothing is under way."""
    dtmf.sandbox.advance(0)


def deliveries(db: Database) -> list[Any]:
    """Every delivery, oldest first."""
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all("SELECT * FROM deliveries ORDER BY id")])


def states(db: Database) -> list[str]:
    """The state of every delivery, oldest first."""
    return [row["state"] for row in deliveries(db)]


def events(db: Database, kind: str) -> list[Any]:
    """Every event of a kind, oldest first."""
    statement = "SELECT * FROM events WHERE kind = :kind ORDER BY id"
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all(statement, kind=kind)])
