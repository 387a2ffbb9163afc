"""API requests of this process, until a worker records them. In memory, so that a request does not wait for its record;
bounded, so that a flood costs little."""

from collections import Counter

from msgspec import Struct

from dtmf_server.core.units import HOUR_US
from dtmf_server.storage.api_requests import ApiRequest

SUCCESSES_MAX, REFUSALS_MAX = 20_000, 500  # that wait
REFUSALS_PER_HOUR = 1000  # of one token
TOKENS_MAX = 10_000  # whose refusals are counted in an hour


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
        self._hour, self._counts = 0, Counter[bytes]()

    def add(self, request: ApiRequest) -> None:
        """Add a request that succeeded."""
        if len(self._successes) < SUCCESSES_MAX:
            self._successes.append(request)

    def add_refused(self, request: RefusedRequest) -> None:
        """Add a request that was refused."""
        hour = request.at_wall_us // HOUR_US
        if hour != self._hour:
            self._hour, self._counts = hour, Counter()
        count = self._counts[request.token_sha256]
        is_counted = count > 0 or len(self._counts) < TOKENS_MAX
        if len(self._refusals) < REFUSALS_MAX and count < REFUSALS_PER_HOUR and is_counted:
            self._counts[request.token_sha256] += 1
            self._refusals.append(request)

    def take(self, limit: int) -> tuple[list[ApiRequest], list[RefusedRequest]]:
        """Remove and return the oldest successes and refusals, up to `limit` of each."""
        taken = self._successes[:limit], self._refusals[:limit]
        self._successes, self._refusals = self._successes[limit:], self._refusals[limit:]
        return taken
