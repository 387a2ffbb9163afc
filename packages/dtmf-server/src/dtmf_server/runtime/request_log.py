"""API requests of this process, until a worker records them. In memory, so that a request does not wait for its record;
bounded, so that a flood costs little."""

from collections import Counter

from msgspec import Struct

from dtmf_server.core.units import HOUR_US
from dtmf_server.storage.api_requests import ApiRequest

SUCCESSES_MAX, REFUSALS_MAX = 20_000, 500  # that wait
FREE_PER_HOUR = 1000  # of one account without a charge, and refused of one token
CALLERS_MAX = 10_000  # accounts and tokens that are counted in an hour
_CHARGED = frozenset({"transfers", "messages"})


class RefusedRequest(Struct, frozen=True):
    """A refused request, and the SHA-256 of its token."""

    request_id: str
    token_sha256: bytes
    operation: str
    status: int
    code: str
    at_wall_us: int


class RequestLog:
    """The requests that wait to be recorded. Beyond the bounds above, requests are dropped."""

    def __init__(self) -> None:
        self._successes: list[ApiRequest] = []
        self._refusals: list[RefusedRequest] = []
        self._hour, self._counts = 0, Counter[int | bytes]()

    def add(self, request: ApiRequest) -> None:
        """Add a request that succeeded. Those without a charge are limited: they must not fill the disk."""
        is_charged = not _CHARGED.isdisjoint(request.changes)
        if len(self._successes) < SUCCESSES_MAX and (
            is_charged or self._may_add(request.account_id, at_us=request.at_wall_us)
        ):
            self._successes.append(request)

    def add_refused(self, request: RefusedRequest) -> None:
        """Add a request that was refused."""
        if len(self._refusals) < REFUSALS_MAX and self._may_add(request.token_sha256, at_us=request.at_wall_us):
            self._refusals.append(request)

    def _may_add(self, caller: int | bytes, *, at_us: int) -> bool:
        """Count a request of a caller. Return False if it had too many in this hour, or too many callers had any."""
        if at_us // HOUR_US != self._hour:
            self._hour, self._counts = at_us // HOUR_US, Counter()
        count = self._counts.get(caller, 0)
        if count >= FREE_PER_HOUR or (not count and len(self._counts) >= CALLERS_MAX):
            return False
        self._counts[caller] = count + 1
        return True

    def take(self, limit: int) -> tuple[list[ApiRequest], list[RefusedRequest]]:
        """Remove and return the oldest successes and refusals, up to `limit` of each."""
        taken = self._successes[:limit], self._refusals[:limit]
        self._successes, self._refusals = self._successes[limit:], self._refusals[limit:]
        return taken
