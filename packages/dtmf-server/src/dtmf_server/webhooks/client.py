"""Webhook client: one bounded POST, with the outcome and a plain-English reason.

Rules:
1. Every destination is vetted before it is dialed: the URL is parsed again, its name is resolved once, all addresses are
   vetted, and each is vetted again when its socket is opened. The name stays in SNI and Host.
2. Everything is bounded: an attempt by `deadline_s`; a reply to 64 KiB read (connection.py) and 1 KiB stored; connections
   in number; pooled connections in age, so that none is used long after it was vetted.
3. Redirects are not followed. Cookies, compression and proxy environment variables are not supported.
4. The status line decides. A receiver that answered 200 and then stalls has the message: sending it again would only
   duplicate it.
5. A reason never quotes what a receiver sent.
"""

import asyncio
import errno
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import TracebackType
from typing import Self

from msgspec import Struct

from dtmf_server.core.body_templates import JSON_TYPE
from dtmf_server.core.webhook_url import Destination, parse
from dtmf_server.webhooks.connection import NoReply, Reply
from dtmf_server.webhooks.connection_pool import Pool
from dtmf_server.webhooks.resolver import Lookup, LookupFailed, NotVetted, VettingResolver, is_ours, look_up

_HEADERS = "User-Agent: dtmf-webhook/1\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
_OURS = {"host", "content-type", "user-agent", "accept", "accept-encoding", "content-length"}
_whole_seconds = re.compile(r"[0-9]{1,10}").fullmatch
# OpenSSL verification errors (x509_vfy.h) that a receiver can fix.
_CERTIFICATE_FAULTS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed, not signed by a known authority",
    19: "the certificate is not signed by a known authority",
    20: "the certificate is not signed by a known authority",
    21: "the certificate is not signed by a known authority",
    62: "the certificate is not for {host}",
    64: "the certificate is not for {host}",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on an attempt's duration, a connection's age, and the number of connections."""

    deadline_s: float = 15.0
    pool_life_s: float = 15.0
    # At least the number of concurrent deliveries, in total and per host: waiting for a connection counts toward the
    # attempt's deadline, so an attempt could time out without ever reaching its receiver.
    connections: int = 1500
    connections_per_host: int = 512


class Outcome(Struct, frozen=True):
    """The outcome of an attempt."""

    status: int | None  # None if there was no answer
    reason: str  # plain text for the renter
    reply: str = ""  # the first 1,024 bytes; invalid UTF-8 and NUL are replaced
    retry_after_s: int | None = None  # from a 429 or 503
    duration_us: int = 0


class WebhookClient:
    """Posts to webhooks. An async context manager; posts may run concurrently."""

    def __init__(
        self,
        *,
        sandbox: bool,
        ssl_context: ssl.SSLContext | None = None,
        is_own: Callable[[str], bool] = is_ours,
        lookup: Lookup = look_up,
        bounds: Bounds = Bounds(),
    ) -> None:
        self._sandbox = sandbox
        self._tls = ssl_context or _verifying_context(ssl.get_default_verify_paths())
        self._is_own, self._lookup = is_own, lookup
        self._bounds = bounds

    async def __aenter__(self) -> Self:
        resolver = VettingResolver(sandbox=self._sandbox, is_own=self._is_own, lookup=self._lookup)
        self._pool = Pool(
            resolver,
            self._tls,
            life_s=self._bounds.pool_life_s,
            most=self._bounds.connections,
            most_of_host=self._bounds.connections_per_host,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    async def post(
        self, destination: Destination, body: bytes, headers: Mapping[str, str], *, content_type: str = JSON_TYPE
    ) -> Outcome:
        """Post `body` once. Receiver errors are returned, never raised. Cancelling cancels the attempt."""
        started_ns = time.monotonic_ns()
        reply = Reply()
        try:
            # Vet again: the rules may have changed since it was stored.
            vetted = parse(destination.url, sandbox=self._sandbox)
        except ValueError as error:
            reason = str(error).removesuffix(".")
        else:
            reason = await self._attempt(vetted, _request(vetted, body, headers, content_type), reply)
        return Outcome(
            reply.status,
            reason,
            reply.body.decode("utf-8", "replace").replace("\x00", "\ufffd"),
            _retry_after_s(reply.retry_after) if reply.status in {429, 503} else None,
            (time.monotonic_ns() - started_ns) // 1000,
        )

    async def _attempt(self, destination: Destination, request: bytes, reply: Reply) -> str:
        """Fill `reply` with the receiver's response and return the reason as text."""
        dialled: list[str] = []
        try:
            async with asyncio.timeout(self._bounds.deadline_s):
                await self._pool.exchange(destination, request, reply, dialled)
        except TimeoutError:
            if reply.status is None:
                return f"no answer within {self._bounds.deadline_s:g} s"
            return (
                f"the receiver answered {reply.status}, but its reply did not end within {self._bounds.deadline_s:g} s"
            )
        except NoReply as error:
            return (
                str(error) if reply.status is None else f"the receiver answered {reply.status}, but broke off its reply"
            )
        except OSError as error:
            return _failure(error, host=destination.host, dialled=" and ".join(dict.fromkeys(dialled)))
        return f"the receiver answered {reply.status}"


@lru_cache(maxsize=1)
def _verifying_context(_trusted: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """Create the TLS context with the system's certificates. Cached per paths, because loading them takes 30 ms."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _request(destination: Destination, body: bytes, headers: Mapping[str, str], content_type: str) -> bytes:
    """Encode the POST request. Callers can't override our own headers."""
    _, _, rest = destination.url.partition("://")
    authority = rest[: len(rest) - len(destination.path)]
    given = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() not in _OURS)
    head = (
        f"POST {destination.path} HTTP/1.1\r\nHost: {authority}\r\n{given}Content-Type: {content_type}\r\n"
        f"{_HEADERS}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _retry_after_s(text: str) -> int | None:
    """Parse a Retry-After header (RFC 9110 §10.2.3) to seconds; None if it is invalid."""
    text = text.strip()
    if _whole_seconds(text):
        return int(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, round((at - datetime.now(UTC)).total_seconds()))


def _failure(error: OSError, *, host: str, dialled: str) -> str:
    """Describe why the connection failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_FAULTS.get(error.verify_code, "the certificate could not be verified").format(host=host)
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake with {dialled or host} failed"
    if isinstance(error, NotVetted | LookupFailed):
        return str(error)
    return _connect_fault(error, dialled or host)


def _connect_fault(error: OSError, dialled: str) -> str:
    if error.errno == errno.ECONNREFUSED:
        return f"connection refused by {dialled}"
    if error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return f"no route to {dialled}"
    if (
        error.errno is None
    ):  # raised by asyncio for a receiver that closes during the handshake, or for several failures
        handshake = isinstance(error, ConnectionResetError)
        return f"the TLS handshake with {dialled} failed" if handshake else f"no connection to {dialled}"
    return f"no connection to {dialled}: {os.strerror(error.errno).lower()}"
