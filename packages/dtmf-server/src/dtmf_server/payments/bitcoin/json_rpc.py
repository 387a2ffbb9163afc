"""Bitcoin Core's JSON-RPC: one method per call, several in a batch."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import msgspec

from dtmf_server.payments.bitcoin import node_errors
from dtmf_server.payments.bitcoin.chain import ChainUnavailable

TIMEOUT_S = 60.0
OK, UNAUTHORIZED, BUSY = 200, 401, 503
BUSY_WAITS_S = (0.1, 0.3, 0.9)  # before a call that found the node's work queue full is sent again

# Error codes of Bitcoin Core, src/rpc/protocol.h.
MISC_ERROR = -1
NOT_FOUND = -5
OUT_OF_RANGE = -8
WARMING_UP = -28


class NodeUnavailable(ChainUnavailable):
    """The node does not answer, or not to us."""


class RpcError(ChainUnavailable):
    """The node refused a call."""

    def __init__(self, method: str, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"the node refuses {method}: {message} (code {code})")


class Rpc:
    """The calls of one node, at `http://user:password@host:port`. An asynchronous context manager.

    `cookie` is the node's cookie file, which has the user and password if the URL has none; the node writes another at each
    start, so it is read again when the node refuses the last one."""

    def __init__(self, url: str, cookie: Path | None = None) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", "", ""))
        self._login: str | None = None
        self._cookie = cookie if parts.username is None else None
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            self._login = aiohttp.encode_basic_auth(user, password, "utf-8")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Rpc":
        headers = {"Content-Type": "application/json"}
        self._session = aiohttp.ClientSession(headers=headers, trust_env=False)
        return self

    async def __aexit__(self, *_reason: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(self, method: str, *parameters: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """The result of one call. Raises RpcError, or NodeUnavailable."""
        (result,) = await self.batch([(method, parameters)], timeout_s=timeout_s)
        if isinstance(result, RpcError):
            raise result
        return result

    async def batch(self, asked: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float = TIMEOUT_S) -> list[Any]:
        """The results of several calls, in their order; one that was refused is an RpcError in its place."""
        calls = [{"id": place, "method": method, "params": list(p)} for place, (method, p) in enumerate(asked)]
        answers = await self._answers(msgspec.json.encode(calls), timeout_s)
        try:
            by_place = {answer["id"]: answer for answer in answers}
            return [_result(method, by_place[place]) for place, (method, _) in enumerate(asked)]
        except (TypeError, LookupError) as error:
            raise NodeUnavailable(node_errors.no_node(self._url)) from error

    async def _answers(self, body: bytes, timeout_s: float) -> Any:
        """What the node answers, as JSON. Raises NodeUnavailable, RpcError."""
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
        """Status and body of the answer; the cookie file is read first, and again if the node refuses what it had."""
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
            user, _, password = path.read_text(encoding="utf-8").strip().partition(":")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise NodeUnavailable(node_errors.no_cookie(self._url, path, str(reason))) from error
        return aiohttp.encode_basic_auth(user, password, "utf-8")

    async def _post(self, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        assert self._session is not None, "used outside its block"
        headers = {"Authorization": self._login} if self._login else {}
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NodeUnavailable(node_errors.of_connection(self._url, error, timeout_s=timeout_s)) from error


def _result(method: str, answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    return answer["result"] if error is None else _error(method, error, raised=True)


def _error(method: str, error: dict[str, Any], *, raised: bool = False) -> ChainUnavailable:
    """The node's refusal of a call. Raises NodeUnavailable, or gives it, while the node is starting."""
    if error["code"] == WARMING_UP:
        starting = NodeUnavailable(f"the node is starting: {error['message']}")
        if raised:
            raise starting
        return starting
    return RpcError(method, error["code"], error["message"])
