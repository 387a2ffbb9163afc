"""Bitcoin Core's best chain: blocks by `getblock` with verbosity 0, the mempool by what `getrawmempool` has anew.

The node has no wallet and knows nothing of our addresses: we look for our scripts ourselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from typing import Any

from dtmf_server.bitcoin import parse
from dtmf_server.bitcoin.chain import CantFollow
from dtmf_server.bitcoin.rpc import MISC_ERROR, NOT_FOUND, OUT_OF_RANGE, Rpc, RpcError
from dtmf_server.core.chain import Block, Mempool, Output

STARTS_BELOW = 144  # blocks below the tip, so that a reorganisation right after the first start is followed too
TRANSACTIONS_PER_CALL = 200
SCAN_TIMEOUT_S = 3600.0
COIN = 100_000_000  # amounts of the RPC are coins; a double holds each of 21 million to the satoshi
TRANSACTIONS_PER_LOOK = 5_000  # of a mempool never seen before; the rest at the next looks

# Which of these scriptPubKeys are ours.
Ours = Callable[[Set[bytes]], Awaitable[set[bytes]]]


class CoreChain:
    """The best chain of a node on this network. Raises CantFollow in words wherever the node can't be followed."""

    def __init__(self, rpc: Rpc, network: str, ours: Ours) -> None:
        self._rpc = rpc
        self._network = network
        self._ours = ours
        self._seen: dict[str, list[Output]] = {}  # of every mempool transaction read so far, the outputs that are ours

    async def start(self) -> int:
        """A little below the tip: no address was given to anyone before the chain was first followed."""
        tip = await self.tip()
        return max(0, tip[0] - STARTS_BELOW) if tip else 0

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the best block."""
        info = await self._rpc.call("getblockchaininfo")
        if info["chain"] != self._network:
            raise CantFollow(
                f"the node is on the network {info['chain']!r} and bitcoin.network is {self._network!r}: nothing is"
                " credited until they agree"
            )
        return info["blocks"], info["bestblockhash"]

    async def block_hash(self, height: int) -> str | None:
        """The best chain's block at that height."""
        try:
            hash_: str = await self._rpc.call("getblockhash", height)
        except RpcError as error:
            if error.code == OUT_OF_RANGE:
                return None
            raise CantFollow(str(error)) from error
        return hash_

    async def knows(self, hash_: str) -> bool:
        """Whether the node has ever seen this block."""
        try:
            await self._rpc.call("getblockheader", hash_)
        except RpcError as error:
            if error.code == NOT_FOUND:
                return False
            raise CantFollow(str(error)) from error
        return True

    async def block(self, height: int) -> Block | None:
        """The best chain's block at that height, with the outputs that are ours."""
        hash_ = await self.block_hash(height)
        if hash_ is None:
            return None
        try:
            raw = bytes.fromhex(await self._rpc.call("getblock", hash_, 0))
        except RpcError as error:
            if error.code == MISC_ERROR and "pruned" in error.message:
                raise CantFollow(
                    f"the node has pruned block {height}, which we have not read: let it fetch the chain again"
                    " without prune, or with a larger one"
                ) from error
            raise CantFollow(str(error)) from error
        transactions = await asyncio.to_thread(parse.transactions_of, raw)
        ours = await self._ours(parse.scripts_of(transactions))
        return parse.block_of(raw, height, transactions, ours)

    async def mempool(self) -> Mempool:
        """What waits to be mined. Transactions never seen before are read, so many at a look."""
        txids = set(await self._rpc.call("getrawmempool"))
        self._seen = {txid: outputs for txid, outputs in self._seen.items() if txid in txids}
        unread = sorted(txids - self._seen.keys())[:TRANSACTIONS_PER_LOOK]
        for first in range(0, len(unread), TRANSACTIONS_PER_CALL):
            await self._read(unread[first : first + TRANSACTIONS_PER_CALL])
        return Mempool(txids, [output for outputs in self._seen.values() for output in outputs])

    async def unspent(self, descriptor: str, last_index: int) -> list[tuple[Output, int]]:
        """Every unspent output of the best chain on the descriptor's addresses up to that index, each with its block's
        height. The node looks through all coins there are: minutes on the main chain."""
        wanted = [{"desc": descriptor, "range": [0, last_index]}]
        try:
            found = await self._rpc.call("scantxoutset", "start", wanted, timeout_s=SCAN_TIMEOUT_S)
        except RpcError as error:
            raise CantFollow(str(error)) from error
        return [
            (
                Output(one["txid"], one["vout"], bytes.fromhex(one["scriptPubKey"]), round(one["amount"] * COIN)),
                one["height"],
            )
            for one in found["unspents"]
        ]

    async def output(self, txid: str, vout: int) -> tuple[Output, int] | None:
        """An unspent output, of the mempool too, and its confirmations; None if there is none."""
        found = await self._rpc.call("gettxout", txid, vout, True)
        if found is None:
            return None
        script = bytes.fromhex(found["scriptPubKey"]["hex"])
        return Output(txid, vout, script, round(found["value"] * COIN)), found["confirmations"]

    async def _read(self, txids: list[str]) -> None:
        """Reads transactions; those that have left the mempool meanwhile are left out."""
        results = await self._rpc.batch([("getrawtransaction", [txid]) for txid in txids])
        found: list[Any] = []
        for txid, raw in zip(txids, results, strict=True):
            if isinstance(raw, RpcError):
                if raw.code != NOT_FOUND:
                    raise CantFollow(str(raw)) from raw
                continue
            transaction = parse.transaction_of(bytes.fromhex(raw))
            self._seen[txid] = []
            found.append(transaction)
        ours = await self._ours(parse.scripts_of(found))
        for output in parse.outputs_to(found, ours):
            self._seen[output.txid].append(output)
