"""The JSON-RPC of the Electrum daemon."""

from base64 import b64encode
from typing import Any

from dtmf_server.payments.lightning.base import NodeUnavailable
from dtmf_server.payments.lightning.node_api import NodeApi, understood

PASSWORD = "lightning.password"  # noqa: S105 - the name of a setting
OF_THE_DAEMON = ("getinfo",)  # methods without a wallet


class RpcRefused(Exception):
    """The daemon refused a call."""


class ElectrumRpc:
    """The daemon at `url`. `wallet` is the path of the wallet, None for the daemon's default one."""

    def __init__(self, url: str, *, user: str, password: str, wallet: str | None) -> None:
        login = b64encode(f"{user}:{password}".encode()).decode()
        self._api = NodeApi(url, headers={"Authorization": f"Basic {login}"})
        self._wallet = {"wallet": wallet} if wallet else {}

    async def call(self, method: str, **options: Any) -> Any:
        """Return the result of a call. Raises NodeUnavailable."""
        try:
            return await self.called(method, **options)
        except RpcRefused as error:
            raise NodeUnavailable(f"Electrum refused {method}: {error}") from error

    async def called(self, method: str, **options: Any) -> Any:
        """Return the result of a call. Raises RpcRefused, NodeUnavailable."""
        parameters = options if method in OF_THE_DAEMON else options | self._wallet
        reply = await self._api.request("POST", "/", body={"id": 1, "method": method, "params": parameters})
        if reply.is_error:
            raise reply.failure(PASSWORD)
        answer = reply.json()
        with understood():
            if error := answer.get("error"):
                raise RpcRefused(" ".join(str(error["message"]).split())[:200])
            return answer["result"]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
