"""A client that reads events slowly, or not at all, costs one socket, and not for long."""

import threading
from itertools import islice
from typing import Any

import pytest

from dtmf_server.asgi import protocol
from dtmf_server.http import sse
from dtmf_server.storage import events
from dtmf_server.storage.db import Database
from support.connection import Connection
from support.streaming import EventSource, forgetting

from .operations import Renter
from .test_events import MANY, receive, texts


def test_a_reader_that_takes_nothing_holds_a_page_and_no_transaction(
    url: str, db: Database, renter: Renter, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    page = events.of_account
    enough = threading.Event()

    def noticed(*arguments: Any, **more: Any) -> Any:
        found = page(*arguments, **more)
        read.append(len(found))
        enough.set()
        return found

    monkeypatch.setattr(events, "of_account", noticed)
    for _ in range(12):
        receive(db, renter, *(f"{number:04}" * 400 for number in range(MANY)))  # some 6 MB: no socket takes that
    with EventSource(url, renter.token, takes_bytes=4096) as source:
        assert enough.wait(20)
        with Connection(url) as connection:  # served meanwhile, and written to
            for _ in range(20):
                assert connection.ask("POST", "/api/v1/tokens", {"label": "x"}, token=renter.token).status == 201
        assert max(read) <= sse.PAGE
        assert sum(read) < 12 * MANY
        assert _ends_every_transaction(db)
        arrived = (event for event in source.events() if event["kind"] == "message")
        received = list(islice(arrived, 1 + 12 * MANY))  # their cost brings balance.low in between
    assert texts(received)[1:] == [f"{number:04}" * 400 for number in range(MANY)] * 12


def test_a_reader_that_takes_nothing_for_long_is_hung_up_on(
    url: str, db: Database, renter: Renter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALLED_S", 0.2)
    for _ in range(12):
        receive(db, renter, *(f"{number:04}" * 400 for number in range(MANY)))
    with forgetting(db) as gone, EventSource(url, renter.token, takes_bytes=4096) as source:
        assert gone.wait(20)
        with pytest.raises(OSError):
            list(source.blocks())


def _ends_every_transaction(db: Database) -> bool:
    """Whether there comes a moment with none open; those of the workers last no longer than their statements."""
    return any(not _open_transactions(db) or threading.Event().wait(0.05) for _ in range(400))


def _open_transactions(db: Database) -> int:
    if db.dialect.name == "sqlite":
        return sum(connection.in_transaction for connection in db._read_connections)  # type: ignore[attr-defined]  # SQLite's
    row = db.read_blocking(
        lambda tx: tx.one(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        )
    )
    assert row is not None
    return int(row["n"])
