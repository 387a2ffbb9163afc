"""The seam between this package and the network: `send(request) -> reply`.

http_transport.py fills it with httpcore2, the connection layer of httpx2. Anything else with a `send` may take
its place, `DTMF(token, transport=...)`: another HTTP library, a recorder, an in-process application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt of one call, complete but for Host and Content-Length. Its repr hides headers and body."""

    method: str
    base_url: str
    path: str
    """Begins with a slash, query included, escaped."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout_s: float
    """What is left for this attempt, from connecting to the last byte of the reply."""

    @property
    def url(self) -> str:
        """Where it goes."""
        return self.base_url + self.path


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the request was granted."""
        return 200 <= self.status < 300


class Transport(Protocol):
    """Carries requests for DTMF. Threads share it. If it has a close(), the client's close() calls it.

    `send` makes one attempt and follows no redirect. Without a whole reply it raises an OSError (TimeoutError
    when late) and the client tries again, or, where that can't help, a ConnectionFailedError with `permanent`
    set. What else it raises reaches the caller as it is."""

    def send(self, request: Request, /) -> Reply:
        """The reply to the request, whatever its status."""


class AsyncTransport(Protocol):
    """The same for AsyncDTMF, awaited. Tasks share it. If it has a close(), that is awaited too."""

    async def send(self, request: Request, /) -> Reply:
        """The reply to the request, whatever its status."""
