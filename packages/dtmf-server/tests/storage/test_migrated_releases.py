"""The migration to storing when a number was released: a fact, replacing the end of its cooldown."""

from contextlib import closing
from pathlib import Path

import pytest

from dtmf_server.storage import migrate
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database
from harness import DAY_US

from .test_migrated_rows import ROWS, insert
from .test_migrations import empty_database


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_number_was_released_when_its_last_rental_ended(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with empty_database(engine, tmp_path, request) as url:
        migrate.upgrade(url, "0014")
        with closing(open_database(url)) as db:
            db.write_blocking(rented_twice)
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            rows = db.read_blocking(lambda tx: tx.all("SELECT e164, released_at_us FROM numbers ORDER BY e164"))
            service = db.read_blocking(lambda tx: tx.one("SELECT * FROM service"))
    assert [(row["e164"], row["released_at_us"]) for row in rows] == [("+12025550100", 500), ("+12025550101", 0)]
    assert service is not None and service["unrouted_messages"] == 7


def rented_twice(tx: Tx) -> None:
    """Store a number whose second rental ended at 500, cooling down for a day, and another that was never rented."""
    group, rental = ROWS["groups"], ROWS["rentals"]
    assert isinstance(group, dict) and isinstance(rental, dict)
    insert(tx, "service", {"id": 1, "mode": "sandbox", "created_at_us": 0, "webhook_key": b"k", "stray_messages": 7})
    insert(
        tx,
        "accounts",
        {"id": 1000, "kind": "customer", "created_at_us": 0, "settled_at_us": 0, "debt": 0, "balance": 0},
    )
    insert(tx, "groups", group)
    for e164, until_us in (("+12025550100", 500 + DAY_US), ("+12025550101", 0)):
        insert(tx, "numbers", {"e164": e164, "group_id": "g", "rented": False, "rests_until_us": until_us})
    for id_, ended_us in ((1, 300), (2, 500)):
        insert(tx, "rentals", {**rental, "id": id_, "ended_at_us": ended_us, "end_reason": "renter"})
