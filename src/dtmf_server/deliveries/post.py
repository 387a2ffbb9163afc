"""One bounded POST to a webhook, and in words what became of it.

Rules:
1. Nothing is dialled that was not vetted now: the URL is parsed again, its name is resolved once, every
   address is vetted, and each socket asks once more. The name stays in SNI and Host.
2. Everything is bounded: the whole attempt by `deadline_s`, the reply by 64 KiB read (connection.py) and 1 KiB kept,
   the connections by number, and a pooled connection by its age, so that none is used long after it was vetted.
3. Redirects are not followed; cookies, compression and the environment's proxies do not exist here.
4. The status line decides. A receiver that answered 200 and then dawdles has the message: sending it again
   would only make a double of it.
5. A reason never quotes what a receiver sent.
"""

import asyncio
import errno
import os
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from dtmf_server.core.destination import Destination, parse
from dtmf_server.deliveries.connection import READ_BYTES, Connector, NoAnswer
from dtmf_server.deliveries.resolver import Lookup, LookupFailed, NotVetted, VettingResolver, is_ours, look_up

KEPT_BYTES = 1024

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "dtmf-webhook/1",
    "Accept-Encoding": "identity",
}
_whole_seconds = re.compile(r"[0-9]{1,10}").fullmatch
# What OpenSSL's verification found (x509_vfy.h), for those that a receiver can put right.
_CERTIFICATE_FAULTS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself, not by a known authority",
    19: "the certificate is not signed by a known authority",
    20: "the certificate is not signed by a known authority",
    21: "the certificate is not signed by a known authority",
    62: "the certificate is not for {host}",
    64: "the certificate is not for {host}",
}
# The addresses that the current attempt has dialled. aiohttp reports a failure without them, and the tasks it
# dials in inherit this list.
_dialled: ContextVar[list[str]] = ContextVar("dialled")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an attempt may take, how old a connection may get, and how many there may be."""

    deadline_s: float = 15.0
    pool_life_s: float = 15.0
    # Not fewer than the outbox has under way, in all and for one host: who waits here for a connection does so
    # within the deadline of an attempt that its receiver never hears of.
    connections: int = 1500
    connections_per_host: int = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    status: int | None  # None: there was no answer
    reason: str  # in words, for the renter
    reply: str = ""  # the first 1,024 bytes; what is not UTF-8 and NUL are replaced
    retry_after_s: int | None = None  # what a 429 or 503 asked for
    duration_us: int = 0


@dataclass(slots=True)
class _Answer:
    """What has come so far, while an attempt is under way."""

    status: int | None = None
    reply: bytes = b""
    retry_after_s: int | None = None


@dataclass(slots=True)
class _Pool:
    """A session whose connections were all vetted after `opened_s`."""

    session: aiohttp.ClientSession
    opened_s: float
    attempts: int = 0


class Poster:
    """Posts to webhooks. An async context manager; any number of posts may be under way at once."""

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
        self._tls = ssl_context or _verifying_context()
        self._is_own, self._lookup = is_own, lookup
        self._bounds = bounds
        self._pools: list[_Pool] = []  # the last one is in use, those before it are running dry

    async def __aenter__(self) -> Self:
        self._resolver = VettingResolver(sandbox=self._sandbox, is_own=self._is_own, lookup=self._lookup)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._pools:
            await self._pools.pop().session.close()

    async def post(self, destination: Destination, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Posts `body` once. Raises nothing for what a receiver does; cancelling it cancels the attempt."""
        started_ns = time.monotonic_ns()
        answer = _Answer()
        dialled: list[str] = []
        _dialled.set(dialled)
        try:
            # Vetted again: it may have been stored under other rules.
            vetted = parse(destination.url, sandbox=self._sandbox)
        except ValueError as error:
            reason = str(error).removesuffix(".")
        else:
            reason = await self._attempt(vetted, body, headers, answer, dialled)
        return Outcome(
            answer.status,
            reason,
            answer.reply.decode("utf-8", "replace").replace("\x00", "\ufffd"),
            answer.retry_after_s,
            (time.monotonic_ns() - started_ns) // 1000,
        )

    async def _attempt(
        self,
        destination: Destination,
        body: bytes,
        headers: Mapping[str, str],
        answer: _Answer,
        dialled: list[str],
    ) -> str:
        """Fills `answer` with what the receiver says, and gives the reason in words."""
        try:
            async with asyncio.timeout(self._bounds.deadline_s), self._pool() as session:
                await _exchange(session, destination, body, headers, answer)
        except TimeoutError:
            if answer.status is None:
                return f"no answer within {self._bounds.deadline_s:g} s"
            return f"{_answered(answer)}, but its reply did not end within {self._bounds.deadline_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            if answer.status is None:
                return _failure(error, host=destination.host, dialled=" and ".join(dict.fromkeys(dialled)))
            return f"{_answered(answer)}, but broke off its reply"
        return _answered(answer)

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[aiohttp.ClientSession]:
        """The session in use, counted as in use; closes those that are too old and have run dry."""
        now_s = time.monotonic()
        if not self._pools or now_s - self._pools[-1].opened_s >= self._bounds.pool_life_s:
            self._pools.append(_Pool(self._open_session(), now_s))
        pool = self._pools[-1]
        pool.attempts += 1
        try:
            yield pool.session
        finally:
            pool.attempts -= 1
            for dry in [old for old in self._pools[:-1] if not old.attempts]:
                self._pools.remove(dry)
                await dry.session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        connector = Connector(
            resolver=self._resolver,
            use_dns_cache=False,
            socket_factory=self._open_socket,
            ssl=self._tls,
            limit=self._bounds.connections,
            limit_per_host=self._bounds.connections_per_host,
            keepalive_timeout=self._bounds.pool_life_s,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the deadline is ours
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BYTES // 4,
        )

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket to dial a vetted address with: the last check, which literals in a URL meet too."""
        family, kind, protocol, _, sockaddr = info
        address, port = str(sockaddr[0]), sockaddr[1]
        self._resolver.vet(address)
        _dialled.get().append(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
        return socket.socket(family, kind, protocol)


def _verifying_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _exchange(
    session: aiohttp.ClientSession,
    destination: Destination,
    body: bytes,
    headers: Mapping[str, str],
    answer: _Answer,
) -> None:
    sent = CIMultiDict(headers)
    sent.update(_HEADERS)
    url = URL(destination.url, encoded=True)
    assert url.raw_host == destination.host, "aiohttp would dial another host than the one vetted"
    async with session.post(url, data=body, headers=sent, allow_redirects=False) as response:
        answer.status = response.status
        if response.status in {429, 503}:
            answer.retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
        async for chunk in response.content.iter_any():
            answer.reply = (answer.reply + chunk[:KEPT_BYTES])[:KEPT_BYTES]


def _retry_after_s(text: str) -> int | None:
    """Seconds that a Retry-After asks for (RFC 9110 §10.2.3), None if it says nothing we understand."""
    text = text.strip()
    if _whole_seconds(text):
        return int(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0, round((at - datetime.now(UTC)).total_seconds()))


def _answered(answer: _Answer) -> str:
    return f"the receiver answered {answer.status}"


def _failure(error: aiohttp.ClientError | OSError, *, host: str, dialled: str) -> str:
    """Why there is no answer, in words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_fault(error.certificate_error, host)
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"the TLS handshake with {dialled or host} failed"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, NotVetted | LookupFailed | NoAnswer):
        return str(cause)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connect_fault(error.os_error, dialled or host)
    if isinstance(error, aiohttp.ClientResponseError):
        return "the receiver's answer is not HTTP/1.1"
    return "the receiver closed the connection without an answer"


def _certificate_fault(error: Exception, host: str) -> str:
    code = getattr(error, "verify_code", None)
    return _CERTIFICATE_FAULTS.get(code or 0, "the certificate could not be verified").format(host=host)


def _connect_fault(error: OSError, dialled: str) -> str:
    if error.errno == errno.ECONNREFUSED:
        return f"connection refused by {dialled}"
    if error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return f"no route to {dialled}"
    if error.errno is None:  # asyncio's own words, for a receiver that hangs up on a handshake, or for several failures
        handshake = isinstance(error, ConnectionResetError)
        return f"the TLS handshake with {dialled} failed" if handshake else f"no connection to {dialled}"
    return f"no connection to {dialled}: {os.strerror(error.errno).lower()}"
