"""The tables reject invalid states, regardless of what the application code does."""

import re
import sqlite3

import psycopg
import pytest
from sqlalchemy import CheckConstraint, Table, UniqueConstraint

from dtmf_server.core import inbound
from dtmf_server.core.deposit_rules import Block, ChainStep, Output
from dtmf_server.operations import audit, deposit, meter, receive, rent, send, verify
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import rental_prices, schema
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.rental_prices import RentalPrice
from harness import DAY_US, MINUTE_US, START_US, open_account
from money.constraint_cases import CHANGES_OF_THE_BOOKS, CHANGES_ON, WRONG_STATES
from money.lightning_constraint_cases import LIGHTNING_STATES

GUARDED = (
    schema.accounts,
    schema.transfers,
    schema.minute_bookings,
    schema.rentals,
    schema.messages,
    schema.deposits,
    schema.groups,
    schema.destinations,
    schema.tokens,
    schema.rental_refunds,
    schema.refund_totals,
    schema.lightning_nodes,
    schema.lightning_invoices,
    schema.operator_refunds,
    schema.rental_prices,
)
EVERY_STATE = WRONG_STATES + LIGHTNING_STATES
Refused = (sqlite3.IntegrityError, psycopg.IntegrityError, psycopg.errors.RaiseException)


@pytest.fixture
def names(db: Database) -> dict[str, object]:
    """Set up a service with some history; return the parameters of the test statements."""
    account_id = open_account(db)
    at = {"now_us": START_US}

    def happen(tx: Tx) -> dict[str, object]:
        deposit.new_address(tx, account_id, derive=lambda _: ("address", b"script"), now_us=START_US)
        block = Block(1, "block", "", [Output("txid", 0, b"script", 100_000)])
        deposit.follow(tx, ChainStep(0, [block], None), depths=((0, 1),), **at)
        rental = rent.start(tx, account_id, "us-mobile", **at, cooldown_us=DAY_US)
        later = {"now_us": START_US + 3 * MINUTE_US}
        with open_ledger(tx, [account_id], **later) as ledger:
            ledger.deposit(account_id, 10, unique_ref="credited", reference="")
        meter.share_out(tx, now_us=START_US + 2 * DAY_US)
        (message_id,) = receive.receive_many(tx, [inbound.InboundMessage(rental["e164"], "+1", "hello")], **later)
        sent = send.send(
            tx, account_id, sender=rental["e164"], to="+447700900000", content="hi", daily_limit=None, **later
        )
        rental_prices.add(tx, [RentalPrice(rental["id"], 0, START_US, 13, 705, None, 0, "EUR", "50000")])
        audit.record(tx, audit.By("alice", "a test", START_US), "accounts open", f"account {account_id}")
        known = tx.one("SELECT id FROM deposits")
        assert known is not None
        return {
            "account": account_id,
            "rental": rental["id"],
            "e164": rental["e164"],
            "message": message_id,
            "sent": sent["id"],
            "deposit": known["id"],
            "invoice": _open_invoices(tx, account_id),
        }

    found = db.write_blocking(happen)
    bookings = db.read_blocking(
        lambda tx: tx.all("SELECT from_minute, to_minute FROM minute_bookings ORDER BY from_minute")
    )
    assert [(row["from_minute"], row["to_minute"]) for row in bookings] == [(0, 1), (1, 4)]
    return found


def _open_invoices(tx: Tx, account_id: int) -> int:
    """Add a node and two open invoices. Return the ID of the first one."""
    tx.run("INSERT INTO lightning_nodes (identity, backend) VALUES ('node', 'simulator')")
    for name in ("one", "two"):
        tx.run(
            "INSERT INTO lightning_invoices (account_id, external_id, payment_hash, bolt11, description, created_at_us,"
            " created_wall_us, expires_at_us, state, is_newcomer)"
            " VALUES (:account_id, :name, :name, :name, '', 0, 0, 1, 'open', :no)",
            account_id=account_id,
            name=name,
            no=False,
        )
    first = tx.one("SELECT id FROM lightning_invoices WHERE external_id = 'one'")
    assert first is not None
    return int(first["id"])


def complaint(db: Database, statement: str, names: dict[str, object]) -> str:
    """Return the database's error message for a rejected statement."""
    used = {name: names[name] for name in re.findall(r":([a-z0-9]+)", statement)}
    with pytest.raises(Refused) as refused:
        db.write_blocking(lambda tx: tx.run(statement, **used))
    return str(refused.value)


def named_by(constraint: str, engine: str) -> str:
    """Return the text by which the engine names a violated constraint. SQLite names only columns, or not even those."""
    if engine == "postgresql" or constraint.startswith("ck_"):
        return constraint
    if constraint.startswith("fk_"):
        return "FOREIGN KEY constraint failed"
    return f"UNIQUE constraint failed: {COLUMNS[constraint]}"


def _columns(table: Table) -> dict[str, str]:
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    indexes = [index for index in table.indexes if index.unique]
    return {
        str(each.name): ", ".join(f"{table.name}.{column.name}" for column in each.columns)
        for each in [*unique, *indexes, table.primary_key]
    }


COLUMNS = {name: columns for table in GUARDED for name, columns in _columns(table).items()}


def test_every_invalid_state_is_rejected_by_its_constraint(db: Database, names: dict[str, object]) -> None:
    for constraint, wrong, statement in EVERY_STATE:
        said = complaint(db, statement, names)
        assert named_by(constraint, db.dialect.name) in said, f"{wrong}: rejected, but by another constraint: {said}"
    assert db.read_blocking(verify.differences) == []


def test_every_money_constraint_is_tested_with_an_invalid_state() -> None:
    guards = {
        str(constraint.name)
        for table in GUARDED
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint | UniqueConstraint)
    } | {str(index.name) for table in GUARDED for index in table.indexes if index.unique}
    assert guards - {constraint for constraint, _, _ in EVERY_STATE} == set()


def test_the_books_can_only_be_appended_to(db: Database, names: dict[str, object]) -> None:
    everything = "SELECT count(*) AS n, sum(amount) AS sats, max(ref) AS ref FROM transfers"
    before = dict(db.read_blocking(lambda tx: tx.one(everything)))
    for table, statement in CHANGES_OF_THE_BOOKS + CHANGES_ON[db.dialect.name]:
        said = complaint(db, statement, names)
        assert f"{table} is append-only" in said, f"{statement}: rejected, but for another reason: {said}"
    assert dict(db.read_blocking(lambda tx: tx.one(everything))) == before
    assert db.read_blocking(verify.differences) == []


def test_a_valid_transfer_and_a_valid_booking_are_accepted(db: Database, names: dict[str, object]) -> None:
    """Without this, every rejection above could have an unrelated cause."""

    def continue_the_chain(tx: Tx) -> int:
        tx.run(
            "INSERT INTO transfers (at_us, kind, ref, debit, credit, amount, account_id, balance, reference)"
            " VALUES (0, 'rental_minutes', 'more', :account, 2, 13, :account, 0, '')",
            account=names["account"],
        )
        return tx.run(
            "INSERT INTO minute_bookings (rental_id, from_minute, to_minute, after_minute, transfer_id)"
            " VALUES (:rental, 4, 5, 4, (SELECT max(id) FROM transfers))",
            rental=names["rental"],
        )

    assert db.write_blocking(continue_the_chain) == 1


def test_the_same_deposit_is_never_credited_twice(db: Database, names: dict[str, object]) -> None:
    """Even if a row were reset by hand, the books would still reject the second credit."""
    db.write_blocking(
        lambda tx: tx.run(
            "UPDATE deposits SET status = 'pending', alternations = 0 WHERE id = :id", id=names["deposit"]
        )
    )
    with pytest.raises(Refused):
        step = ChainStep(1, [], None)
        db.write_blocking(lambda tx: deposit.follow(tx, step, depths=((0, 1),), now_us=START_US))


def test_a_rejected_write_leaves_the_account_unchanged(db: Database, names: dict[str, object]) -> None:
    """A bug that would make a balance negative rolls back the whole operation, including its minutes and events."""
    before = db.read_blocking(lambda tx: [dict(row) for row in tx.all("SELECT * FROM accounts ORDER BY id")])

    def overspend(tx: Tx) -> None:
        meter.sweep(tx, now_us=START_US + 2 * DAY_US)
        tx.run("UPDATE accounts SET balance = balance - 1000000 WHERE id = :account", account=names["account"])

    with pytest.raises(Refused, match="ck_accounts_balance"):
        db.write_blocking(overspend)
    assert db.read_blocking(lambda tx: [dict(row) for row in tx.all("SELECT * FROM accounts ORDER BY id")]) == before
    assert db.read_blocking(verify.differences) == []
