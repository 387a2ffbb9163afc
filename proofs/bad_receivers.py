"""Bad receivers beside healthy ones: the longest attempt, the memory they cost, and the effect on the healthy ones.

Each number belongs to another account. On a fresh service, turns alternate: healthy receivers alone, then with bad ones.
The API load is the same in both: in the first turn, SMS to numbers without a webhook; in the second, to bad receivers.
"""

import contextlib
import http.client
import json
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import databases, fill, processes
from benchmarks.databases import Engine
from benchmarks.environments import python_of
from benchmarks.processes import Process

from dtmf_server.storage.open import open_database
from proofs.claim import Figure, Outcome, tried

HEALTHY, PER_SECOND = 50, 50
DEAD, DEAD_SMALL = 500, 60
EACH = 10  # receivers of each other kind
TURN_S, TURN_SMALL_S = 45, 25  # three attempts of 15 s
ROUNDS = 3
WORST_MS = 15_500  # the deadline is 15 s; a busy machine may notice it slightly late
MEMORY_MB, SLOWER = 20, 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """The results of one round."""

    quiet_ms: float  # p99 of the healthy receivers alone, from when an SMS should arrive until it does
    beside_ms: float  # the same, beside the bad ones
    grown_mb: float
    attempts: int  # at bad receivers
    worst_ms: float
    kinds_missing: list[str]


def bad_receivers(*, small: bool, bound_s: float) -> Outcome:
    """Run round after round on both engines."""
    until_s = time.monotonic() + bound_s
    dead, turn_s = (DEAD_SMALL, TURN_SMALL_S) if small else (DEAD, TURN_S)
    figures: list[Figure] = []
    for opening in (databases.sqlite, databases.postgresql):
        with opening() as engine, ExitStack() as stack:
            sink = stack.enter_context(processes.peer(python_of("sink"), "sink.py"))
            options = ("--dead", str(dead), "--each", str(EACH))
            bad = stack.enter_context(processes.peer(sys.executable, "bad.py", *options))
            found = [
                _round(engine, sink, bad, turn_s) for _ in range(1 if small else ROUNDS) if time.monotonic() < until_s
            ]
        figures += _figures(found, engine=engine.name)
    return Outcome(figures)


def _figures(found: list[Found], *, engine: str) -> list[Figure]:
    worst_ms = max(each.worst_ms for each in found)
    grown_mb = max(each.grown_mb for each in found)
    slower = round(median(each.beside_ms / each.quiet_ms for each in found), 2)
    missing = sorted({kind for each in found for kind in each.kinds_missing})
    return [
        tried(f"on {engine}: attempts at bad receivers", sum(each.attempts for each in found)),
        Figure("kinds never tried", len(missing), not missing),
        Figure("worst attempt, ms", round(worst_ms), worst_ms <= WORST_MS),
        Figure("memory growth, MB", round(grown_mb, 1), grown_mb <= MEMORY_MB),
        tried("healthy p99 alone, ms", round(median(each.quiet_ms for each in found), 1)),
        Figure("times that beside them", slower, slower <= SLOWER),
    ]


def _round(engine: Engine, sink: Process, bad: Process, turn_s: float) -> Found:
    ports = _ask(bad, "")
    urls = {f"http://127.0.0.1:{port}/": kind for kind, of_kind in ports.items() for port in of_kind}
    numbers = HEALTHY + 2 * len(urls)
    url = engine.empty()
    healthy = f"http://127.0.0.1:{sink.port}/"
    fill.populate(url, fill.Population(time.time_ns() // 1000, numbers, webhook=healthy, tokens=numbers))
    without, with_bad = range(HEALTHY, HEALTHY + len(urls)), range(HEALTHY + len(urls), numbers)
    with contextlib.closing(open_database(url)) as db:
        db.write_blocking(lambda tx: _set_actions(tx, without, dict(zip(with_bad, urls, strict=True))))
    with processes.service(url) as service:
        _latency_ms(service, sink, without, turn_s / 5)  # warm-up
        quiet_ms = _latency_ms(service, sink, without, turn_s)
        before_kib = service.memory_kib()
        service.forget_highest()
        beside_ms = _latency_ms(service, sink, with_bad, turn_s)
        grown_mb = (service.memory_kib("VmHWM") - before_kib) * 1024 / 1e6
    with contextlib.closing(open_database(url)) as db:
        attempts = db.read_blocking(
            lambda tx: tx.all(
                "SELECT d.destination, a.duration_us FROM attempts a JOIN deliveries d ON d.id = a.delivery_id"
                " WHERE d.destination <> :healthy",
                healthy=healthy,
            )
        )
    engine.drop(url)
    tried_kinds = {urls[row["destination"]] for row in attempts}
    worst_ms = max(row["duration_us"] for row in attempts) / 1000
    return Found(quiet_ms, beside_ms, grown_mb, len(attempts), worst_ms, sorted(ports.keys() - tried_kinds))


def _set_actions(tx: Any, without: range, bad: dict[int, str]) -> None:
    tx.run(
        "UPDATE rentals SET action = NULL, destination = NULL WHERE e164 = ANY(:numbers)",
        numbers=[fill.e164(n) for n in without],
    )
    for n, url in bad.items():
        tx.run("UPDATE rentals SET destination = :url WHERE e164 = :e164", url=url, e164=fill.e164(n))


def _latency_ms(service: Process, sink: Process, others: range, turn_s: float) -> float:
    """Return the p99 of the healthy: from when an SMS should arrive until the receiver has it. Meanwhile, each of the others
    gets one SMS, as fast as the service accepts them, and another after half the turn."""
    _ask(sink, "")
    stop = threading.Event()
    beside = threading.Thread(target=_bring_to_others, args=(service, others, turn_s / 2, stop))
    beside.start()
    due_ns: dict[int, int] = {}
    started_ns = time.monotonic_ns()
    with contextlib.closing(_connection(service)) as connection:
        for n in range(int(turn_s * PER_SECOND)):
            at_ns = started_ns + n * 1_000_000_000 // PER_SECOND
            time.sleep(max(0.0, (at_ns - time.monotonic_ns()) / 1e9))
            due_ns[_bring(connection, n % HEALTHY)] = at_ns
    stop.set()
    beside.join()
    time.sleep(2)
    arrived = dict(_ask(sink, ""))
    took_ms = sorted((arrived[id_] - at_ns) / 1e6 for id_, at_ns in due_ns.items())
    return took_ms[len(took_ms) * 99 // 100]


def _bring_to_others(service: Process, others: range, again_s: float, stop: threading.Event) -> None:
    with contextlib.closing(_connection(service)) as connection:
        for _ in range(2):
            began_s = time.monotonic()
            for n in others:
                _bring(connection, n)
            if stop.wait(max(0.0, began_s + again_s - time.monotonic())):
                return


def _connection(service: Process) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)


def _bring(connection: http.client.HTTPConnection, n: int) -> int:
    """Let an SMS arrive at the n-th number; return its id."""
    body = json.dumps({"to": fill.e164(n), "from": "+14155550123", "content": "Your code is 428613"})
    headers = {"Authorization": f"Bearer {fill.token_of(n)}"}
    connection.request("POST", "/api/v1/sandbox/message", body, headers)
    with connection.getresponse() as answer:
        assert answer.status == 201, answer.read()
        return int(json.load(answer)["id"])


def _ask(peer: Process, path: str) -> Any:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", peer.port, timeout=30)) as connection:
        connection.request("GET", f"/{path}")
        return json.load(connection.getresponse())
