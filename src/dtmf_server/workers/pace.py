"""How many deliveries a destination gets at once: more while it answers, fewer while it does not.

A host starts with a few. Each answer lets one more through, each failure halves what it gets, down to one at a
time: a dead host costs one attempt, a quick one is never held up. What is known of a host is forgotten when
nothing is under way there and nothing is wrong.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

START, MOST = 2, 64


@dataclass(slots=True)
class _Host:
    limit: int = START
    under_way: int = 0
    destinations: set[str] = field(default_factory=set)  # URLs asked for while the host was full


class Pace:
    """Counts what is under way, by host and port."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def begin(self, destination: str) -> bool:
        """Whether one more may go there now; if so it counts as under way until `end`."""
        host = self._hosts.setdefault(_key(destination), _Host())
        if host.under_way >= host.limit:
            host.destinations.add(destination)
            return False
        host.under_way += 1
        return True

    def end(self, destination: str, *, answered: bool) -> None:
        """One is done; `answered`: the host is in order, whatever it said of this delivery."""
        key = _key(destination)
        host = self._hosts[key]
        host.under_way -= 1
        host.limit = min(MOST, host.limit + 1) if answered else max(1, host.limit // 2)
        host.destinations.clear()
        if not host.under_way and host.limit >= START:
            del self._hosts[key]

    def full(self) -> list[str]:
        """The destinations that can't take more now."""
        return [url for host in self._hosts.values() if host.under_way >= host.limit for url in host.destinations]


def _key(destination: str) -> str:
    return urlsplit(destination).netloc or destination
