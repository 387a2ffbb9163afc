"""Under concurrency, a balance is never spent twice, and a number is never rented twice."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

from dtmf_server.core.errors import NumberNotRented
from dtmf_server.operations import account, deposit, rent, verify
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Database, Tx
from harness import START_US, give_coins, new_token, open_account

CLIENTS = 64
COINS = 30_000
MINUTE_COST, SEND_COST = 13, 1000


class Client:
    """A renter with its own connection."""

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"Authorization": f"Bearer {new_token(seed)}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        """Return the status, and the code of a refusal."""
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), self._headers)
        with self._connection.getresponse() as response:
            answer = response.read()
        return response.status, "" if response.status < 400 else str(json.loads(answer)["code"])

    def close(self) -> None:
        self._connection.close()


def at_once(count: int, act: Callable[[int], list[tuple[int, str]]]) -> Counter[tuple[int, str]]:
    """Count the answers of this many threads started together."""
    barrier = threading.Barrier(count, timeout=30)

    def start(number: int) -> list[tuple[int, str]]:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return Counter(answer for answers in threads.map(start, range(count)) for answer in answers)


def test_sixty_four_clients_never_spend_more_than_the_balance(db: Database, url: str) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, COINS)
    sender = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))[
        "e164"
    ]
    message = {"from": str(sender), "to": "+447700900000", "content": "hello"}
    asks = [("/numbers", {"group_id": "us-mobile"}), ("/message", message), ("/message", message)]

    def spend(number: int) -> list[tuple[int, str]]:
        client = Client(url)
        answers = [client.post(*asks[(number + turn) % len(asks)]) for turn in range(len(asks))]
        client.close()
        return answers

    answers = at_once(CLIENTS, spend)
    rents, sends = answers.pop((201, "")), answers.pop((204, ""))
    spent = MINUTE_COST + rents * MINUTE_COST + sends * SEND_COST
    left = db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=START_US))
    assert max(0, spent - COINS) == 0, "overspent"
    assert left == COINS - spent and left < SEND_COST, "the successful requests match what was charged"
    assert answers == {(402, "insufficient_funds"): 3 * CLIENTS - rents - sends}
    live = db.read_blocking(lambda tx: [row["e164"] for row in rent.live_rentals(tx, account_id, now_us=START_US)])
    assert len(live) == len(set(live)) == 1 + rents
    assert db.read_blocking(verify.differences) == []


def test_of_a_hundred_clients_racing_for_one_number_one_gets_it(db: Database, url: str) -> None:
    racers = 100
    accounts = [open_account(db, seed=seed) for seed in range(racers)]
    for account_id in accounts:
        give_coins(db, account_id, 57)

    def race(number: int) -> list[tuple[int, str]]:
        client = Client(url, seed=number)
        answer = client.post("/numbers", {"group_id": "tiny"})
        client.close()
        return [answer]

    assert at_once(racers, race) == {(201, ""): 1, (409, "no_numbers_available"): racers - 1}

    def look(tx: Tx) -> tuple[int, list[int]]:
        rentals = tx.all("SELECT account_id FROM rentals WHERE ended_at_us IS NULL")
        return len(rentals), [account.balance(tx, id_, now_us=START_US) for id_ in accounts]

    live, balances = db.read_blocking(look)
    assert live == 1
    assert sorted(balances) == [0] + [57] * (racers - 1), "only the renter who got the number was charged"
    assert db.read_blocking(verify.differences) == []


def test_of_thirty_two_requests_for_the_last_ten_addresses_ten_succeed(db: Database) -> None:
    account_id = open_account(db)
    give = partial(
        deposit.new_address, account_id=account_id, derive=deriver(SANDBOX_DESCRIPTOR, "regtest"), now_us=START_US
    )
    for _ in range(10):
        db.write_blocking(give)

    def ask(_: int) -> list[tuple[int, str]]:
        try:
            db.write_blocking(give)
        except deposit.TooManyUnusedAddresses as refusal:
            return [(refusal.status, refusal.code)]
        return [(201, "")]

    assert at_once(32, ask) == {(201, ""): 10, (429, "too_many_unused_addresses"): 22}
    given = db.read_blocking(lambda tx: deposits.addresses_of(tx, account_id))
    assert len({row["address"] for row in given}) == len(given) == 20


def test_ending_a_rental_twice_concurrently_ends_it_once(db: Database) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, COINS)
    e164 = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))["e164"]

    def end(_: int) -> list[tuple[int, str]]:
        try:
            db.write_blocking(lambda tx: rent.end(tx, account_id, str(e164), now_us=START_US))
        except NumberNotRented as refusal:
            return [(refusal.status, refusal.code)]
        return [(204, "")]

    assert at_once(16, end) == {(204, ""): 1, (404, "number_not_rented"): 15}
    ended = db.read_blocking(lambda tx: tx.all("SELECT id FROM events WHERE kind = 'rental.ended'"))
    assert len(ended) == 1 and db.read_blocking(verify.differences) == []
