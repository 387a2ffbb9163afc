"""An in-process Bitcoin node: a block tree and a mempool behind Bitcoin Core's JSON-RPC (fake_bitcoind_rpc.py).

It implements only the consensus rules that matter for deposits: the longest chain not invalidated is the best; a block
removes its transactions, and all that conflict with them, from the mempool; an invalidated block returns them, except
its coinbase. Blocks and transactions are real serialisations by embit. `make test-bitcoin` runs the same tests against
Bitcoin Core.
"""

import hashlib
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from embit import compact
from embit.ec import PrivateKey
from embit.script import Script, address_to_scriptpubkey
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from bitcoin.fake_bitcoind_rpc import RpcServer

ELSEWHERE = Script(bytes.fromhex("0014") + bytes(20))
NULL = bytes(32)
SUBSIDY = 5_000_000_000

Outpoint = tuple[bytes, int]


@dataclass(frozen=True)
class TreeBlock:
    """A block in the tree."""

    height: int
    hash: str
    previous: str
    raw: bytes
    transactions: dict[str, Transaction] = field(default_factory=dict)


class ShapedNode:
    """The node. `url` is its address while it is running."""

    network = "regtest"

    def __init__(self, blocks: int = 20, seed: int = 5) -> None:
        self._random = random.Random(seed)
        self._server = RpcServer(self)
        self.lock = threading.RLock()
        self.tree: dict[str, TreeBlock] = {}
        self.chain: list[TreeBlock] = []  # the best chain, from its first block
        self.mempool: dict[str, Transaction] = {}
        self.pruned_below = 0
        self.downloads = blocks == 0  # whether it is in its initial block download
        self.loads = False  # whether it is loading its mempool from disk
        self._known: dict[str, Transaction] = {}
        self._invalid: set[str] = set()
        self._extend([], ELSEWHERE)
        self.mine(blocks)

    @property
    def url(self) -> str:
        """Return its RPC URL."""
        return f"http://user:pass@127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Start answering, on the same port as before."""
        self._server.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()

    def close(self) -> None:
        """Stop it."""
        self.stop()

    def prune(self, below: int) -> None:
        """Prune the blocks below that height."""
        self.pruned_below = below

    # --- payments ----------------------------------------------------------------------------------------------

    def pay(self, address: str, sats: int) -> str:
        """Pay an address with a new mempool transaction, as its first output; return the txid."""
        return self.pay_all([(address, sats)])

    def pay_all(self, outputs: list[tuple[str, int]]) -> str:
        """Send these outputs, followed by change, in a new mempool transaction; return the txid."""
        paid = [TransactionOutput(sats, address_to_scriptpubkey(address)) for address, sats in outputs]
        return self._broadcast([_input(self._random.randbytes(32), 0)], [*paid, TransactionOutput(5000, ELSEWHERE)])

    def spend(self, txid: str, vout: int, _key: PrivateKey) -> str:
        """Spend an output as its owner, in a mempool transaction; return the txid."""
        return self._broadcast([_input(bytes.fromhex(txid), vout)], [TransactionOutput(1000, ELSEWHERE)])

    def spend_elsewhere(self, txid: str) -> str:
        """Replace a transaction by one that spends its inputs to a third party; return the new txid."""
        return self._broadcast(self._known[txid].vin, [TransactionOutput(self._random.randrange(900), ELSEWHERE)])

    def _broadcast(self, inputs: list[TransactionInput], outputs: list[TransactionOutput]) -> str:
        transaction = Transaction(2, inputs, outputs, 0)
        txid = str(transaction.txid().hex())
        with self.lock:
            self._drop_conflicting([transaction])
            self.mempool[txid] = self._known[txid] = transaction
        return txid

    def _drop_conflicting(self, taken: Iterable[Transaction]) -> None:
        spent = {outpoint for transaction in taken for outpoint in spent_by(transaction)}
        self.mempool = {txid: tx for txid, tx in self.mempool.items() if not spent & spent_by(tx)}

    # --- the chain ---------------------------------------------------------------------------------------------

    def mine(self, count: int = 1, *, empty: bool = False, to: str | None = None) -> None:
        """Mine blocks on the best chain, paying to an address; the first includes the mempool unless it is to be
        empty."""
        reward = address_to_scriptpubkey(to) if to else ELSEWHERE
        with self.lock:
            for _ in range(count):
                self._extend([] if empty else list(self.mempool.values()), reward)

    def undo(self, count: int) -> str:
        """Invalidate the last blocks, returning their transactions to the mempool; return the lowest block's hash."""
        with self.lock:
            lost = self.chain[-count:]
            del self.chain[-count:]
            self._invalid.add(lost[0].hash)
            self._wait_again(lost)
            return lost[0].hash

    def redo(self, hash_: str) -> None:
        """Reconsider an invalidated block: the longest chain is the best; of two equally long, the older."""
        with self.lock:
            self._invalid.discard(hash_)
            longest = max((block for block in self.tree.values() if self._valid(block)), key=lambda b: b.height)
            if longest.height < len(self.chain):
                return
            branch = [longest]
            while not self._is_best(branch[-1].previous):
                branch.append(self.tree[branch[-1].previous])
            lost = self.chain[branch[-1].height :]
            self.chain[branch[-1].height :] = reversed(branch)
            self._wait_again(lost)
            for block in branch:
                self._drop_conflicting(block.transactions.values())

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the best block."""
        return self.chain[-1].height, self.chain[-1].hash

    def depths(self, txids: Iterable[str]) -> dict[str, int]:
        """Return the confirmations of each transaction, -1 if it is gone."""
        wanted, height = set(txids), len(self.chain) - 1
        found = {txid: 0 if txid in self.mempool else -1 for txid in wanted}
        for block in self.chain:
            found |= dict.fromkeys(wanted & block.transactions.keys(), height - block.height + 1)
        return found

    def _extend(self, taken: list[Transaction], reward: Script) -> None:
        """Add a block to the best chain."""
        previous, height = (self.chain[-1].hash if self.chain else "0" * 64), len(self.chain)
        coinbase = TransactionInput(NULL, 0xFFFFFFFF, Script(self._random.randbytes(8)))
        transactions = [Transaction(2, [coinbase], [TransactionOutput(SUBSIDY, reward)], 0), *taken]
        header = (2).to_bytes(4, "little") + bytes.fromhex(previous)[::-1] + self._random.randbytes(44)
        raw = header + compact.to_bytes(len(transactions)) + b"".join(tx.serialize() for tx in transactions)
        hash_ = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex()
        block = TreeBlock(height, hash_, previous, raw, {tx.txid().hex(): tx for tx in transactions})
        self.tree[hash_] = block
        self.chain.append(block)
        self._drop_conflicting(taken)

    def _wait_again(self, lost: list[TreeBlock]) -> None:
        for block in lost:
            self.mempool |= dict(list(block.transactions.items())[1:])

    def _is_best(self, hash_: str) -> bool:
        height = self.tree[hash_].height
        return height < len(self.chain) and self.chain[height].hash == hash_

    def _valid(self, block: TreeBlock) -> bool:
        while not self._is_best(block.hash):
            if block.hash in self._invalid:
                return False
            block = self.tree[block.previous]
        return True


def spent_by(transaction: Transaction) -> set[Outpoint]:
    """Return the outpoints that a transaction spends."""
    return {(one.txid, one.vout) for one in transaction.vin}


def _input(txid: bytes, vout: int) -> TransactionInput:
    return TransactionInput(txid, vout, sequence=0xFFFFFFFD)
