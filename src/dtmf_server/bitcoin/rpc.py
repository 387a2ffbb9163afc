"""Bitcoin Core's JSON-RPC: one method a call, several in a batch, errors told in words."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import msgspec

from dtmf_server.bitcoin.chain import CantFollow

TIMEOUT_S = 60.0

# Error codes of Bitcoin Core, src/rpc/protocol.h.
MISC_ERROR = -1
NOT_FOUND = -5
OUT_OF_RANGE = -8
WARMING_UP = -28


class NodeUnavailable(CantFollow):
    """The node does not answer, or not to us."""


class RpcError(CantFollow):
    """The node refused a call."""

    def __init__(self, method: str, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"the node refuses {method}: {message} (code {code})")


class Rpc:
    """The calls of one node, at `http://user:password@host:port`. An asynchronous context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", "", ""))
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            login, password = unquote(parts.username), unquote(parts.password or "")
            self._headers["Authorization"] = aiohttp.encode_basic_auth(login, password, "utf-8")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Rpc":
        self._session = aiohttp.ClientSession(headers=self._headers, trust_env=False)
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
        answers = await self._post(msgspec.json.encode(calls), timeout_s)
        try:
            by_place = {answer["id"]: answer for answer in answers}
            return [_result(method, by_place[place]) for place, (method, _) in enumerate(asked)]
        except (TypeError, LookupError) as error:
            raise NodeUnavailable(
                f"{self._url} does not answer as Bitcoin Core does: is bitcoin.rpc its address?"
            ) from error

    async def _post(self, body: bytes, timeout_s: float) -> Any:
        assert self._session is not None, "used outside its block"
        try:
            timeout = aiohttp.ClientTimeout(total=timeout_s)
            async with self._session.post(self._url, data=body, timeout=timeout, allow_redirects=False) as response:
                if response.status in (401, 403):
                    raise NodeUnavailable(
                        f"the node at {self._url} refuses our name or password (HTTP {response.status}): see"
                        " bitcoin.rpc, and rpcauth and rpcallowip of the node"
                    )
                return msgspec.json.decode(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise NodeUnavailable(f"the node at {self._url} does not answer: {reason}") from error
        except msgspec.DecodeError as error:
            raise NodeUnavailable(f"{self._url} does not answer as Bitcoin Core does: {error}") from error


def _result(method: str, answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    if error["code"] == WARMING_UP:
        raise NodeUnavailable(f"the node is starting: {error['message']}")
    return RpcError(method, error["code"], error["message"])
