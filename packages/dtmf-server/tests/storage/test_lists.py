"""Rows given by a list of keys are looked up individually through an index: checked in the query plan, not by timing."""

import re
from collections.abc import Callable

import pytest

from dtmf_server.storage import events, message_parts, numbers, rental_owners
from dtmf_server.storage.db import Database, Tx
from support.webhook_steps import plan_of

# The table, its index on PostgreSQL and on SQLite, and the query; with integer and text keys.
LOOKUPS: list[tuple[str, str, str, Callable[[Tx], object]]] = [
    ("events", "pk_events", "INTEGER PRIMARY KEY", lambda tx: events.by_ids(tx, [1, 2])),
    ("parts", "pk_parts", "INTEGER PRIMARY KEY", lambda tx: message_parts.remove(tx, [1, 2])),
    ("numbers", "pk_numbers", "sqlite_autoindex_numbers_1", lambda tx: numbers.groups_of(tx, ["+1", "+2"])),
    ("r", "uq_rentals_live_e164", "uq_rentals_live_e164", lambda tx: rental_owners.live_by_numbers(tx, ["+1", "+2"])),
]


@pytest.mark.parametrize(("table", "on_postgresql", "on_sqlite", "ask"), LOOKUPS)
def test_a_list_is_looked_up_by_an_index(
    db: Database, table: str, on_postgresql: str, on_sqlite: str, ask: Callable[[Tx], object]
) -> None:
    if table == "r" and db.dialect.name != "sqlite":  # an index of an empty table costs as much as any other
        db.write_blocking(lambda tx: tx.run("DROP INDEX ix_rentals_live_account"))
    plan = plan_of(db, ask)
    if db.dialect.name == "sqlite":
        assert re.search(rf"SEARCH {table} USING (COVERING )?(INDEX )?{on_sqlite} ", plan), plan
    else:
        assert re.search(rf"Scan (using|on) {on_postgresql}\b", plan) and "= ANY" in plan, plan
    assert f"SCAN {table}'" not in plan and f"Seq Scan on {table}" not in plan
