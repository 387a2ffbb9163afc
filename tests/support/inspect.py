"""The content of a service's database on either engine, read without the service."""

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import Any

import psycopg
import pytest

from dtmf import DTMF
from dtmf_server.storage.db import Database
from support.load import FUNDS, PER_MINUTE, PER_SENT, PER_SMS, SETUP, Load, Stored

ELSEWHERE = "+447911000000"
# For tests whose result doesn't depend on the engine: one run is enough.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def read(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    if url.startswith("postgresql://"):
        with psycopg.connect(url) as connection:
            return connection.execute(statement).fetchall()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(statement).fetchall()


def stored_in(url: str, load: Load) -> Stored:
    """Return the content of the database, except for the work of `new_load`."""
    effects: Counter[tuple[str, Any]] = Counter()
    due: set[tuple[str, str, int]] = set()
    for id_, inbound, content, cost in read(url, "SELECT id, inbound, content, cost FROM messages"):
        effects["receive" if inbound else "send", (id_, content)] += 1
        due.add(("message_received" if inbound else "message_sent", str(id_), PER_SMS if inbound else PER_SENT))
        assert cost == (PER_SMS if inbound else PER_SENT)
    bookings = defaultdict(list)
    for id_, start, end in read(url, "SELECT rental_id, from_minute, to_minute FROM minute_bookings"):
        bookings[id_].append((start, end))
    further = 0  # minutes after the first of each rental, charged as one sum
    live = "(a.settled_at_us - r.started_at_us) / 60000000 + 1"
    for id_, e164, end_reason, minutes, accrued in read(
        url,
        f"SELECT r.id, r.e164, r.end_reason, r.booked_minutes, {live} FROM rentals r JOIN accounts a ON a.id = r.account_id",
    ):
        due.add(("rental_setup", str(id_), SETUP))
        if e164 != load.e164:
            effects["rent", e164] += 1
        if end_reason is not None:
            effects["end", e164] += 1
        due.add(("rental_minutes", f"{id_}:0", PER_MINUTE))
        further += (minutes if end_reason is not None else accrued) - 1
        assert sum(end - start for start, end in bookings[id_]) == minutes
    for txid, vout, amount in read(url, "SELECT txid, vout, amount FROM deposits"):
        due.add(("deposit", f"{txid}:{vout}:0", amount))
        if amount != FUNDS:
            effects["deposit", txid] += 1
    for (address,) in read(url, "SELECT address FROM addresses"):
        if address != load.address:
            effects["address", address] += 1
    charges = read(url, "SELECT kind, ref, amount FROM transfers")
    sums = [charge for charge in charges if charge[1].startswith("account ")]
    if further or sums:
        due.add(("rental_minutes", "all further ones", further * PER_MINUTE))
        charges = [charge for charge in charges if charge not in sums]
        charges.append(("rental_minutes", "all further ones", sum(amount for _, _, amount in sums)))
    return Stored(effects, charges, due)


def ledger_sum(url: str) -> int:
    """Return the sum of the customers' balances and of the system accounts' transfers. It must be 0."""
    ((customers,),) = read(url, "SELECT sum(balance) FROM accounts")
    ((system,),) = read(
        url,
        "SELECT coalesce(sum(CASE WHEN t.credit = a.id THEN t.amount ELSE -t.amount END), 0)"
        " FROM accounts a JOIN transfers t ON a.id IN (t.debit, t.credit) WHERE a.kind = 'system'",
    )
    return int(customers + system)


# --- deliveries: numbers that cost nothing, the outbox's rows, the account's events ---------------------------------


def rent(dtmf: DTMF, action: Any = None, destination: str | None = None) -> str:
    """A number that costs nothing per minute, so that only the subject of the test costs something."""
    e164 = dtmf.start_rental("free")["e164"]
    dtmf.set_sms_action(e164, action, destination)
    return e164


def settle(dtmf: DTMF) -> None:
    """Wait until no work is due or in progress."""
    dtmf.sandbox.advance(0)


def deliveries(db: Database) -> list[Any]:
    """Return every delivery, oldest first."""
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all("SELECT * FROM deliveries ORDER BY id")])


def states(db: Database) -> list[str]:
    """Return the state of every delivery, oldest first."""
    return [row["state"] for row in deliveries(db)]


def events(db: Database, kind: str) -> list[Any]:
    """Return every event of a kind, oldest first."""
    statement = "SELECT * FROM events WHERE kind = :kind ORDER BY id"
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all(statement, kind=kind)])
