"""One account with many live rentals beside an account with one: how long each call and SMS takes, over HTTP.

The real service in its own process; each call is made for both accounts in turns. The list of numbers is compared with
the same JSON produced by the database. Neighbours: an SMS for the small account while many SMS arrive
for the same account, or for the large one."""

import contextlib
import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from urllib.parse import quote

from benchmarks import databases, fill, processes
from benchmarks.databases import Engine
from benchmarks.interleave import Finding, Line, Measured, at_most, ratio, rounds
from benchmarks.size import Size
from dtmf_server.core import api_token
from dtmf_server.core.money import SATS_MAX
from dtmf_server.operations import account, rent
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

APART_US = 6_007_001  # between two rentals of the large account, to spread their minutes over the minute
REST_US = 86_400_000_000
RENTS_AT_ONCE = 200
CALLS = 20  # per round
MORE_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Renter:
    """An account, its token, and one of its numbers."""

    id: int
    token: str
    e164: str


def populate(url: str, *, rentals: int, spare: int) -> tuple[Renter, Renter]:
    """Create a fresh service: one account rents one number, another many; `spare` more are in stock."""
    start_us = time.time_ns() // 1000 - (rentals + 10) * APART_US
    fill.initialise(url, start_us)

    def begin(tx: Tx) -> list[int]:
        numbers.add_numbers(tx, "bench", [fill.e164(nth) for nth in range(rentals + spare + 2)])
        ids = [
            account.open_account(tx, token_sha256=api_token.sha256(fill.token_of(n)), now_us=start_us) for n in range(2)
        ]
        with open_ledger(tx, ids, now_us=start_us) as ledger:
            for id_ in ids:
                ledger.deposit(id_, SATS_MAX // 4, unique_ref=f"bench:{id_}", reference="bench")
        return ids

    def some(tx: Tx, account_id: int, first: int, until: int) -> str:
        e164 = ""
        for nth in range(first, until):
            at_us = start_us + nth * APART_US
            e164 = str(rent.start(tx, account_id, "bench", now_us=at_us, cooldown_us=0)["e164"])
        return e164

    with contextlib.closing(open_database(url)) as db:
        small_id, large_id = db.write_blocking(begin)
        small = db.write_blocking(partial(some, account_id=small_id, first=0, until=1))
        for first in range(0, rentals, RENTS_AT_ONCE):
            until = min(first + RENTS_AT_ONCE, rentals)
            large = db.write_blocking(partial(some, account_id=large_id, first=first, until=until))
        if db.dialect.name == "postgresql":
            db.write_blocking(lambda tx: tx.run("ANALYZE"))
    return Renter(small_id, fill.token_of(0), small), Renter(large_id, fill.token_of(1), large)


class Caller:
    """A renter's connection."""

    def __init__(self, port: int, renter: Renter) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {renter.token}", "Content-Type": "application/json"}
        self._texts = count()
        self.e164 = renter.e164

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def call(self, method: str, path: str, body: object = None) -> bytes:
        """Return the answer's body; raise if the call fails."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", sent, self._headers)
        with self._connection.getresponse() as response:
            answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return answer

    def sms(self) -> None:
        """Receive an SMS at the renter's number."""
        body = {"to": self.e164, "from": "+12345", "content": f"Your code is {next(self._texts):06}"}
        self.call("POST", "/sandbox/message", body)

    def rent_and_end(self) -> None:
        """Rent one more number, and end the rental."""
        e164 = json.loads(self.call("POST", "/numbers", {"group_id": "bench"}))["e164"]
        self.call("DELETE", f"/number?e164={quote(e164)}")

    def operations(self) -> dict[str, Callable[[], object]]:
        """Return the operations to measure, by name."""
        number = f"/number?e164={quote(self.e164)}"
        return {
            "balance": partial(self.call, "GET", "/account"),
            "usage": partial(self.call, "GET", "/usage"),
            "transactions": partial(self.call, "GET", "/transactions?limit=20"),
            "one number": partial(self.call, "GET", number),
            "setting an action": partial(self.call, "PATCH", number, {"sms_forwarded_to": None}),
            "inbound SMS": self.sms,
            "renting and ending": self.rent_and_end,
        }


def _median_ms(call: Callable[[], object], calls: int) -> float:
    return statistics.median(_timed_ms(call) for _ in range(calls))


def _timed_ms(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1e3


def neighbours(port: int, renters: tuple[Renter, Renter], *, turns: int) -> Measured:
    """Return the 99th percentile, in milliseconds, of an SMS for the small account while many SMS arrive for itself
    (`one`), or for the large one (`many`)."""

    def beside(busy: Renter) -> float:
        stop = threading.Event()
        pouring, asked = Caller(port, busy), Caller(port, renters[0])

        def pour() -> None:
            while not stop.is_set():
                pouring.sms()

        thread = threading.Thread(target=pour)
        thread.start()
        try:
            took = sorted(_timed_ms(asked.sms) for _ in range(200))
        finally:
            stop.set()
            thread.join()
            pouring.close()
            asked.close()
        return took[-3]

    return rounds({"one": partial(beside, renters[0]), "many": partial(beside, renters[1])}, turns)


def listing(caller: Caller, db: Database, large: Renter, *, turns: int) -> Measured:
    """Measure, in milliseconds, `GET /numbers` over HTTP, and the database producing the same rows as JSON together with a
    small request."""
    sql = _EMIT[db.dialect.name]
    ours = partial(caller.call, "GET", "/numbers")

    def database() -> None:
        caller.call("GET", "/account")
        db.read_blocking(lambda tx: tx.one(sql, id=large.id))

    contenders = {"ours": partial(_timed_ms, ours), "database": partial(_timed_ms, database)}
    rounds(contenders, 1)
    return rounds(contenders, turns)


_FIELDS = "'e164', r.e164, 'group_id', r.group_id, 'sms', r.sms, 'cost_per_minute', r.cost_per_minute,"
_FIELDS += " 'cost_per_inbound_message', r.cost_per_inbound_message, 'assignment_start',"
_MORE = "'sms_forwarded_to', r.destination, 'messages', (SELECT {all}({one}('from', m.sender, 'to', m.recipient,"
_MORE += " 'content', m.content, 'timestamp', m.at_us, 'success', m.status, 'cost', m.cost))"
_MORE += " FROM messages m WHERE m.rental_id = r.id)"
_FROM = "FROM (SELECT * FROM rentals WHERE account_id = :id AND ended_at_us IS NULL ORDER BY started_at_us, id) r"
_EMIT = {
    "sqlite": "SELECT json_group_array(json_object("
    f"{_FIELDS} strftime('%Y-%m-%dT%H:%M:%f', r.started_at_us / 1e6, 'unixepoch'),"
    f" {_MORE.format(all='json_group_array', one='json_object')})) AS emitted {_FROM}",
    "postgresql": "SELECT json_agg(json_build_object("
    f"{_FIELDS} to_timestamp(r.started_at_us / 1e6) AT TIME ZONE 'UTC',"
    f" {_MORE.format(all='json_agg', one='json_build_object')}))::text AS emitted {_FROM}",
}


def run(size: Size) -> Iterator[Finding]:
    """Measure both engines."""
    rentals, turns = size.of((10_000, 15), (2_000, 5), (100, 1))
    for engine in (databases.sqlite, databases.postgresql):
        with engine() as files:
            yield from findings(files, rentals=rentals, turns=turns)


def findings(engine: Engine, *, rentals: int, turns: int) -> Iterator[Line]:
    """Return a line per call, relative to the same call for an account with one rental."""
    url = engine.empty()
    renters = populate(url, rentals=rentals, spare=500)
    at = f"{rentals:,} live rentals, {engine.name}"
    with processes.service(url) as service:
        one, many = (Caller(service.port, renter) for renter in renters)
        for name, call in one.operations().items():
            both = {"one": call, "many": many.operations()[name]}
            contenders = {who: partial(_median_ms, do, CALLS) for who, do in both.items()}
            rounds(contenders, 1)
            measured = rounds(contenders, turns)
            yield ratio(measured, "many", "one", name=f"{name}, {at}", bound=at_most(MORE_MAX), raw="{} ms")
        with contextlib.closing(open_database(url)) as db:
            listed = listing(many, db, renters[1], turns=turns)
        yield ratio(listed, "ours", "database", name=f"list of numbers, {at}", bound=at_most(2), raw="{} ms")
        one.close()
        many.close()
        beside = neighbours(service.port, renters, turns=max(3, turns // 3))
        yield ratio(beside, "many", "one", name=f"neighbours' p99, {at}", bound=at_most(MORE_MAX), raw="{} ms")
    engine.drop(url)
