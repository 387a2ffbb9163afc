"""A load that survives kill -9: every request keeps its Idempotency-Key until it is acknowledged.

`Load.run` sends from a few threads until it is stopped or has sent everything. Unacknowledged operations stay in the
queue with their keys. `Tally` then compares the acknowledged operations with the content of the service.
"""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from typing import Any

from support.server_process import Answer, request

THREADS = 4
GROUP, SETUP, PER_MINUTE, PER_SMS, PER_SENT = "gb-mobile", 4200, 11, 540, 1000
FUNDS = 50_000_000
RENTALS_AT_ONCE, UNPAID_MAX = 4, 20


@dataclass(frozen=True)
class Operation:
    """A request with its key, which stays the same however often it is sent."""

    key: str
    method: str
    path: str
    body: Any = None


@dataclass
class Load:
    """Queued operations, and the response to each acknowledged one."""

    token: str
    random: Random
    e164: str
    address: str
    acked: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    waiting: deque[Operation] = field(default_factory=deque)
    unpaid: list[str] = field(default_factory=list)  # addresses that no queued deposit pays
    paying: set[str] = field(default_factory=set)  # keys of the deposits that pay one of them
    unacknowledged: int = 0  # how often an operation was sent without a response
    answers: Counter[int] = field(
        default_factory=Counter
    )  # how often each status was returned; 503 also for no response
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        """Queue a number of new operations, with no more rentals than a long run has numbers for."""
        rentals = RENTALS_AT_ONCE
        for _ in range(count):
            kind = self.random.choices(("receive", "send", "rent", "deposit", "address"), (10, 4, 2, 1, 1))[0]
            if (kind == "rent" and not rentals) or (kind == "address" and self._unpaid_at_most() >= UNPAID_MAX):
                kind = "receive"
            rentals -= kind == "rent"
            self._put(kind, f"op-{len(self.kinds)}")

    def _put(self, kind: str, key: str) -> None:
        sms = {"from": self.e164, "to": "+447911000000", "content": key}
        address = self.address
        if kind == "deposit" and self.unpaid:
            address = self.unpaid.pop()
            self.paying.add(key)
        operation = {
            "receive": ("POST", "/sandbox/message", {"to": self.e164, "from": "Bank", "content": key}),
            "send": ("POST", "/message", sms),
            "rent": ("POST", "/numbers", {"group_id": GROUP}),
            "deposit": ("POST", "/sandbox/deposit", {"address": address, "amount": 1000 + len(self.kinds)}),
            "address": ("POST", "/addresses", None),
        }[kind]
        self.kinds[key] = kind
        self.waiting.append(Operation(key, *operation))

    def _unpaid_at_most(self) -> int:
        """Return how many addresses may be unpaid, whose number the service limits: requested, less those paid for sure."""
        return 1 + [*self.kinds.values()].count("address") - len(self.paying & self.acked.keys())

    def run(self, url: str, *, until_done: bool) -> list[threading.Thread]:
        """Start the threads. Each ends when nothing is left, or (unless `until_done`) when the service is gone."""
        threads = [threading.Thread(target=self._send_all, args=(url, until_done)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        return threads

    def _send_all(self, url: str, until_done: bool) -> None:
        while True:
            with self._lock:
                if not self.waiting:
                    return
                operation = self.waiting.popleft()
            if not self._send(url, operation) and not until_done:
                return

    def _send(self, url: str, operation: Operation) -> bool:
        """Send an operation; return whether the service responded. Operations without a final response are requeued."""
        try:
            answer = request(url, self.token, operation.method, operation.path, operation.body, key=operation.key)
        except (OSError, HTTPException):
            answer = Answer(503, b"")
        with self._lock:
            self.answers[answer.status] += 1
            if answer.status < 300:
                self.acked[operation.key] = answer.json if answer.body else None
                self._after(operation, self.acked[operation.key])
            elif answer.status >= 500:
                self.unacknowledged += 1
                self.waiting.appendleft(operation)
            else:
                self.refused.append(f"{operation}: {answer.status} {answer.body!r}")
        return answer.status < 500

    def _after(self, operation: Operation, answer: Any) -> None:
        """Queue follow-ups: the end of every other rental, and the deposit for a new address."""
        if self.kinds[operation.key] == "address":
            self.unpaid.append(answer["address"])
        if self.kinds[operation.key] == "rent" and self.random.random() < 0.5:
            key = f"end-{operation.key}"
            self.kinds[key] = "end"
            self.waiting.append(Operation(key, "DELETE", f"/number?e164=%2B{answer['e164'][1:]}"))


@dataclass(frozen=True)
class Tally:
    """The number of violations of each kind: all 0 if the promise holds."""

    acked_lost: int
    effects_without_request: int
    double_charges: int
    wrong_charges: int


@dataclass(frozen=True)
class Stored:
    """The content of the service: effects by kind and identity; charges made and due, by kind, subject and amount."""

    effects: Counter[tuple[str, Any]]
    charges: list[tuple[str, str, int]]
    due: set[tuple[str, str, int]]


def tally(load: Load, stored: Stored) -> Tally:
    """Compare the acknowledged operations with the content of the service."""
    expected = Counter(_effect(load, key) for key in load.acked)
    return Tally(
        acked_lost=sum((expected - stored.effects).values()),
        effects_without_request=sum((stored.effects - expected).values()),
        double_charges=sum(count - 1 for count in Counter(stored.charges).values()),
        wrong_charges=sum(charge not in stored.due for charge in stored.charges)
        + sum(due not in stored.charges for due in stored.due),
    )


def _effect(load: Load, key: str) -> tuple[str, Any]:
    """Return the effect of an acknowledged operation. A number is rented only once here, because of its cooldown."""
    kind, answer = load.kinds[key], load.acked[key]
    if kind in ("receive", "send"):
        return kind, (answer["id"], key)
    if kind == "end":
        return kind, load.acked[key.removeprefix("end-")]["e164"]
    return kind, answer[{"rent": "e164", "deposit": "txid", "address": "address"}[kind]]
