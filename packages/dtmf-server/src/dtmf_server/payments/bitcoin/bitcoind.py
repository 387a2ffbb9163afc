"""Bitcoin Core's best chain: blocks from `getblock` with verbosity 0, and new mempool transactions from
`getrawmempool`.

The node needs no wallet and does not know our addresses: scripts are matched here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any

from dtmf_server.core.deposit_rules import Block, Mempool, Output
from dtmf_server.payments.bitcoin import block_parser
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.payments.bitcoin.json_rpc import MISC_ERROR, NOT_FOUND, OUT_OF_RANGE, Rpc, RpcError

STARTS_BELOW = 144  # blocks below the tip, so that a reorganization right after the first start can be followed too
TRANSACTIONS_PER_CALL = 200
SCAN_TIMEOUT_S = 3600.0
COIN = 100_000_000  # the RPC has amounts in coins; a double represents any of 21 million to the satoshi
TRANSACTIONS_PER_POLL = 5_000  # of a mempool never seen before; the rest is read in the next polls

# Return those of the given scriptPubKeys that are ours.
Ours = Callable[[Set[bytes]], Awaitable[set[bytes]]]


class CoreChain:
    """The best chain of a node on this network. Raises ChainUnavailable, which says why, if it cannot be followed."""

    def __init__(self, rpc: Rpc, network: str, ours: Ours) -> None:
        self._rpc = rpc
        self._network = network
        self._ours = ours
        self._seen: dict[str, list[Output]] = {}  # of each mempool transaction read so far: the outputs that are ours

    async def start(self) -> int:
        """Return a height a little below the tip: no address is issued before the chain is first followed."""
        tip = await self.tip()
        return max(0, tip[0] - STARTS_BELOW) if tip else 0

    async def tip(self) -> tuple[int, str] | None:
        """Return height and hash of the best block."""
        info = await self._rpc.call("getblockchaininfo")
        if info["chain"] != self._network:
            raise ChainUnavailable(
                f"the node is on the network {info['chain']!r}, but bitcoin.network is {self._network!r}: nothing is"
                " credited until they match"
            )
        if info["initialblockdownload"]:
            raise ChainUnavailable(
                f"the node is in its initial block download, at block {info['blocks']} of {info['headers']} known"
                " headers: deposits are credited once it has caught up with the network"
            )
        return info["blocks"], info["bestblockhash"]

    async def block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at that height."""
        try:
            hash_: str = await self._rpc.call("getblockhash", height)
        except RpcError as error:
            if error.code == OUT_OF_RANGE:
                return None
            raise
        return hash_

    async def knows(self, hash_: str) -> bool:
        """Return True if the node has ever seen this block."""
        try:
            await self._rpc.call("getblockheader", hash_)
        except RpcError as error:
            if error.code == NOT_FOUND:
                return False
            raise
        return True

    async def block(self, height: int) -> Block | None:
        """Return the best chain's block at that height, with the outputs that are ours."""
        hash_ = await self.block_hash(height)
        if hash_ is None:
            return None
        try:
            given: str = await self._rpc.call("getblock", hash_, 0)
        except RpcError as error:
            if error.code == MISC_ERROR and "pruned" in error.message:
                raise ChainUnavailable(
                    f"the node has pruned block {height}, which has not been read: make it download the chain again"
                    " without prune, or with a larger value; if that is not possible, `dtmf-server deposits skip --to HEIGHT`"
                    " continues above the pruned blocks"
                ) from error
            raise
        with _bytes_of(f"block {height}"):
            raw = bytes.fromhex(given)
            transactions = await asyncio.to_thread(block_parser.transactions_of, raw)
            block = block_parser.block_of(
                raw, height, transactions, await self._ours(block_parser.scripts_of(transactions))
            )
            if block.hash != hash_:
                raise ValueError(f"its hash is {block.hash}, not {hash_}")
            return block

    async def mempool(self) -> Mempool:
        """Return the mempool. Transactions never seen before are read, up to a limit per poll."""
        is_whole = (await self._rpc.call("getmempoolinfo"))["loaded"]
        txids = set(await self._rpc.call("getrawmempool"))
        self._seen = {txid: outputs for txid, outputs in self._seen.items() if txid in txids}
        unread = sorted(txids - self._seen.keys())[:TRANSACTIONS_PER_POLL]
        for first in range(0, len(unread), TRANSACTIONS_PER_CALL):
            await self._read(unread[first : first + TRANSACTIONS_PER_CALL])
        return Mempool(txids, [output for outputs in self._seen.values() for output in outputs], is_whole)

    async def unspent(self, descriptor: str, last_index: int) -> list[tuple[Output, int]]:
        """Return every unspent output of the best chain on the descriptor's addresses up to that index, each with the
        height of its block. The node scans the whole UTXO set: minutes on the main chain."""
        return await self._scan([{"desc": descriptor, "range": [0, last_index]}])

    async def _scan(self, wanted: list[Any]) -> list[tuple[Output, int]]:
        found = await self._rpc.call("scantxoutset", "start", wanted, timeout_s=SCAN_TIMEOUT_S)
        return [
            (_output(one["txid"], one["vout"], one["scriptPubKey"], one["amount"], one["coinbase"]), one["height"])
            for one in found["unspents"]
        ]

    async def unspent_of(self, script_pubkeys: Sequence[bytes]) -> list[tuple[Output, int]]:
        """Return the same for these scripts, up to the limit of one call."""
        wanted = [f"raw({script.hex()})" for script in script_pubkeys]
        return await self._scan(wanted)

    async def pruned_below(self) -> int:
        """Return the lowest block that the node still has; 0 if it has all blocks."""
        info = await self._rpc.call("getblockchaininfo")
        return int(info.get("pruneheight", 0)) if info.get("pruned") else 0

    async def output(self, txid: str, vout: int) -> tuple[Output, int] | None:
        """Return an output that is unspent, including in the mempool, and its confirmations; None if there is no such
        output."""
        found = await self._rpc.call("gettxout", txid, vout, True)
        if found is None:
            return None
        script = found["scriptPubKey"]["hex"]
        return _output(txid, vout, script, found["value"], found["coinbase"]), found["confirmations"]

    async def _read(self, txids: list[str]) -> None:
        """Read transactions, except those that have left the mempool in the meantime."""
        results = await self._rpc.batch([("getrawtransaction", [txid]) for txid in txids])
        found: dict[str, Any] = {}
        for txid, raw in zip(txids, results, strict=True):
            if not isinstance(raw, RpcError):
                with _bytes_of(f"transaction {txid}"):
                    found[txid] = block_parser.transaction_of(bytes.fromhex(raw))
            elif raw.code != NOT_FOUND:
                raise raw
        ours = await self._ours(block_parser.scripts_of(found.values()))
        with _bytes_of("a transaction of the mempool"):
            self._seen |= {txid: block_parser.outputs_to([transaction], ours) for txid, transaction in found.items()}


def _output(txid: str, vout: int, script_pubkey: str, coins: float, coinbase: bool) -> Output:
    return Output(txid, vout, bytes.fromhex(script_pubkey), round(coins * COIN), coinbase)


@contextmanager
def _bytes_of(what: str) -> Iterator[None]:
    """Translate invalid bytes from the node into ChainUnavailable."""
    try:
        yield
    except ValueError as error:
        raise ChainUnavailable(f"the node's data for {what} is invalid: {error}") from error
