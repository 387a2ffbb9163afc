"""One account with many live rentals beside small ones: what each operation on it takes, against an account with one.

Each operation is carried out on both accounts in turns, in the process itself and on a database with its durability.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from dtmf_server.core import token
from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.rental import action_for
from dtmf_server.operations import account, receive, rent
from dtmf_server.operations.books import open_books
from dtmf_server.storage import numbers, service
from dtmf_server.storage.db import Database, Tx

START_US = 1_800_000_000_000_000
APART_US = 6_007_001  # between two rentals of the large account: their minutes start all over the minute
REST_US = 86_400_000_000
GROUP = (1, "bench", "mobile", "Bench", "xx", True, False, 0, 13, 705, None)
RENTS_AT_ONCE = 200

Call = Callable[[Tx], object]


@dataclass(slots=True)
class Renter:
    """An account, one of its numbers, and its clock."""

    id: int
    e164: str
    now_us: int

    def later_us(self) -> int:
        """A quarter of a second later."""
        self.now_us += 250_000
        return self.now_us


def populate(db: Database, *, rentals: int, spare: int) -> tuple[Renter, Renter]:
    """A fresh service in which one account rents one number, another so many; so many more are on the shelf."""
    e164s = [f"+2{number:010}" for number in range(rentals + spare + 2)]

    def begin(tx: Tx) -> list[int]:
        service.initialise(tx, mode="sandbox", webhook_key=bytes(32), now_us=START_US)
        numbers.add_groups(tx, [GROUP])
        numbers.add_numbers(tx, "bench", e164s)
        numbers.set_destination(tx, "", 1000)
        ids = [account.open_account(tx, token_sha256=token.sha256(token_of(n)), now_us=START_US) for n in range(2)]
        with open_books(tx, ids, now_us=START_US, rest_us=REST_US) as books:
            for id_ in ids:
                books.deposit(id_, SATS_MAX // 4, ref=f"bench:{id_}", reference="bench")
        return ids

    small_id, large_id = db.write_now(begin)
    small = Renter(small_id, db.write_now(partial(_rent, account_id=small_id, nth=range(1))), START_US)
    for first in range(0, rentals, RENTS_AT_ONCE):
        nth = range(first, min(first + RENTS_AT_ONCE, rentals))
        e164 = db.write_now(partial(_rent, account_id=large_id, nth=nth))
    now_us = START_US + rentals * APART_US
    small.now_us = now_us
    return small, Renter(large_id, e164, now_us)


def token_of(n: int) -> str:
    """The token of the account with one number (0), and of the large one (1)."""
    return token.mint(n.to_bytes(8, "big") * 4)


def _rent(tx: Tx, *, account_id: int, nth: range) -> str:
    e164 = ""
    for n in nth:
        row = rent.start(tx, account_id, "bench", now_us=START_US + n * APART_US, rest_us=REST_US)
        e164 = str(row["e164"])
    return e164


def operations(renter: Renter) -> Iterator[tuple[str, bool, Callable[[], Call]]]:
    """What a renter does and what comes for it: a name, whether it writes, and the next call of it."""
    of = {"account_id": renter.id}
    rest = {"rest_us": REST_US}

    def sms() -> Call:
        inbound, now_us = [receive.Inbound(renter.e164, "+1234", "Your code is 123456")], renter.later_us()
        return lambda tx: receive.receive_many(tx, inbound, now_us=now_us, **rest)

    def rent_and_end() -> Call:
        now_us = renter.later_us()

        def run(tx: Tx) -> None:
            e164 = rent.start(tx, renter.id, "bench", now_us=now_us, **rest)["e164"]
            rent.end(tx, renter.id, e164, now_us=now_us, **rest)

        return run

    def set_action() -> Call:
        now_us, action = renter.later_us(), action_for("https://example.org/hook")
        return lambda tx: rent.set_action(tx, renter.id, renter.e164, action, now_us=now_us, **rest)

    def reading(fn: Callable[..., Any], *arguments: Any) -> Callable[[], Call]:
        def call() -> Call:
            now_us = renter.later_us()
            return lambda tx: fn(tx, renter.id, *arguments, now_us=now_us)

        return call

    yield "inbound SMS", True, sms
    yield "rent and end", True, rent_and_end
    yield "set the action", True, set_action
    yield "balance", False, reading(account.balance)
    yield "usage", False, reading(account.usage)
    yield "number", False, reading(rent.live_rental, renter.e164)
    yield "transactions", False, lambda: lambda tx: account.transactions(tx, after=0, limit=100, **of)
    yield "numbers on a page", False, reading(rent.newest_rentals)


def measure(db: Database, renters: tuple[Renter, Renter], *, turns: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each operation: of the account with one rental, of the large one."""
    found = {}
    for one, many in zip(operations(renters[0]), operations(renters[1]), strict=True):
        name, writes, _ = one
        took: tuple[list[float], list[float]] = ([], [])
        for turn in range(turns + 5):
            for place, (_, _, next_call) in enumerate((one, many)):
                call = next_call()
                begun = time.perf_counter()
                (db.write_now if writes else db.read_now)(call)
                if turn >= 5:
                    took[place].append(time.perf_counter() - begun)
        found[name] = statistics.median(took[0]), statistics.median(took[1])
    return found
