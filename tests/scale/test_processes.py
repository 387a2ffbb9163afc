"""Several processes on one PostgreSQL share the work: each task runs in one of them, and survivors replace the dead."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postgres import drop_database, fresh_database
from scale.cluster import GENEROUS_S, SINGLETONS, Cluster, cluster, locks_held
from scale.restarts import restartable_server
from support.server_process import Answer, Service, request
from support.streaming import EventSource
from support.webhook_receiver import Posted, Receiver, receiving

FUNDS = 10_000_000


@pytest.fixture(scope="module")
def running(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two API processes and two workers, started together on an empty database."""
    url = fresh_database(postgres_url)
    with cluster(tmp_path_factory.mktemp("cluster"), url) as started:
        yield started
    drop_database(postgres_url, url)


def ask(api: Service, method: str, path: str, body: object = None) -> Answer:
    """Send a request that must succeed."""
    answer = request(api.url, api.token, method, path, body, timeout_s=GENEROUS_S)
    assert answer.status < 300, answer
    return answer


def until(true: Callable[[], Any], what: str) -> float:
    """Wait until it is true; return how many seconds it took."""
    started_s = time.monotonic()
    while not true():
        assert time.monotonic() < started_s + GENEROUS_S, f"not {what} within {GENEROUS_S} s"
        threading.Event().wait(0.02)
    return time.monotonic() - started_s


def deposit(api: Service, amount: int = FUNDS) -> None:
    """Deposit coins; returns once the worker that follows the chain has credited them."""
    address = ask(api, "POST", "/addresses").json["address"]
    ask(api, "POST", "/sandbox/deposit", {"address": address, "amount": amount})


def rent(api: Service, receiver: Receiver, group: str = "gb-local") -> str:
    """Rent a number whose SMS are posted to the receiver."""
    e164: str = ask(api, "POST", "/numbers", {"group_id": group}).json["e164"]
    ask(api, "PATCH", f"/number?e164=%2B{e164[1:]}", {"sms_forwarded_to": receiver.url})
    return e164


def sms_for(api: Service, numbers: list[str], texts: list[str]) -> set[int]:
    """Receive SMS; return the ids of those acknowledged."""
    ids = set()
    for place, text in enumerate(texts):
        sms = {"to": numbers[place % len(numbers)], "from": "+1234", "content": text}
        ids.add(ask(api, "POST", "/sandbox/message", sms).json["id"])
    return ids


def posted_ids(receiver: Receiver) -> Counter[int]:
    """Return how often each message was posted."""
    return Counter(posted.json["id"] for posted in list(receiver.posted))


def test_processes_started_together_set_up_one_service(running: Cluster) -> None:
    first, second = running.apis
    address = ask(first, "POST", "/addresses").json
    assert address in ask(second, "GET", "/addresses").json, "both tokens are of one account"
    deposit(second, 1000)
    balances = {ask(api, "GET", "/account").json["balance"] for api in running.apis}
    assert len(balances) == 1
    assert len(ask(first, "GET", "/groups?type=mobile").json) == 9, "the catalog was stocked once"


def test_the_event_stream_of_each_process_has_every_commit_in_the_same_order(running: Cluster) -> None:
    first, second = running.apis
    deposit(first)
    e164 = ask(first, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"]
    begin = last_event(first)
    texts = [f"{n}" for n in range(40)]
    with EventSource(first.url, first.token, query={"after": begin}) as source, ThreadPoolExecutor(4) as pool:
        both = [pool.submit(sms_for, api, [e164], texts[turn::4]) for turn, api in enumerate([first, second] * 2)]
        seen = list(islice((event for event in source.events() if event["kind"] == "message"), len(texts)))
        ids = {id_ for sent in both for id_ in sent.result()}
    assert {event["message"]["id"] for event in seen} == ids
    positions = [event["id"] for event in seen]
    assert positions == sorted(positions)
    middle = positions[len(positions) // 2]
    with EventSource(second.url, second.token, headers={"Last-Event-ID": str(middle)}, query={"wait": 0}) as source:
        rest = [event for event in source.events() if event["kind"] == "message"]
    assert rest == [event for event in seen if event["id"] > middle], "any process can resume from any position"


def last_event(api: Service) -> int:
    """Return the newest event's id."""
    newest = 0
    while True:
        with EventSource(api.url, api.token, query={"after": newest, "wait": 0}) as source:
            ids = [event["id"] for event in source.events()]
        if not ids:
            return newest
        newest = ids[-1]


def test_deliveries_are_shared_and_each_is_made_once(running: Cluster) -> None:
    deposit(running.apis[0])
    with receiving() as receiver:
        numbers = [rent(running.apis[0], receiver) for _ in range(8)]
        ids = set()
        for turn in range(6):  # on each wake-up both workers look for due deliveries, and either may be first
            ids |= sms_for(running.apis[turn % 2], numbers, [f"{turn}" for _ in numbers])
        until(lambda: posted_ids(receiver).keys() >= ids, "all delivered")
        until(lambda: sum(map(running.delivered_by, running.workers)) == len(ids), "recorded")
        shares = [running.delivered_by(worker) for worker in running.workers]
        print(f"{len(ids)} deliveries, shared {shares}")
        assert posted_ids(receiver) == dict.fromkeys(ids, 1)
        assert min(shares) > 0


def test_the_clock_works_from_an_api_process(running: Cluster) -> None:
    api, other = running.apis
    deposit(api)
    down = True

    def answer(_: Posted) -> int:
        return 500 if down else 200

    with receiving(answer) as receiver:
        number = rent(api, receiver)
        (message,) = sms_for(other, [number], ["put off"])
        receiver.wait_for(1)
        ask(api, "POST", "/sandbox/clock", {"advance_s": 0})  # answered once the failure is recorded
        down = False
        ask(other, "POST", "/sandbox/clock", {"advance_s": 3600})
        assert posted_ids(receiver)[message] == 2, "the delivery due by then has been made"
    clocks = {ask(each, "POST", "/sandbox/clock", {"advance_s": 0}).json["now"][:13] for each in running.apis}
    assert len(clocks) == 1, "all processes share one clock"


def test_each_singleton_runs_in_one_worker(running: Cluster) -> None:
    for name in SINGLETONS:
        until(lambda name=name: running.holders(name), f"running the {name}")
        assert len(running.holders(name)) == 1
    assert locks_held(running.url) == len(SINGLETONS)


def make_stale(url: str) -> None:
    """Insert a row that only the chores delete: an expired Idempotency-Key."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO idempotency (account_id, key, fingerprint, created_wall_us, secret)"
            " SELECT max(id), 'stale', '', 0, false FROM accounts"
        )


def is_stale(url: str) -> bool:
    """Return whether the chores have not run since."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1 FROM idempotency WHERE key = 'stale'").fetchone() is not None


def test_other_workers_take_over_from_a_killed_one_under_load(running: Cluster) -> None:
    """Its singletons and deliveries move to others; nothing acknowledged is lost."""
    api = running.apis[0]
    deposit(api)
    with receiving() as receiver:
        numbers = [rent(api, receiver, "us-local") for _ in range(6)]
        ids = sms_for(api, numbers, ["before"] * 12)
        (holder,) = running.holders("chores")
        make_stale(running.url)
        sending = threading.Thread(target=lambda: ids.update(sms_for(running.apis[1], numbers, ["after"] * 30)))
        sending.start()
        holder.kill()
        killed_s = time.monotonic()
        deposit(api)  # answered once a successor follows the chain
        print(f"deposits were followed {time.monotonic() - killed_s:.1f} s after the kill")
        until(lambda: running.holders("chores"), "running the chores")
        until(lambda: not is_stale(running.url), "doing the chores")
        print(f"the chores were done {time.monotonic() - killed_s:.1f} s after the kill")
        sending.join()
        end_leases_of_the_dead(running.url)
        until(lambda: posted_ids(receiver).keys() >= ids, "all delivered")
    assert len(ids) == 42
    assert locks_held(running.url) == len(SINGLETONS)
    (successor,) = running.holders("chain and meter")
    assert successor is not holder


def end_leases_of_the_dead(url: str) -> None:
    """Simulate the minute after which a dead worker's leases end. A living worker's leases may end as well: an SMS may
    then be posted twice, which a renter must expect after any crash."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE deliveries SET leased_until_us = 0 WHERE leased_until_us IS NOT NULL")


def test_the_service_recovers_from_a_database_restart_without_being_restarted(tmp_path: Path) -> None:
    with (
        restartable_server() as server,
        cluster(tmp_path, server.url, apis=1, workers=1) as running,
        receiving() as receiver,
    ):
        (api,) = running.apis
        deposit(api)
        number = rent(api, receiver)
        before = sms_for(api, [number], ["before"])
        until(lambda: posted_ids(receiver).keys() >= before, "delivered")
        server.stop()
        answer = request(api.url, api.token, "POST", "/addresses", timeout_s=GENEROUS_S)
        assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
        server.start()
        started_s = time.monotonic()
        until(lambda: request(api.url, api.token, "GET", "/account").status == 200, "answering")
        after = sms_for(api, [number], ["after"])
        until(lambda: posted_ids(receiver).keys() >= before | after, "delivering")
        deposit(api)
        print(f"answering, delivering and following the chain {time.monotonic() - started_s:.1f} s after the start")
        assert running.all_alive()
