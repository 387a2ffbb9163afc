"""Concurrent clients of three API processes on one PostgreSQL never overspend, and never rent a number twice."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from dtmf_server.operations import verify
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import migrate
from dtmf_server.storage.open import open_database
from harness import Group, give_coins, initialise, new_token, open_account
from money.test_races import at_once
from postgres import drop_database, fresh_database
from scale.cluster import Cluster, cluster

CLIENTS, RACERS, APIS = 64, 100, 3
COINS, SETUP, SENT = 30_000, 700, 1000
# Nothing costs by the minute, since the clock runs during the race.
CATALOG = {
    Group("race", setup_cost=SETUP, rental_cost_per_minute=0): [f"+120255501{number:02d}" for number in range(100)],
    Group("one", setup_cost=SETUP, rental_cost_per_minute=0): ["+12025550200"],
}


@pytest.fixture(scope="module")
def running(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three API processes on a database with this test's own catalog."""
    url = fresh_database(postgres_url)
    migrate.upgrade(url)
    with closing(open_database(url)) as db:
        initialise(db, CATALOG)
        for seed in range(RACERS + 1):  # the first account is for the 64 clients
            give_coins(db, open_account(db, seed=seed, now_us=wall_us()), COINS if seed == 0 else SETUP)
    with cluster(tmp_path_factory.mktemp("cluster"), url, apis=APIS, workers=0) as started:
        yield started
    drop_database(postgres_url, url)


class Client:
    """A renter's connections to every API process, used in turn."""

    def __init__(self, running: Cluster, *, seed: int) -> None:
        self._hosts = [api.url.removeprefix("http://") for api in running.apis]
        self._headers = {"Authorization": f"Bearer {new_token(seed)}"}

    def post(self, turn: int, path: str, body: dict[str, str], key: str) -> tuple[int, str]:
        """Return the status, and the code of a refusal."""
        with closing(http.client.HTTPConnection(self._hosts[turn % len(self._hosts)], timeout=60)) as connection:
            headers = self._headers | {"Idempotency-Key": key}
            connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            reply = connection.getresponse()
            answer = reply.read()
        return reply.status, "" if reply.status < 400 else str(json.loads(answer)["code"])


def read(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of the statement."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def books_are_right(url: str) -> None:
    """Check that the ledger matches every balance, and that no transaction deadlocked."""
    with closing(open_database(url)) as db:
        assert db.read_blocking(verify.differences) == []
    deadlocks = read(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == [(0,)]


def test_sixty_four_clients_of_three_processes_never_spend_more_than_the_balance(running: Cluster) -> None:
    assert Client(running, seed=0).post(0, "/numbers", {"group_id": "race"}, "first") == (201, "")
    ((sender,),) = read(running.url, "SELECT e164 FROM rentals WHERE group_id = 'race'")
    message = {"from": sender, "to": "+447700900000", "content": "hello"}
    asks = [("/numbers", {"group_id": "race"}), ("/message", message), ("/message", message)]

    def spend(number: int) -> list[tuple[int, str]]:
        client = Client(running, seed=0)
        found = []
        for turn in range(len(asks)):
            path, body = asks[(number + turn) % len(asks)]
            # Each is sent twice, to two processes, with one key: it is charged once.
            answers = {client.post(number + again, path, body, f"{number} {turn}") for again in range(2)}
            assert len(answers) == 1 or {status for status, _ in answers} == {402}, answers
            found += answers
        return found

    answers = at_once(CLIENTS, spend)
    rents, sends = answers.pop((201, "")), answers.pop((204, ""))
    spent = SETUP + rents * SETUP + sends * SENT
    ((left,),) = read(running.url, "SELECT balance FROM accounts WHERE id >= 1000 ORDER BY id LIMIT 1")
    print(f"{CLIENTS} clients, {APIS} processes: overspent {max(0, spent - COINS)} sats")
    assert max(0, spent - COINS) == 0
    assert (left, left < SETUP) == (COINS - spent, True), "the successful requests match what was charged"
    assert answers == {(402, "insufficient_funds"): 3 * CLIENTS - rents - sends}
    ((rentals, numbers),) = read(
        running.url, "SELECT count(*), count(DISTINCT e164) FROM rentals WHERE group_id = 'race'"
    )
    assert rentals == numbers == 1 + rents
    books_are_right(running.url)


def test_of_a_hundred_clients_of_three_processes_racing_for_one_number_one_gets_it(running: Cluster) -> None:
    def race(number: int) -> list[tuple[int, str]]:
        return [Client(running, seed=number + 1).post(number, "/numbers", {"group_id": "one"}, "race")]

    assert at_once(RACERS, race) == {(201, ""): 1, (409, "no_numbers_available"): RACERS - 1}
    ((live,),) = read(running.url, "SELECT count(*) FROM rentals WHERE group_id = 'one' AND ended_at_us IS NULL")
    print(f"{RACERS} clients, {APIS} processes: {live} live rentals")
    assert live == 1
    balances = read(running.url, "SELECT balance FROM accounts WHERE id >= 1000 ORDER BY id OFFSET 1")
    assert sorted(balances) == [(0,)] + [(SETUP,)] * (RACERS - 1), "only the renter who got the number was charged"
    books_are_right(running.url)
