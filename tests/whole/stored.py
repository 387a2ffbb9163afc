"""What stands in a service's database, on either engine, read past the service itself."""

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import Any

import psycopg

from whole.driving import FUNDS, PER_MINUTE, PER_SENT, PER_SMS, SETUP, Load, Stored


def read(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows that the statement gives."""
    if url.startswith("postgresql://"):
        with psycopg.connect(url) as connection:
            return connection.execute(statement).fetchall()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(statement).fetchall()


def stored_in(url: str, load: Load) -> Stored:
    """What the database holds, but for what `new_load` did."""
    effects: Counter[tuple[str, Any]] = Counter()
    due: set[tuple[str, str, int]] = set()
    for id_, inbound, content, cost in read(url, "SELECT id, inbound, content, cost FROM messages"):
        effects["receive" if inbound else "send", (id_, content)] += 1
        due.add(("message_received" if inbound else "message_sent", str(id_), PER_SMS if inbound else PER_SENT))
        assert cost == (PER_SMS if inbound else PER_SENT)
    bookings = defaultdict(list)
    for id_, start, end in read(url, "SELECT rental_id, from_minute, to_minute FROM minute_bookings"):
        bookings[id_].append((start, end))
    for id_, e164, end_reason, minutes in read(url, "SELECT id, e164, end_reason, booked_minutes FROM rentals"):
        due.add(("rental_setup", str(id_), SETUP))
        if e164 != load.e164:
            effects["rent", e164] += 1
        if end_reason is not None:
            effects["end", e164] += 1
        due |= {("rental_minutes", f"{id_}:{start}", (end - start) * PER_MINUTE) for start, end in bookings[id_]}
        assert sum(end - start for start, end in bookings[id_]) == minutes
    for txid, vout, amount in read(url, "SELECT txid, vout, amount FROM deposits"):
        due.add(("deposit", f"{txid}:{vout}:0", amount))
        if amount != FUNDS:
            effects["deposit", txid] += 1
    for (address,) in read(url, "SELECT address FROM addresses"):
        if address != load.address:
            effects["address", address] += 1
    return Stored(effects, read(url, "SELECT kind, ref, amount FROM transfers"), due)


def ledger_sum(url: str) -> int:
    """What customers have by their balances, and the system's accounts by the transfers: together nothing."""
    ((customers,),) = read(url, "SELECT sum(balance) FROM accounts")
    ((system,),) = read(
        url,
        "SELECT coalesce(sum(CASE WHEN t.credit = a.id THEN t.amount ELSE -t.amount END), 0)"
        " FROM accounts a JOIN transfers t ON a.id IN (t.debit, t.credit) WHERE a.kind = 'system'",
    )
    return int(customers + system)
