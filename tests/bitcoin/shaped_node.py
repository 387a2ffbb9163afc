"""A Bitcoin node in this process: a tree of blocks and a mempool, behind the JSON-RPC of Bitcoin Core.

It knows no consensus rules but those that deposits meet: the longest chain that is not invalidated is the best, a
block takes transactions out of the mempool with all that conflict, an invalidated one gives them back. Bytes are
real: blocks and transactions as embit writes them. `make test-bitcoin` runs the same tests against Bitcoin Core.
"""

import hashlib
import json
import random
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from embit import compact
from embit.networks import NETWORKS
from embit.script import Script, address_to_scriptpubkey
from embit.transaction import Transaction, TransactionInput, TransactionOutput

ELSEWHERE = Script(bytes.fromhex("0014") + bytes(20))
NULL = bytes(32)


@dataclass(frozen=True)
class TreeBlock:
    """A block somewhere in the tree."""

    height: int
    hash: str
    previous: str
    raw: bytes
    transactions: list[Transaction] = field(default_factory=list)


class Refused(Exception):
    """An error of the RPC."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class ShapedNode:
    """The node and its RPC server. `url` is its address while it is started."""

    network = "regtest"

    def __init__(self, blocks: int = 20) -> None:
        self._random = random.Random(5)
        self._tree: dict[str, TreeBlock] = {}
        self._invalid: set[str] = set()
        self._mempool: dict[str, Transaction] = {}
        self._lock = threading.RLock()
        self.pruned_below = 0
        self.asked: list[str] = []
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._best = self._add("0" * 64, 0, [])
        self.mine(blocks)

    # --- what tests do -----------------------------------------------------------------------------------------

    @property
    def answers(self) -> bool:
        """Whether it is started."""
        return self._server is not None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://user:pass@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begins to answer, on the same port as before."""
        self._server = _QuietServer(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stops answering."""
        if self._server is not None:
            stopped, self._server = self._server, None
            stopped.shutdown()
            stopped.server_close()

    def pay(self, address: str, sats: int) -> str:
        """The id of a new transaction in the mempool that pays an address, as its first output."""
        return self._broadcast([_input(self._random)], address_to_scriptpubkey(address), sats)

    def spend_elsewhere(self, txid: str) -> str:
        """The id of a transaction in the mempool that spends what another did, to somebody else, and replaces it."""
        known = [*self._mempool.values(), *(tx for block in self._tree.values() for tx in block.transactions)]
        inputs = next(tx.vin for tx in known if tx.txid().hex() == txid)
        return self._broadcast(inputs, ELSEWHERE, 1000)

    def mine(self, count: int = 1, *, empty: bool = False) -> None:
        """New blocks on the best chain; the first takes the mempool in, unless it is to be empty."""
        with self._lock:
            for _ in range(count):
                taken = [] if empty else list(self._mempool.values())
                self._best = self._add(self._best.hash, self._best.height + 1, taken)
                self._drop_conflicting(taken)

    def undo(self, count: int) -> str:
        """Invalidates the last blocks, whose transactions wait again; the hash of the lowest of them."""
        with self._lock:
            lost: list[TreeBlock] = []
            for _ in range(count):
                lost.insert(0, self._best)
                self._best = self._tree[self._best.previous]
            self._invalid.add(lost[0].hash)
            for block in lost:
                self._mempool |= {tx.txid().hex(): tx for tx in block.transactions[1:]}
            return lost[0].hash

    def redo(self, hash_: str) -> None:
        """Allows an invalidated block again: the longest chain is the best, the older one of two as long."""
        with self._lock:
            self._invalid.discard(hash_)
            longest = max((block for block in self._tree.values() if self._valid(block)), key=lambda b: b.height)
            if longest.height > self._best.height:
                self._best = longest
                for block in self._chain():
                    self._drop_conflicting(block.transactions)

    def tip(self) -> tuple[int, str]:
        """Height and hash of the best block."""
        return self._best.height, self._best.hash

    def depth(self, txid: str) -> int:
        """How many confirmations a transaction has, -1 for one that is gone."""
        for block in self._chain():
            if any(tx.txid().hex() == txid for tx in block.transactions):
                return self._best.height - block.height + 1
        return 0 if txid in self._mempool else -1

    # --- the RPC -----------------------------------------------------------------------------------------------

    def answer(self, method: str, parameters: list[Any]) -> Any:
        """The result of a call."""
        with self._lock:
            self.asked.append(method)
            call = getattr(self, f"_{method}", None)
            if call is None:
                raise Refused(-32601, "Method not found")
            return call(*parameters)

    def _getblockchaininfo(self) -> dict[str, Any]:
        return {"chain": self.network, "blocks": self._best.height, "bestblockhash": self._best.hash}

    def _getblockhash(self, height: int) -> str:
        chain = self._chain()
        if not 0 <= height < len(chain):
            raise Refused(-8, "Block height out of range")
        return chain[height].hash

    def _getblockheader(self, hash_: str) -> dict[str, Any]:
        if hash_ not in self._tree:
            raise Refused(-5, "Block not found")
        return {"hash": hash_, "height": self._tree[hash_].height}

    def _getblock(self, hash_: str, verbosity: int) -> str:
        assert verbosity == 0
        if hash_ not in self._tree:
            raise Refused(-5, "Block not found")
        if self._tree[hash_].height < self.pruned_below:
            raise Refused(-1, "Block not available (pruned data)")
        return self._tree[hash_].raw.hex()

    def _getrawmempool(self) -> list[str]:
        return list(self._mempool)

    def _getrawtransaction(self, txid: str) -> str:
        if txid not in self._mempool:
            raise Refused(-5, "No such mempool transaction")
        return str(self._mempool[txid].serialize().hex())

    def _gettxout(self, txid: str, vout: int, include_mempool: bool) -> dict[str, Any] | None:
        for block in self._chain():
            for tx in block.transactions:
                if tx.txid().hex() == txid and vout < len(tx.vout):
                    return self._txout(tx, vout, self._best.height - block.height + 1)
        if include_mempool and txid in self._mempool and vout < len(self._mempool[txid].vout):
            return self._txout(self._mempool[txid], vout, 0)
        return None

    def _scantxoutset(self, action: str, wanted: list[dict[str, Any]]) -> dict[str, Any]:
        from dtmf_server.bitcoin.descriptor import deriver

        assert action == "start"
        scripts = set()
        for one in wanted:
            derive = deriver(one["desc"], self.network)
            first, last = one["range"]
            scripts |= {derive(index)[1] for index in range(first, last + 1)}
        found = [
            {"txid": tx.txid().hex(), "vout": vout, "scriptPubKey": out.script_pubkey.data.hex(),
             "amount": out.value / 100_000_000, "height": block.height}
            for block in self._chain()
            for tx in block.transactions
            for vout, out in enumerate(tx.vout)
            if out.script_pubkey.data in scripts
        ]  # fmt: skip
        return {"success": True, "height": self._best.height, "bestblock": self._best.hash, "unspents": found}

    # --- the tree ----------------------------------------------------------------------------------------------

    def _txout(self, tx: Transaction, vout: int, confirmations: int) -> dict[str, Any]:
        out = tx.vout[vout]
        script = {"hex": out.script_pubkey.data.hex(), "address": out.script_pubkey.address(NETWORKS["regtest"])}
        return {"confirmations": confirmations, "value": out.value / 100_000_000, "scriptPubKey": script}

    def _broadcast(self, inputs: list[TransactionInput], script: Script, sats: int) -> str:
        transaction = Transaction(2, inputs, [TransactionOutput(sats, script), TransactionOutput(5000, ELSEWHERE)], 0)
        with self._lock:
            self._drop_conflicting([transaction])
            txid = str(transaction.txid().hex())
            self._mempool[txid] = transaction
        return txid

    def _drop_conflicting(self, taken: list[Transaction]) -> None:
        spent = {(i.txid, i.vout) for tx in taken for i in tx.vin}
        for txid, tx in list(self._mempool.items()):
            if any((i.txid, i.vout) in spent for i in tx.vin):
                del self._mempool[txid]

    def _add(self, previous: str, height: int, taken: list[Transaction]) -> TreeBlock:
        coinbase = TransactionInput(NULL, 0xFFFFFFFF, Script(self._random.randbytes(8)))
        transactions = [Transaction(2, [coinbase], [TransactionOutput(50, ELSEWHERE)], 0), *taken]
        header = (2).to_bytes(4, "little") + bytes.fromhex(previous)[::-1] + self._random.randbytes(44)
        raw = header + compact.to_bytes(len(transactions)) + b"".join(tx.serialize() for tx in transactions)
        hash_ = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex()
        block = TreeBlock(height, hash_, previous, raw, transactions)
        self._tree[hash_] = block
        return block

    def _valid(self, block: TreeBlock) -> bool:
        while block.height > 0:
            if block.hash in self._invalid:
                return False
            block = self._tree[block.previous]
        return True

    def _chain(self) -> list[TreeBlock]:
        """The best chain, from its first block."""
        blocks = [self._best]
        while blocks[-1].height:
            blocks.append(self._tree[blocks[-1].previous])
        return blocks[::-1]


def _input(source: random.Random) -> TransactionInput:
    return TransactionInput(source.randbytes(32), 0, sequence=0xFFFFFFFD)


class _QuietServer(ThreadingHTTPServer):
    """Callers may hang up: what they stopped waiting for is not worth a word."""

    def handle_error(self, *_arguments: object) -> None:
        pass


def _handler(node: ShapedNode) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            if not node.answers:  # on a connection from before it was stopped
                self.close_connection = True
                return
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") != "Basic dXNlcjpwYXNz":
                self._send(401, b"")
                return
            answers = [self._one(one) for one in asked] if isinstance(asked, list) else self._one(asked)
            self._send(200, json.dumps(answers).encode())

        def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
            try:
                return {"id": asked["id"], "result": node.answer(asked["method"], asked["params"]), "error": None}
            except Refused as error:
                return {"id": asked["id"], "result": None, "error": {"code": error.code, "message": str(error)}}

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keeps quiet."""

    return Handler
