"""An account with many live rentals, and a transaction wrapper that counts the rows it reads."""

from typing import Any

from dtmf_server.operations import meter, rent
from dtmf_server.storage.db import Database, Row, Tx
from harness import DAY_US, START_US, Group, give_coins, open_account, stock
from money.oracle.minutes import PlainRental

PRICE = 13


class Counting(Tx):
    """A transaction that counts the rows it returns."""

    __slots__ = ("rows",)

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._dialect, tx._cursor)
        self.rows = 0

    def all(self, statement: str, **parameters: Any) -> list[Row]:
        found = super().all(statement, **parameters)
        self.rows += len(found)
        return found


class Renter:
    """An account and the numbers it has rented, some seconds apart or all at once."""

    def __init__(self, db: Database, rentals: int, *, seed: int, apart_us: int, minutes: int = 5000) -> None:
        self.db = db
        self.id = open_account(db, seed=seed)
        group = f"group-{seed}"
        e164s = [f"+1303{seed:02}{number:05}" for number in range(rentals + 3)]
        db.write_blocking(lambda tx: stock(tx, {Group(group, rental_cost_per_minute=PRICE): e164s}))
        give_coins(db, self.id, rentals * PRICE * minutes + 7)
        self.group, self.apart_us, self.e164s = group, apart_us, []
        self.now_us = START_US
        self.db.write_blocking(lambda tx: self._rent(tx, rentals))

    def _rent(self, tx: Tx, rentals: int) -> None:
        self.e164s = []
        for nth in range(rentals):
            self.now_us = START_US + nth * self.apart_us
            row = rent.start(tx, self.id, self.group, now_us=self.now_us, cooldown_us=DAY_US)
            self.e164s.append(row["e164"])

    def plain(self) -> list[PlainRental]:
        """Return the rentals in the oracle's form, each with its first minute paid."""
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT * FROM rentals WHERE account_id = :id", id=self.id))
        return [PlainRental(r["id"], r["started_at_us"], r["cost_per_minute"], 1) for r in rows]

    def live(self) -> int:
        """Return how many of its rentals are stored as live."""
        counted = "SELECT count(*) AS n FROM rentals WHERE account_id = :id AND ended_at_us IS NULL"
        row = self.db.read_blocking(lambda tx: tx.one(counted, id=self.id))
        assert row is not None
        return int(row["n"])


def ends(db: Database, account_id: int) -> list[tuple[int, int, int]]:
    """Return the id, end time and paid minutes of each of the account's rentals."""
    rows = db.read_blocking(
        lambda tx: tx.all("SELECT id, ended_at_us, booked_minutes FROM rentals WHERE account_id = :id", id=account_id)
    )
    return sorted((row["id"], row["ended_at_us"], row["booked_minutes"]) for row in rows)


def sweep(db: Database, *, now_us: int) -> int:
    """Run one transaction of the meter; return how many accounts it settled, fully or in part."""
    return db.write_blocking(lambda tx: meter.sweep(tx, now_us=now_us))
