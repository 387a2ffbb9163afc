"""A load that survives kill -9: every request keeps its Idempotency-Key until it is acknowledged.

`Load.run` sends from a few threads until it is told to stop or has sent all; what was not acknowledged stays in
line with its key. `Tally` then holds what was acknowledged against what the service has.
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
    """A request and the key it keeps, however often it is sent."""

    key: str
    method: str
    path: str
    body: Any = None


@dataclass
class Load:
    """Operations in line, and the answer to each that was acknowledged."""

    token: str
    random: Random
    e164: str
    address: str
    acked: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    waiting: deque[Operation] = field(default_factory=deque)
    unpaid: list[str] = field(default_factory=list)  # addresses without a deposit: the service gives only so many
    unacknowledged: int = 0  # how often an operation was sent without an answer
    answers: Counter[int] = field(default_factory=Counter)  # how often each status came; 503 too when none came
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        """Puts so many new operations in line, with no more rentals than a long run has numbers for."""
        rentals = RENTALS_AT_ONCE
        for _ in range(count):
            kind = self.random.choices(("receive", "send", "rent", "deposit", "address"), (10, 4, 2, 1, 1))[0]
            if (kind == "rent" and not rentals) or (kind == "address" and len(self.unpaid) >= UNPAID_MAX):
                kind = "receive"
            rentals -= kind == "rent"
            self._put(kind, f"op-{len(self.kinds)}")

    def _put(self, kind: str, key: str) -> None:
        sms = {"from": self.e164, "to": "+447911000000", "content": key}
        address = self.unpaid.pop() if kind == "deposit" and self.unpaid else self.address
        operation = {
            "receive": ("POST", "/sandbox/message", {"to": self.e164, "from": "Bank", "content": key}),
            "send": ("POST", "/message", sms),
            "rent": ("POST", "/numbers", {"group_id": GROUP}),
            "deposit": ("POST", "/sandbox/deposit", {"address": address, "amount": 1000 + len(self.kinds)}),
            "address": ("POST", "/addresses", None),
        }[kind]
        self.kinds[key] = kind
        self.waiting.append(Operation(key, *operation))

    def run(self, url: str, *, until_done: bool) -> list[threading.Thread]:
        """Starts the threads; each ends when nothing is left, or (unless `until_done`) when the service is gone."""
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
        """Whether the service answered. What it did not answer for good is next in line again."""
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
        """Every other rental is ended again, once it is known; a new address waits for its deposit."""
        if self.kinds[operation.key] == "address":
            self.unpaid.append(answer["address"])
        if self.kinds[operation.key] == "rent" and self.random.random() < 0.5:
            key = f"end-{operation.key}"
            self.kinds[key] = "end"
            self.waiting.append(Operation(key, "DELETE", f"/number?e164=%2B{answer['e164'][1:]}"))


@dataclass(frozen=True)
class Tally:
    """What is wrong, in numbers: all 0 when the promise is kept."""

    acked_lost: int
    effects_without_request: int
    double_charges: int
    wrong_charges: int


@dataclass(frozen=True)
class Stored:
    """What the service has: effects by kind and identity; charges made and charges due, by kind, fact and amount."""

    effects: Counter[tuple[str, Any]]
    charges: list[tuple[str, str, int]]
    due: set[tuple[str, str, int]]


def tally(load: Load, stored: Stored) -> Tally:
    """Holds what was acknowledged against what the service has now."""
    expected = Counter(_effect(load, key) for key in load.acked)
    return Tally(
        acked_lost=sum((expected - stored.effects).values()),
        effects_without_request=sum((stored.effects - expected).values()),
        double_charges=sum(count - 1 for count in Counter(stored.charges).values()),
        wrong_charges=sum(charge not in stored.due for charge in stored.charges)
        + sum(due not in stored.charges for due in stored.due),
    )


def _effect(load: Load, key: str) -> tuple[str, Any]:
    """What an acknowledged operation has brought about. A number is rented only once here: it rests for a day."""
    kind, answer = load.kinds[key], load.acked[key]
    if kind in ("receive", "send"):
        return kind, (answer["id"], key)
    if kind == "end":
        return kind, load.acked[key.removeprefix("end-")]["e164"]
    return kind, answer[{"rent": "e164", "deposit": "txid", "address": "address"}[kind]]
