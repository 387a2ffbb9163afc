"""How many deliveries a destination gets at once: more while it answers, fewer while it does not.

Rules:
1. Each account has its own pace with a host: others, whose addresses there may be in order, must not wait for one that
   is not. All accounts together get `HOST_MAX`.
2. A host starts with a few. Each answer lets one more through, each failure halves what it gets, down to one.
3. What comes while a host has all it gets is held, and follows in the order it came as others end: a quick host
   is never held up.
4. A host that let an attempt wait in vain holds nothing and gets one attempt at a time: that is what a dead one
   costs. What it can't take now comes again later.
5. Everything is bounded: what is held for one host, what is held in all, and how many hosts are remembered.
"""

import re
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Generic, TypeVar

START, LIMIT_MAX = 2, 64
HOST_MAX = 512  # a third of what is under way at most: a popular host that is dead leaves the others theirs
HELD_BY_HOST, QUEUED = 256, 2048
HOSTS = 10_000

Delivery = TypeVar("Delivery")
Key = tuple[int, str]  # account, host and port

_end_of_authority = re.compile(r"[/?#\\]")


class Admission(Enum):
    """When a delivery may be attempted."""

    ADMITTED = "now"
    QUEUED = "held"  # `end` gives it back when its turn has come
    REJECTED = "later"  # bring it again


@dataclass(slots=True)
class _Host(Generic[Delivery]):
    limit: int = START
    under_way: int = 0
    dead: bool = False
    held: deque[Delivery] = field(default_factory=deque)


class ConcurrencyLimiter(Generic[Delivery]):
    """Counts what is under way, by account, host and port."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[Key, _Host[Delivery]] = OrderedDict()  # the one asked for last stands last
        self._under_way: Counter[str] = Counter()  # of all accounts, by host and port
        self._later: dict[Key, set[str]] = {}  # URLs that were told to come later
        self._held = 0

    def begin(self, account_id: int, destination: str, delivery: Delivery) -> Admission:
        """Whether the delivery may go there now; if so it counts as under way until `end`."""
        key = _key(account_id, destination)
        host = self._host(key)
        if self._room(key, host) and not host.held:
            self._count(key, host, 1)
            return Admission.ADMITTED
        alone = not host.under_way  # held, it would wait for an `end` that never comes
        if host.dead or alone or len(host.held) >= HELD_BY_HOST or self._held >= QUEUED:
            self._later.setdefault(key, set()).add(destination)
            return Admission.REJECTED
        host.held.append(delivery)
        self._held += 1
        return Admission.QUEUED

    def end(
        self, account_id: int, destination: str, *, answered: bool | None, in_vain: bool = False
    ) -> tuple[list[Delivery], list[Delivery]]:
        """One is done: those held that are under way from now on, and those that have to come again later.

        `answered`: the host is in order, whatever it said of this delivery; None: nothing was learned.
        `in_vain`: it did not even say no, but let us wait.
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
        if len(host.held) <= HELD_BY_HOST // 2:  # not sooner: each look at the tables should bring many
            self._later.pop(key, None)
        return begun, []  # whoever ends one leaves room for one

    def saturated(self) -> list[tuple[int, str]]:
        """The accounts' destinations that can't take more now."""
        return [(key[0], url) for key, urls in self._later.items() if self._hosts[key].under_way for url in urls]

    def release(self) -> list[Delivery]:
        """Everything held, which is held no longer."""
        return [delivery for host in self._hosts.values() for delivery in self._take(host, len(host.held))]

    def _room(self, key: Key, host: _Host[Delivery]) -> int:
        """How many more may be under way there."""
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
    """Host and port of a URL, whatever it looks like: nobody has vetted it yet."""
    return _end_of_authority.split(destination.partition("://")[2], maxsplit=1)[0].lower()
