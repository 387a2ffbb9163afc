"""One account with many live rentals beside small ones: what each operation on it takes, against an account with one.

Each operation is carried out on both accounts in turns, in the process itself and on a database with its durability: what
HTTP adds is the same for both, and would make the ratios smaller."""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import databases
from benchmarks.databases import Engine
from benchmarks.rounds import Finding, Line, Measured, at_most, ratio, rounds
from dtmf_server.api import numbers as api_numbers
from dtmf_server.core import token
from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.rental import action_for
from dtmf_server.operations import account, receive, rent
from dtmf_server.operations.books import open_books
from dtmf_server.storage import numbers, service
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

START_US = 1_800_000_000_000_000
APART_US = 6_007_001  # between two rentals of the large account: their minutes start all over the minute
REST_US = 86_400_000_000
GROUP = (1, "bench", "mobile", "Bench", "xx", True, False, 0, 13, 705, None)
RENTS_AT_ONCE = 200
CALLS = 20  # of a round
MORE_MAX = 1.5

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


def measure(db: Database, renters: tuple[Renter, Renter], *, turns: int) -> dict[str, Measured]:
    """Seconds of each operation, in turns: of the account with one rental, and of the large one."""
    found = {}
    for one, many in zip(operations(renters[0]), operations(renters[1]), strict=True):
        name, writes, _ = one
        carry_out = db.write_now if writes else db.read_now
        contenders = {
            "one": partial(_median_s, one[2], carry_out, CALLS),
            "many": partial(_median_s, many[2], carry_out, CALLS),
        }
        rounds(contenders, 1)
        found[name] = rounds(contenders, turns)
    return found


def _median_s(next_call: Callable[[], Call], carry_out: Callable[[Call], object], calls: int) -> float:
    return statistics.median(_timed(next_call, carry_out) for _ in range(calls))


def _timed(next_call: Callable[[], Call], carry_out: Callable[[Call], object]) -> float:
    call, begun = next_call(), time.perf_counter()
    carry_out(call)
    return time.perf_counter() - begun


def neighbours(db: Database, renters: tuple[Renter, Renter], *, turns: int) -> Measured:
    """The 99th percentile, in milliseconds, of an SMS for the small account while SMS pour in for itself (`one`), or for the
    large account (`many`), from another thread."""
    sms = [next(operations(renter))[2] for renter in renters]

    def beside(busy: Callable[[], Call]) -> float:
        stop = threading.Event()

        def pour() -> None:
            while not stop.is_set():
                db.write_now(busy())

        thread = threading.Thread(target=pour)
        thread.start()
        try:
            took = sorted(_timed(sms[0], db.write_now) for _ in range(200))
        finally:
            stop.set()
            thread.join()
        return took[-3] * 1e3

    return rounds({"one": partial(beside, sms[0]), "many": partial(beside, sms[1])}, turns)


def listing(db: Database, large: Renter, *, turns: int) -> Measured:
    """Seconds that `GET /numbers` reads and encodes, and that the database takes to emit the same rows as JSON."""
    sql = _EMIT[db.dialect.name]

    def ours() -> float:
        begun = time.perf_counter()
        live = db.read_now(lambda tx: rent.live_rentals(tx, large.id, now_us=large.now_us))
        for first in range(0, len(live), api_numbers.BLOCK):
            db.read_now(partial(api_numbers._encoded, live=live[first : first + api_numbers.BLOCK]))
        return time.perf_counter() - begun

    def database() -> float:
        begun = time.perf_counter()
        db.read_now(lambda tx: tx.one(sql, id=large.id))
        return time.perf_counter() - begun

    return rounds({"ours": ours, "database": database}, turns)


_FIELDS = "'e164', r.e164, 'group_id', r.group_id, 'sms', r.sms, 'cost_per_minute', r.cost_per_minute,"
_FIELDS += " 'cost_per_inbound_message', r.cost_per_inbound_message, 'assignment_start',"
_MORE = "'sms_forwarded_to', r.destination, 'messages', (SELECT {all}({one}('from', m.sender, 'to', m.recipient,"
_MORE += " 'content', m.content, 'cost', m.cost)) FROM messages m WHERE m.rental_id = r.id)"
_FROM = "FROM (SELECT * FROM rentals WHERE account_id = :id AND ended_at_us IS NULL ORDER BY started_at_us, id) r"
_EMIT = {
    "sqlite": "SELECT json_group_array(json_object("
    f"{_FIELDS} strftime('%Y-%m-%dT%H:%M:%f', r.started_at_us / 1e6, 'unixepoch'),"
    f" {_MORE.format(all='json_group_array', one='json_object')})) AS emitted {_FROM}",
    "postgresql": "SELECT json_agg(json_build_object("
    f"{_FIELDS} to_timestamp(r.started_at_us / 1e6) AT TIME ZONE 'UTC',"
    f" {_MORE.format(all='json_agg', one='json_build_object')})) AS emitted {_FROM}",
}


def run(*, quick: bool) -> Iterator[Finding]:
    """Both engines."""
    for engine in (databases.sqlite, databases.postgresql):
        with engine() as files:
            yield from findings(files, rentals=1_000 if quick else 10_000, turns=5 if quick else 15)


def findings(engine: Engine, *, rentals: int, turns: int) -> Iterator[Line]:
    """A line per operation, by the same of an account with one rental."""
    url = engine.empty()
    at = f"{rentals:,} live rentals, {engine.name}"
    with contextlib.closing(open_database(url)) as db:
        renters = populate(db, rentals=rentals, spare=500)
        if db.dialect.name == "postgresql":
            db.write_now(lambda tx: tx.run("ANALYZE"))
        for name, measured in measure(db, renters, turns=turns).items():
            yield ratio(measured, "many", "one", name=f"{name}, {at}, by one", bound=at_most(MORE_MAX), raw="{} s")
        beside = neighbours(db, renters, turns=max(3, turns // 3))
        yield ratio(beside, "many", "one", name=f"neighbours' p99, {at}", bound=at_most(MORE_MAX), raw="{} ms")
        listed = listing(db, renters[1], turns=turns)
        yield ratio(listed, "ours", "database", name=f"the list of numbers, {at}, by SQL", bound=at_most(2), raw="{} s")
    engine.drop(url)
