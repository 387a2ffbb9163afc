"""A client of Bitcoin Core's JSON-RPC: single calls and batches."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpcore2
import msgspec

from dtmf_server.payments.bitcoin import node_errors
from dtmf_server.payments.bitcoin.chain import ChainUnavailable

TIMEOUT_S = 60.0
OK, UNAUTHORIZED, BUSY = 200, 401, 503
BUSY_WAITS_S = (0.1, 0.3, 0.9)  # delays before a call is retried because the node's work queue is full
ANSWER_MAX_BYTES = 256 * 1024 * 1024  # 200 transactions of the largest standard size, in hex, are 160 MB
CONNECTIONS_MAX = 100
IDLE_MAX_S = 15.0  # the node closes a connection that is idle for 30 s: rpcservertimeout

# Error codes of Bitcoin Core, src/rpc/protocol.h.
MISC_ERROR = -1
NOT_FOUND = -5
OUT_OF_RANGE = -8
WARMING_UP = -28

_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
    OSError,
    ValueError,
)


class NodeUnavailable(ChainUnavailable):
    """The node does not answer, or refuses us."""


class RpcError(ChainUnavailable):
    """The node refused a call."""

    def __init__(self, method: str, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"the node refused {method}: {message} (code {code})")


class Rpc:
    """The RPC of one node, at `http://user:password@host:port`. An asynchronous context manager.

    `cookie` is the node's cookie file, which has the user and password if the URL does not. The node writes a new one
    at each start, so the file is read again if the node refuses the credentials.
    """

    def __init__(self, url: str, cookie: Path | None = None) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", "", ""))
        self._login: str | None = None
        self._cookie = cookie if parts.username is None else None
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            self._login = _basic(f"{user}:{password}")
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def __aenter__(self) -> "Rpc":
        tls = ssl.create_default_context() if self._url.startswith("https:") else None
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_MAX_S
        )
        return self

    async def __aexit__(self, *_reason: object) -> None:
        assert self._pool is not None
        await self._pool.aclose()

    async def call(self, method: str, *parameters: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Return the result of one call. Raises RpcError or NodeUnavailable."""
        (result,) = await self.batch([(method, parameters)], timeout_s=timeout_s)
        if isinstance(result, RpcError):
            raise result
        return result

    async def batch(self, asked: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float = TIMEOUT_S) -> list[Any]:
        """Return the results of several calls, in order; a refused call is an RpcError in its place."""
        calls = [{"id": place, "method": method, "params": list(p)} for place, (method, p) in enumerate(asked)]
        answers = await self._answers(msgspec.json.encode(calls), timeout_s)
        try:
            by_place = {answer["id"]: answer for answer in answers}
            return [_result(method, by_place[place]) for place, (method, _) in enumerate(asked)]
        except (TypeError, LookupError) as error:
            raise NodeUnavailable(node_errors.no_node(self._url)) from error

    async def _answers(self, body: bytes, timeout_s: float) -> Any:
        """Return the node's answer as JSON. Raises NodeUnavailable or RpcError."""
        status, answer = await self._post_with_login(body, timeout_s)
        for wait_s in BUSY_WAITS_S:
            if status != BUSY:
                break
            await asyncio.sleep(wait_s)
            status, answer = await self._post_with_login(body, timeout_s)
        try:
            answers = msgspec.json.decode(answer)
        except msgspec.DecodeError as error:
            raise NodeUnavailable(node_errors.of_status(self._url, status, answer)) from error
        if status != OK:
            refused = answers.get("error") if isinstance(answers, dict) else None
            if isinstance(refused, dict) and isinstance(refused.get("code"), int):
                raise _error("the call", refused)
            raise NodeUnavailable(node_errors.of_status(self._url, status, answer))
        return answers

    async def _post_with_login(self, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Return status and body of the answer. The cookie file is read first, and again if the node refuses its
        credentials."""
        if self._cookie is None:
            return await self._post(body, timeout_s)
        known = self._login or self._read_cookie(self._cookie)
        self._login = known
        status, answer = await self._post(body, timeout_s)
        if status == UNAUTHORIZED:
            self._login = self._read_cookie(self._cookie)
            if self._login != known:
                status, answer = await self._post(body, timeout_s)
        return status, answer

    def _read_cookie(self, path: Path) -> str:
        try:
            return _basic(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise NodeUnavailable(node_errors.no_cookie(self._url, path, str(reason))) from error

    async def _post(self, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        assert self._pool is not None, "used outside its context"
        answer = bytearray()
        response = None
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._pool.handle_async_request(self._request(body))
                try:
                    async with aclosing(response.aiter_stream()) as parts:
                        async for part in parts:
                            answer += part
                            if len(answer) > ANSWER_MAX_BYTES:
                                raise NodeUnavailable(node_errors.too_long(self._url, ANSWER_MAX_BYTES))
                finally:
                    await response.aclose()
        except _FAILURES as error:
            has_begun = response is not None
            text = node_errors.of_connection(self._url, error, timeout_s=timeout_s, has_begun=has_begun)
            raise NodeUnavailable(text) from error
        return response.status, bytes(answer)

    def _request(self, body: bytes) -> httpcore2.Request:
        parts = urlsplit(self._url)
        host = (parts.hostname or "").encode("idna")
        url = httpcore2.URL(scheme=parts.scheme.encode(), host=host, port=parts.port, target=parts.path.encode())
        headers = [("Host", parts.netloc.encode("idna").decode()), ("Content-Type", "application/json")]
        headers.append(("Content-Length", str(len(body))))
        if self._login:
            headers.append(("Authorization", self._login))
        return httpcore2.Request("POST", url, headers=headers, content=body)


def _basic(credentials: str) -> str:
    return "Basic " + b64encode(credentials.encode()).decode()


def _result(method: str, answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    return answer["result"] if error is None else _error(method, error, raised=True)


def _error(method: str, error: dict[str, Any], *, raised: bool = False) -> ChainUnavailable:
    """Return the error for a refused call. While the node is starting, raise NodeUnavailable, or return it unless
    `raised`."""
    if error["code"] == WARMING_UP:
        starting = NodeUnavailable(f"the node is starting: {error['message']}")
        if raised:
            raise starting
        return starting
    return RpcError(method, error["code"], error["message"])
