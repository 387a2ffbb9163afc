"""The interface between this package and the network: `send(request) -> reply`.

http_transport.py implements it with httpcore2, the connection layer of httpx2. Any object with a `send` can replace
it, `DTMF(token, transport=...)`: another HTTP library, a recorder, an in-process application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt of a call, complete except for Host and Content-Length. Its repr hides headers and body."""

    method: str
    base_url: str
    path: str
    """Starts with a slash, includes the query, and is percent-encoded."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout_s: float
    """The time for this attempt, from connecting to the last byte of the reply."""

    @property
    def url(self) -> str:
        """The full URL."""
        return self.base_url + self.path


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """True if the status is 2xx."""
        return 200 <= self.status < 300


class Transport(Protocol):
    """Sends requests for DTMF. Threads share it. If it has a close(), the client's close() calls it.

    `send` makes one attempt and follows no redirects. Without a complete reply it raises an OSError (TimeoutError
    if late), and the client retries; or, if a retry can't help, a ConnectionFailedError with `permanent` set.
    Other exceptions reach the caller unchanged."""

    def send(self, request: Request, /) -> Reply:
        """Send the request and return the reply, whatever its status."""


class AsyncTransport(Protocol):
    """Transport for AsyncDTMF. Tasks share it. If it has a close(), the client's close() awaits it."""

    async def send(self, request: Request, /) -> Reply:
        """Send the request and return the reply, whatever its status."""
