"""Rows from before a migration are preserved by it, and the service continues from them."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.operations import account, doubt, meter, verify
from dtmf_server.storage import idempotency, migrate
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.open import open_database

from .test_migrations import empty_database

DAY_US = 24 * 3_600_000_000
OUTPOINT = {"txid": "ab" * 32, "vout": 1, "amount": 5000}

# One of everything that 0002 changes, as stored by 0001: a paid rental that runs out in half a day, an SMS, its
# delivery that failed once, a test delivery that was parked, a deposit, and their events.
ROWS = {
    "accounts": {
        "id": 1000,
        "kind": "customer",
        "created_at_us": 0,
        "settled_at_us": 0,
        "balance": 0,
        "debt": 0,
        "depletes_at_us": DAY_US // 2,
        "low_balance_warnings": 0,
        "webhook_version": 1,
    },
    "groups": {
        "id": "g",
        "position": 1,
        "type": "mobile",
        "name": "G",
        "country_code": "xx",
        "sms_support": True,
        "voice_support": False,
        "setup_cost": 0,
        "rental_cost_per_minute": 0,
        "cost_per_inbound_message": 0,
    },
    "numbers": {"e164": "+12025550100", "group_id": "g", "rented": True, "rests_until_us": 0},
    "rentals": {
        "id": 7,
        "account_id": 1000,
        "e164": "+12025550100",
        "group_id": "g",
        "sms": True,
        "setup_cost": 0,
        "cost_per_minute": 0,
        "started_at_us": 0,
        "booked_minutes": 1,
    },
    "messages": {
        "id": 3,
        "account_id": 1000,
        "rental_id": 7,
        "inbound": True,
        "sender": "+1234",
        "recipient": "+12025550100",
        "content": "x",
        "at_us": 0,
        "status": "received",
        "cost": 0,
        "segments": 1,
    },
    "deliveries": [
        {
            "id": 5,
            "account_id": 1000,
            "rental_id": 7,
            "message_id": 3,
            "kind": "webhook",
            "state": "waiting",
            "destination": "https://example.org/",
            "created_at_us": 0,
            "attempts": 1,
            "first_attempt_us": 1,
            "due_at_us": 2,
            "last_status": 500,
            "reason": "failed",
        },
        {
            "id": 9,
            "account_id": 1000,
            "rental_id": 7,
            "message_id": None,
            "kind": "test",
            "state": "parked",
            "destination": "https://example.org/",
            "created_at_us": 0,
            "attempts": 1,
            "first_attempt_us": 1,
            "due_at_us": 2,
            "last_status": 500,
            "reason": "failed",
            "finished_at_us": 3,
        },
    ],
    "attempts": {"delivery_id": 5, "attempt": 1, "at_us": 1, "duration_us": 1, "status": 500, "reason": "failed"},
    "addresses": {
        "id": 2,
        "account_id": 1000,
        "descriptor_index": 2,
        "address": "bcrt1q",
        "script_pubkey": b"\x00",
        "created_at_us": 0,
        "used": True,
    },
    "deposits": {
        "id": 4,
        "txid": OUTPOINT["txid"],
        "vout": 1,
        "account_id": 1000,
        "address_id": 2,
        "amount": 5000,
        "seen_at_us": 0,
        "height": None,
        "status": "pending",
        "alternations": 0,
    },
    "events": [
        {"id": 11, "account_id": 1000, "at_us": 0, "kind": "message", "message_id": 3, "data": "{}"},
        {"id": 12, "account_id": 1000, "at_us": 0, "kind": "deposit.seen", "data": json.dumps(OUTPOINT)},
    ],
}


RENAMED = {"rests_until_us": "released_at_us"}


def fill(tx: Tx) -> None:
    """Insert the rows."""
    for table, rows in ROWS.items():
        for row in rows if isinstance(rows, list) else [rows]:
            insert(tx, table, row)


def found(tx: Tx) -> dict[str, list[dict[str, Any]]]:
    """Return the original columns of the rows, as they are now."""
    shown = {}
    for table, rows in ROWS.items():
        columns = list((rows[0] if isinstance(rows, list) else rows).keys())
        condition = " WHERE id >= 1000" if table == "accounts" else ""
        ordered = tx.all(f"SELECT * FROM {table}{condition} ORDER BY {columns[0]}")
        shown[table] = [{name: _plain(_value(row, name)) for name in columns} for row in ordered]
    return shown


def _value(row: Row, name: str) -> object:
    return row[name] if name in row.keys() else row[RENAMED[name]]  # noqa: SIM118 - `in` looks at a row's values


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_rows_of_the_first_release_are_preserved(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with empty_database(engine, tmp_path, request) as url:
        migrate.upgrade(url, "0001")
        with closing(open_database(url)) as db:
            db.write_blocking(fill)
            before = db.read_blocking(found)
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            after = db.read_blocking(found)
            seen = json.loads(after["events"][1].pop("data"))
            assert seen == {**json.loads(before["events"][1].pop("data")), "address": "bcrt1q"}
            assert after == before
            new = {"rental_id": 7, "kind": "test", "state": "waiting", "destination": "x", "created_at_us": 0}
            insert = (
                "INSERT INTO deliveries (account_id, rental_id, kind, state, destination, created_at_us, due_at_us)"
            )
            insert += " VALUES (1000, :rental_id, :kind, :state, :destination, :created_at_us, 0) RETURNING id"
            if engine == "sqlite":  # PostgreSQL's ids come from a sequence, which rows inserted with ids do not advance
                row = db.write_blocking(lambda tx: tx.one(insert, **new))
                assert row is not None and row["id"] == 10, "no id is used twice"


def test_an_account_due_for_a_warning_before_the_migration_is_warned_after_it(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with empty_database("sqlite", tmp_path, request) as url:
        migrate.upgrade(url, "0001")
        with closing(open_database(url)) as db:
            db.write_blocking(fill)
            priced = "UPDATE rentals SET cost_per_minute = 1, booked_minutes = 1"
            db.write_blocking(lambda tx: tx.run(priced))
            db.write_blocking(lambda tx: tx.run("UPDATE accounts SET balance = 719 WHERE id = 1000"))
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            assert db.write_blocking(lambda tx: meter.sweep(tx, now_us=0)) == 1
            assert db.write_blocking(lambda tx: meter.sweep(tx, now_us=0)) == 0
            rows = db.read_blocking(lambda tx: tx.all("SELECT data FROM events WHERE kind = 'balance.low'"))
            assert [json.loads(row["data"])["hours"] for row in rows] == [24]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_sms_that_was_being_submitted_before_the_migration_is_in_doubt_after_it(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """If leased when the old process ended, or unanswered, a carrier may have it. If refused, it stays queued."""
    messages = [
        {**ROWS["messages"], "id": id_, "inbound": False, "status": "queued", "segments": 1} for id_ in (20, 21, 22)
    ]
    lease, silent, busy = (30, None), (None, "the carrier did not answer"), (None, "the carrier is busy")
    deliveries = [
        {
            **ROWS["deliveries"][0],
            "id": 20 + n,
            "message_id": 20 + n,
            "kind": "send",
            "leased_until_us": leased_until_us,
            "reason": reason,
        }
        for n, (leased_until_us, reason) in enumerate((lease, silent, busy))
    ]
    taken = [
        {"id": id_, "carrier": "london", "ref": ref, "message_id": 20, "delivered": False, "taken_wall_us": 1}
        for id_, ref in ((1, "a"), (2, "b"))
    ]
    with empty_database(engine, tmp_path, request) as url:
        migrate.upgrade(url, "0008")
        with closing(open_database(url)) as db:
            db.write_blocking(fill)
            for table, rows in (("messages", messages), ("deliveries", deliveries), ("submissions", taken)):
                for row in rows:
                    columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
                    insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
                    db.write_blocking(lambda tx, insert=insert, row=row: tx.run(insert, **row))
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            found = db.read_blocking(lambda tx: tx.all("SELECT segment, total, ref FROM submissions ORDER BY segment"))
            assert [(row["segment"], row["total"], row["ref"]) for row in found] == [(1, 2, "a"), (2, 2, "b")]
            terms = {"now_us": 100, "wall_us": 100}
            assert db.write_blocking(lambda tx: doubt.abandon(tx, **terms)) == 2
            rows = db.read_blocking(lambda tx: tx.all("SELECT status FROM messages WHERE id >= 20 ORDER BY id"))
            assert [row["status"] for row in rows] == ["in_doubt", "in_doubt", "queued"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_answers_remembered_before_the_migration_lose_their_texts_with_the_rental(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    answers = {
        "sent": b'{"id":3,"e164":"+12025550100","content":"canary"}',
        "retried": b'{"id":5,"state":"waiting","attempts":[{"reply":"canary"}]}',
        "page": b"/messages?done=canary",
        "other": b'{"e164":"+12025550100","messages":[]}',
        "none": None,
    }
    with empty_database(engine, tmp_path, request) as url:
        migrate.upgrade(url, "0001")
        with closing(open_database(url)) as db:
            db.write_blocking(fill)
        migrate.upgrade(url, "0008")
        insert = (
            "INSERT INTO idempotency (account_id, key, fingerprint, created_wall_us, status, body, secret)"
            " VALUES (1000, :key, :body, 0, 201, :body, :secret)"
        )
        with closing(open_database(url)) as db:
            for key, body in answers.items():
                db.write_blocking(
                    lambda tx, key=key, body=body: tx.run(insert, key=key, body=body or b"", secret=body is None)
                )
            db.write_blocking(lambda tx: tx.run("UPDATE idempotency SET body = NULL WHERE key = 'none'"))
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            db.write_blocking(lambda tx: idempotency.erase_texts(tx, [7]))
            rows = db.read_blocking(lambda tx: tx.all("SELECT key, body FROM idempotency"))
    left = {row["key"]: row["body"] and bytes(row["body"]) for row in rows}
    assert left == answers | {
        "sent": b'{"id":3,"e164":"+12025550100","content":null}',
        "retried": b'{"id":5,"state":"waiting","attempts":[{"reply":null}]}',
    }


MINUTE_US = 60_000_000
# Two accounts booked up to minute 3: one with three rentals at different phases of the minute, two of them equal, and
# a free one; and one account without rentals.
LIVE = [(7, 1000, 13, 0), (8, 1000, 11, 20_000_003), (9, 1000, 5, 20_000_003), (10, 1000, 0, 59_999_999)]
SETTLED_US = 3 * MINUTE_US + 20_000_003


def fill_with_live_rentals(tx: Tx) -> None:
    """Insert what the version before 0010 stored: one transfer per rental, and its minutes."""
    group = {**ROWS["groups"], "id": "live"}
    tx.run(f"INSERT INTO groups ({', '.join(group)}) VALUES ({', '.join(f':{name}' for name in group)})", **group)
    booked = {id_: (SETTLED_US - start_us) // MINUTE_US + 1 for id_, _, _, start_us in LIVE}
    balance = 1000
    paid = sum(booked[id_] * cost for id_, _, cost, _ in LIVE)
    for account_id, left in ((1000, balance), (1001, 0)):
        tx.run(
            "INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt, depletes_at_us)"
            " VALUES (:id, 'customer', 0, :settled_us, :left, 0, :depletes_us)",
            id=account_id,
            left=left,
            settled_us=SETTLED_US,
            # 34 rounds of 29 cost 986; of the 14 left, the 13 at the next full minute are paid, the 11 after it are not.
            depletes_us=(3 + 34 + 1) * MINUTE_US + 20_000_003 if left else None,
        )
    transfer = (
        "INSERT INTO transfers (id, at_us, kind, ref, debit, credit, amount, account_id, balance, reference)"
        " VALUES (:id, 0, :kind, :ref, :debit, :credit, :amount, 1000, :balance, '')"
    )
    left = balance + paid
    tx.run(transfer, id=1, kind="deposit", ref="d", debit=1, credit=1000, amount=left, balance=left)
    for id_, account_id, cost, start_us in LIVE:
        e164 = f"+1202555{id_:04}"
        tx.run(
            "INSERT INTO numbers (e164, group_id, rented, rests_until_us) VALUES (:e, 'live', :t, 0)", e=e164, t=True
        )
        tx.run(
            "INSERT INTO rentals (id, account_id, e164, group_id, sms, setup_cost, cost_per_minute, started_at_us,"
            " booked_minutes) VALUES (:id, :account_id, :e164, 'live', :yes, 0, :cost, :start_us, :booked)",
            id=id_,
            account_id=account_id,
            e164=e164,
            yes=True,
            cost=cost,
            start_us=start_us,
            booked=booked[id_],
        )
        if cost:
            amount = booked[id_] * cost
            left -= amount
            paid_by = {"id": id_, "kind": "rental_minutes", "ref": f"{id_}:0", "debit": 1000, "credit": 2}
            tx.run(transfer, amount=amount, balance=left, **paid_by)
            tx.run(
                "INSERT INTO minute_bookings (rental_id, from_minute, to_minute, transfer_id) VALUES (:id, 0, :to, :id)",
                id=id_,
                to=booked[id_],
            )


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_live_rentals_from_before_migration_0010_are_billed_exactly(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with empty_database(engine, tmp_path, request) as url:
        migrate.upgrade(url, "0008")
        with closing(open_database(url)) as db:
            db.write_blocking(fill_with_live_rentals)
        migrate.upgrade(url)
        with closing(open_database(url)) as db:
            if engine == "postgresql":
                db.write_blocking(lambda tx: tx.all("SELECT setval('transfers_id_seq', 100)"))
            assert db.read_blocking(verify.differences) == []
            runs_out_us = (3 + 34 + 1) * MINUTE_US + 20_000_003
            assert db.read_blocking(lambda tx: account.usage(tx, 1000, now_us=SETTLED_US)) == account.Usage(
                1000, 29, runs_out_us, 0
            )
            assert db.read_blocking(lambda tx: account.balance(tx, 1000, now_us=runs_out_us - 1)) == 1000 - 34 * 29 - 13
            while db.write_blocking(lambda tx: meter.sweep(tx, now_us=runs_out_us + 2 * DAY_US)):
                pass
            rows = db.read_blocking(lambda tx: tx.all("SELECT id, ended_at_us FROM rentals ORDER BY id"))
            assert [row["id"] for row in rows if row["ended_at_us"] is None] == [10]
            assert rows[1]["ended_at_us"] == runs_out_us
            assert db.read_blocking(verify.differences) == []


def insert(tx: Tx, table: str, row: dict[str, Any]) -> None:
    """Insert a row."""
    tx.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", **row)
