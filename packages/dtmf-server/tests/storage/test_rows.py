"""Inserting one row, and on SQLite batches of rows, takes different code paths with the same result; ids follow the rows'
order."""

import pytest

from dtmf_server.storage import schema
from dtmf_server.storage.db import Database
from dtmf_server.storage.sqlite.dialect import WRITTEN_AT_ONCE
from harness import START_US, open_account

COLUMNS = ("account_id", "at_us", "kind", "message_id", "data")


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_the_ids_are_returned_in_the_order_of_the_rows(db: Database, count: int) -> None:
    account = open_account(db)
    before = db.read_blocking(lambda tx: tx.all("SELECT id FROM events"))
    rows = [(account, START_US + n, f"kind {n}", None, "{}") for n in range(count)]
    ids = db.write_blocking(lambda tx: tx.insert_returning_ids(schema.events, COLUMNS, rows))
    assert list(ids) == sorted(set(ids))
    stored = db.read_blocking(lambda tx: tx.all("SELECT id, kind FROM events ORDER BY id"))[len(before) :]
    assert [(row["id"], row["kind"]) for row in stored] == [(id_, f"kind {n}") for n, id_ in enumerate(ids)]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("at_us", [0, 1, 2**15, 2**31, 2**62])
@pytest.mark.parametrize("data", ["", "Grüße 👋", "%s %b :name FOR NO KEY UPDATE '\\"])
def test_a_row_is_stored_and_updated_unchanged(db: Database, count: int, at_us: int, data: str) -> None:
    account = open_account(db)
    rows = [(account, at_us, "first", None, data)] * count
    ids = db.write_blocking(lambda tx: tx.insert_returning_ids(schema.events, COLUMNS, rows))
    changes = [(id_, "second", at_us + 1) for id_ in ids]
    db.write_blocking(lambda tx: tx.insert(schema.events, COLUMNS, rows))
    db.write_blocking(lambda tx: tx.update(schema.events, ("id", "kind", "at_us"), changes))
    stored = db.read_blocking(
        lambda tx: tx.all("SELECT at_us, kind, message_id, data FROM events WHERE data = :d", d=data)
    )
    found = sorted((row["kind"], row["at_us"], row["message_id"], row["data"]) for row in stored)
    assert found == [("first", at_us, None, data)] * count + [("second", at_us + 1, None, data)] * count


@pytest.mark.parametrize(
    "count", [1, 2, 3, WRITTEN_AT_ONCE - 1, WRITTEN_AT_ONCE, WRITTEN_AT_ONCE + 1, 3 * WRITTEN_AT_ONCE]
)
def test_each_row_gets_its_own_update(db: Database, count: int) -> None:
    account = open_account(db)
    rows = [(account, START_US + n, "first", None, "{}") for n in range(count + 1)]
    *ids, other = db.write_blocking(lambda tx: tx.insert_returning_ids(schema.events, COLUMNS, rows))
    changes = [(id_, f"second {id_}") for id_ in ids]
    db.write_blocking(lambda tx: tx.update(schema.events, ("id", "kind"), changes))
    stored = db.read_blocking(
        lambda tx: tx.all("SELECT id, kind FROM events WHERE id >= :first ORDER BY id", first=ids[0])
    )
    assert [(row["id"], row["kind"]) for row in stored] == [*changes, (other, "first")]
