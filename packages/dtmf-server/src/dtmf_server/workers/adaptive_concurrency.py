"""Adaptive concurrency: more deliveries at once to destinations that answer, fewer to those that don't.

Rules:
1. The limit is per account and host: one account's broken webhook must not delay other accounts' webhooks on the same
   host. All accounts together get `HOST_MAX`.
2. A host starts with a few. Each answer raises its limit by one, each failure halves it, down to one.
3. Deliveries over the limit are queued in order and start as others end, so a fast host is never idle.
4. A host that timed out has no queue and gets one attempt at a time; the rest are deferred.
5. Everything is bounded: the queue per host, the queue in total, and the number of hosts remembered.
"""

import re
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Generic, TypeVar

START, LIMIT_MAX = 2, 64
HOST_MAX = 512  # a third of all concurrent deliveries, so that a popular dead host can't starve others
HELD_BY_HOST, QUEUED = 256, 2048
HOSTS = 10_000

Delivery = TypeVar("Delivery")
Key = tuple[int, str]  # account, host and port

_end_of_authority = re.compile(r"[/?#\\]")


class Admission(Enum):
    """Whether a delivery may be attempted now."""

    ADMITTED = "now"
    QUEUED = "held"  # `end` returns it when it may start
    REJECTED = "later"  # try again later


@dataclass(slots=True)
class _Host(Generic[Delivery]):
    limit: int = START
    under_way: int = 0
    dead: bool = False
    held: deque[Delivery] = field(default_factory=deque)


class ConcurrencyLimiter(Generic[Delivery]):
    """Limits concurrent deliveries by account, host and port."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[Key, _Host[Delivery]] = OrderedDict()  # the most recently used is last
        self._under_way: Counter[str] = Counter()  # over all accounts, by host and port
        self._later: dict[Key, set[str]] = {}  # URLs with rejected deliveries
        self._held = 0

    def begin(self, account_id: int, destination: str, delivery: Delivery) -> Admission:
        """Admit, queue or reject a delivery. An admitted one counts as running until `end`."""
        key = _key(account_id, destination)
        host = self._host(key)
        if self._room(key, host) and not host.held:
            self._count(key, host, 1)
            return Admission.ADMITTED
        alone = not host.under_way  # nothing runs, so no `end` would release it from the queue
        if host.dead or alone or len(host.held) >= HELD_BY_HOST or self._held >= QUEUED:
            self._later.setdefault(key, set()).add(destination)
            return Admission.REJECTED
        host.held.append(delivery)
        self._held += 1
        return Admission.QUEUED

    def end(
        self, account_id: int, destination: str, *, answered: bool | None, in_vain: bool = False
    ) -> tuple[list[Delivery], list[Delivery]]:
        """Record the end of a delivery. Return queued deliveries that start now, and queued ones to defer.

        `answered`: the host works, whatever it answered; None if unknown. `in_vain`: the attempt timed out.
        """
        key = _key(account_id, destination)
        host = self._hosts[key]
        self._count(key, host, -1)
        if answered is not None:
            host.limit = min(LIMIT_MAX, host.limit + 1) if answered else max(1, host.limit // 2)
            host.dead = in_vain and not answered
        if host.dead:
            self._later.pop(key, None)
            return [], self._take(host, len(host.held))
        begun = self._take(host, self._room(key, host))
        self._count(key, host, len(begun))
        if len(host.held) <= HELD_BY_HOST // 2:  # not sooner, so that each database read returns many
            self._later.pop(key, None)
        return begun, []  # a finished delivery makes room for another

    def saturated(self) -> list[tuple[int, str]]:
        """Return the destinations, with their accounts, that can't take more now."""
        return [(key[0], url) for key, urls in self._later.items() if self._hosts[key].under_way for url in urls]

    def release(self) -> list[Delivery]:
        """Empty all queues and return their deliveries."""
        return [delivery for host in self._hosts.values() for delivery in self._take(host, len(host.held))]

    def _room(self, key: Key, host: _Host[Delivery]) -> int:
        """Return how many more deliveries may start."""
        return max(0, min(host.limit - host.under_way, HOST_MAX - self._under_way[key[1]]))

    def _count(self, key: Key, host: _Host[Delivery], more: int) -> None:
        host.under_way += more
        self._under_way[key[1]] += more
        if not self._under_way[key[1]]:
            del self._under_way[key[1]]

    def _take(self, host: _Host[Delivery], count: int) -> list[Delivery]:
        if not host.held:
            return []
        taken = [host.held.popleft() for _ in range(min(count, len(host.held)))]
        self._held -= len(taken)
        return taken

    def _host(self, key: Key) -> _Host[Delivery]:
        host = self._hosts.setdefault(key, _Host())
        self._hosts.move_to_end(key)
        if len(self._hosts) > HOSTS:
            idle = next((name for name, old in self._hosts.items() if not old.under_way and name != key), None)
            if idle is not None:
                del self._hosts[idle]
        return host


def _key(account_id: int, destination: str) -> Key:
    return account_id, _authority(destination)


@lru_cache(maxsize=HOSTS)
def _authority(destination: str) -> str:
    """Return host and port of a URL that has not been vetted yet."""
    return _end_of_authority.split(destination.partition("://")[2], maxsplit=1)[0].lower()
