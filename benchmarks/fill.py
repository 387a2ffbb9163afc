"""Databases full of accounts and live rentals, written in bulk. Their ledgers pass
`dtmf-server verify`."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.databases import path_of
from dtmf_server.core import api_token, money
from dtmf_server.runtime.clock import Clock
from dtmf_server.server import startup
from dtmf_server.storage import numbers
from dtmf_server.storage.minute_costs import UNITS_US

MINUTE_US = 60_000_000
FIRST_NUMBER = 20_000_000_000
COST_PER_MINUTE = 13
COST_PER_MESSAGE = 705

_SERIES = (
    "WITH RECURSIVE series(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {count}) "
)


@dataclass(frozen=True, slots=True)
class Population:
    """The contents of a database: account `first_account + n` rents the numbers from `e164(n * each)`, since `start_us`."""

    start_us: int
    accounts: int
    each: int = 1  # live rentals per account
    minutes: int = 1_000_000  # how many more minutes an account can pay for all its rentals
    soon_every: int | None = None  # every n-th account can pay for only `soon_minutes`
    soon_minutes: int = 0
    tokens: int = 1  # this many accounts, evenly spread, have a token: `token_of(index)`
    webhook: str | None = None  # where every rental's SMS are posted

    @property
    def rentals(self) -> int:
        """Return the number of live rentals."""
        return self.accounts * self.each

    def account_id(self, n: int) -> int:
        """Return the id of the n-th account."""
        return money.FIRST_CUSTOMER + n


def e164(n: int) -> str:
    """Return the n-th number."""
    return f"+{FIRST_NUMBER + n}"


def place_of(e164: str) -> int:
    """Return the index of this number."""
    return int(e164) - FIRST_NUMBER


def token_of(n: int) -> str:
    """Return the token of the n-th account that has one."""
    return api_token.mint(n.to_bytes(8, "big") * 4)


def initialise(url: str, start_us: int) -> None:
    """Turn a migrated database into a sandbox's, with one more group."""
    db = startup.open_prepared(url, "sandbox", Clock(sandbox=True, wall=lambda: start_us))
    group = (99, "bench", "mobile", "Bench", "xx", True, False, 0, COST_PER_MINUTE, COST_PER_MESSAGE, None)
    db.write_blocking(lambda tx: numbers.add_groups(tx, [group]))
    db.close()


def populate(url: str, people: Population) -> None:
    """Write the population into a migrated, empty database."""
    initialise(url, people.start_us)
    with _bulk(url, ("accounts", "numbers", "rentals", "transfers", "minute_bookings", "minute_costs")) as cursor:
        for statement in _statements(people):
            cursor.execute(statement)
        step = people.accounts // people.tokens
        rows = [
            (people.account_id(n * step), api_token.sha256(token_of(n)), "bench", people.start_us)
            for n in range(people.tokens)
        ]
        mark = "?" if url.startswith("sqlite") else "%s"
        marks = ", ".join([mark] * 4)
        cursor.executemany(f"INSERT INTO tokens (account_id, sha256, label, created_at_us) VALUES ({marks})", rows)


def _statements(people: Population) -> Iterator[str]:
    """Yield statements that generate the rows inside the database; every rental is in its first minute, which is paid."""
    p = people
    of_account, of_rental = _SERIES.format(count=p.accounts), _SERIES.format(count=p.rentals)
    minutes = f"CAST({p.minutes} AS BIGINT)"
    if p.soon_every is not None:
        minutes = f"CASE WHEN n % {p.soon_every} = 0 THEN {p.soon_minutes} ELSE {minutes} END"
    account, cost, start = f"{money.FIRST_CUSTOMER} + n", COST_PER_MINUTE, p.start_us
    balance = f"({minutes}) * {p.each * cost}"
    warned = f"CASE WHEN ({minutes}) < 60 THEN 2 WHEN ({minutes}) < 1440 THEN 1 ELSE 0 END"
    yield (
        "INSERT INTO accounts (id, kind, created_at_us, settled_at_us, balance, debt, depletes_at_us,"
        f" low_balance_warnings, live_rentals, cost_per_minute, begun_cost) {of_account} SELECT {account}, 'customer',"
        f" {start}, {start}, {balance}, 0, {start} + (({minutes}) + 1) * {MINUTE_US}, {warned}, {p.each}, {p.each * cost},"
        f" {p.each * cost} FROM series"
    )
    for unit_us in UNITS_US:
        yield (
            "INSERT INTO minute_costs (account_id, unit_us, nth, cost)"
            f" {of_account} SELECT {account}, {unit_us}, {start % MINUTE_US // unit_us}, {p.each * cost} FROM series"
        )
    number = f"'+' || ({FIRST_NUMBER} + n)"
    owner = f"{money.FIRST_CUSTOMER} + n / {p.each}"
    yield (
        "INSERT INTO numbers (e164, group_id, rented, released_at_us, last_account_id) "
        f"{of_rental} SELECT {number}, 'bench', true, 0, {owner} FROM series"
    )
    action = f"'webhook', '{p.webhook}'" if p.webhook else "NULL, NULL"
    yield (
        "INSERT INTO rentals (id, account_id, e164, group_id, sms, setup_cost, cost_per_minute,"
        " cost_per_inbound_message, started_at_us, booked_minutes, action, destination) "
        f"{of_rental} SELECT n + 1, {owner}, {number}, 'bench', true, 0, {cost}, {COST_PER_MESSAGE}, {start}, 1,"
        f" {action} FROM series"
    )
    columns = "INSERT INTO transfers (id, at_us, kind, ref, debit, credit, amount, account_id, balance, reference) "
    paid = f"{balance} + {p.each * cost}"
    yield (
        f"{columns}{of_account} SELECT n + 1, {start}, '{money.Kind.DEPOSIT}', 'bench:' || n, {money.BITCOIN},"
        f" {account}, {paid}, {account}, {paid}, 'bench' FROM series"
    )
    # After the payment for an account's j-th rental, the deposit minus the first minutes of rentals 0 … j is left.
    left = f"({minutes.replace('n %', f'n / {p.each} %')} + 1) * {p.each * cost} - (n % {p.each} + 1) * {cost}"
    yield (
        f"{columns}{of_rental} SELECT {p.accounts} + n + 1, {start}, '{money.Kind.RENTAL_MINUTES}', (n + 1) || ':0',"
        f" {owner}, {money.REVENUE}, {cost}, {owner}, {left}, {number} FROM series"
    )
    yield (
        "INSERT INTO minute_bookings (rental_id, from_minute, to_minute, after_minute, transfer_id) "
        f"{of_rental} SELECT n + 1, 0, 1, NULL, {p.accounts} + n + 1 FROM series"
    )


def write(url: str, statements: Iterable[str], tables: Sequence[str]) -> None:
    """Run statements that fill these tables."""
    with _bulk(url, tables) as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def _bulk(url: str, tables: Sequence[str]) -> Iterator[Any]:
    """Yield a cursor for bulk writes: foreign keys are not checked row by row, and statistics are updated afterwards."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(path_of(url), isolation_level=None)
        for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -200000", "busy_timeout = 10000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return
    with psycopg.connect(url, autocommit=True) as served:
        served.execute("SET session_replication_role = replica")
        with served.transaction():
            yield served.cursor()
        for table in sorted({"accounts", "rentals", "transfers", "messages", "deliveries"} & set(tables)):
            served.execute(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")
        # Not the other tables: if a table is known to be empty, every statement planned meanwhile scans it, and so do foreign
        # key checks, until the server analyses it again a minute later.
        served.execute(f"VACUUM ANALYZE {', '.join(tables)}")
