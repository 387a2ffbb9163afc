"""The JSON-RPC of the in-process node: Bitcoin Core's responses to the calls that the service makes."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from embit.descriptor.checksum import add_checksum
from embit.networks import NETWORKS
from embit.transaction import Transaction

from dtmf_server.payments.bitcoin.descriptor import deriver

if TYPE_CHECKING:
    from bitcoin.fake_bitcoind import ShapedNode

COIN = 100_000_000


class Refused(Exception):
    """An RPC error."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class Calls:
    """The RPC methods, by name."""

    def __init__(self, node: "ShapedNode") -> None:
        self._node = node

    def getblockchaininfo(self) -> dict[str, Any]:
        """Return the network and the sync progress."""
        height, hash_ = self._node.tip()
        return {
            "chain": self._node.network,
            "blocks": height,
            "headers": height,
            "bestblockhash": hash_,
            "initialblockdownload": self._node.downloads,
            "pruned": self._node.pruned_below > 0,
            **({"pruneheight": self._node.pruned_below} if self._node.pruned_below else {}),
        }

    def getblockhash(self, height: int) -> str:
        """Return the hash of the best chain's block at this height."""
        if not 0 <= height < len(self._node.chain):
            raise Refused(-8, "Block height out of range")
        return self._node.chain[height].hash

    def getblockheader(self, hash_: str) -> dict[str, Any]:
        """Return the header of any block in the tree."""
        if hash_ not in self._node.tree:
            raise Refused(-5, "Block not found")
        return {"hash": hash_, "height": self._node.tree[hash_].height}

    def getblock(self, hash_: str, verbosity: int) -> str:
        """Return a block's bytes."""
        assert verbosity == 0
        if hash_ not in self._node.tree:
            raise Refused(-5, "Block not found")
        if self._node.tree[hash_].height < self._node.pruned_below:
            raise Refused(-1, "Block not available (pruned data)")
        return self._node.tree[hash_].raw.hex()

    def getmempoolinfo(self) -> dict[str, Any]:
        """Return whether the mempool is loaded."""
        return {"loaded": not self._node.loads, "size": len(self._waiting())}

    def getrawmempool(self) -> list[str]:
        """Return the ids of the mempool's transactions."""
        return list(self._waiting())

    def getrawtransaction(self, txid: str) -> str:
        """Return the bytes of a mempool transaction."""
        if txid not in self._waiting():
            raise Refused(-5, "No such mempool transaction. Use -txindex or provide a block hash")
        return str(self._node.mempool[txid].serialize().hex())

    def gettxout(self, txid: str, vout: int, include_mempool: bool) -> dict[str, Any] | None:
        """Return an unspent output."""
        spent = self._spent(include_mempool=include_mempool)
        for block in self._node.chain:
            if txid in block.transactions:
                depth = len(self._node.chain) - block.height
                return self._output(block.transactions[txid], txid, vout, depth, spent)
        if include_mempool and txid in self._waiting():
            return self._output(self._node.mempool[txid], txid, vout, 0, spent)
        return None

    def scantxoutset(self, action: str, wanted: list[Any]) -> dict[str, Any]:
        """Return every unspent output of the best chain on the descriptors' addresses."""
        assert action == "start"
        scripts = set()
        for one in wanted:
            if isinstance(one, str):
                scripts.add(bytes.fromhex(one.removeprefix("raw(").removesuffix(")")))
                continue
            derive = deriver(add_checksum(one["desc"]), self._node.network)
            first, last = one["range"]
            scripts |= {derive(index)[1] for index in range(first, last + 1)}
        spent = self._spent(include_mempool=False)
        found = [
            {"txid": txid, "vout": vout, "scriptPubKey": out.script_pubkey.data.hex(), "amount": out.value / COIN,
             "coinbase": _is_coinbase(tx), "height": block.height}
            for block in self._node.chain
            for txid, tx in block.transactions.items()
            for vout, out in enumerate(tx.vout)
            if out.script_pubkey.data in scripts and (bytes.fromhex(txid), vout) not in spent
        ]  # fmt: skip
        height, hash_ = self._node.tip()
        return {"success": True, "height": height, "bestblock": hash_, "unspents": found}

    def _waiting(self) -> dict[str, Transaction]:
        return {} if self._node.loads else self._node.mempool

    def _spent(self, *, include_mempool: bool) -> set[tuple[bytes, int]]:
        mined = [tx for block in self._node.chain for tx in block.transactions.values()]
        waiting = list(self._waiting().values()) if include_mempool else []
        return {(one.txid, one.vout) for tx in mined + waiting for one in tx.vin}

    def _output(
        self, tx: Transaction, txid: str, vout: int, depth: int, spent: set[tuple[bytes, int]]
    ) -> dict[str, Any] | None:
        if vout >= len(tx.vout) or (bytes.fromhex(txid), vout) in spent:
            return None
        out = tx.vout[vout]
        script = {"hex": out.script_pubkey.data.hex(), "address": out.script_pubkey.address(NETWORKS["regtest"])}
        return {
            "confirmations": depth,
            "value": out.value / COIN,
            "coinbase": _is_coinbase(tx),
            "scriptPubKey": script,
        }


class RpcServer:
    """Serve a node's RPC over HTTP, always on the same port."""

    def __init__(self, node: "ShapedNode") -> None:
        self._node = node
        self._calls = Calls(node)
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def answers(self) -> bool:
        """Return whether it is running."""
        return self._server is not None

    def start(self) -> None:
        """Start answering."""
        self._server = _QuietServer(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        if self._server is not None:
            stopped, self._server = self._server, None
            stopped.shutdown()
            stopped.server_close()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one call."""
        call = getattr(self._calls, asked["method"], None)
        try:
            if call is None:
                raise Refused(-32601, "Method not found")
            with self._node.lock:
                return {"id": asked["id"], "result": call(*asked["params"]), "error": None}
        except Refused as error:
            return {"id": asked["id"], "result": None, "error": {"code": error.code, "message": str(error)}}


def _is_coinbase(transaction: Transaction) -> bool:
    return bool(transaction.vin[0].txid == bytes(32))


class _QuietServer(ThreadingHTTPServer):
    """Clients may disconnect at any time; that is not worth logging."""

    def handle_error(self, *_arguments: object) -> None:
        pass


def _handler(server: RpcServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            if not server.answers:  # a connection from before the node was stopped
                self.close_connection = True
                return
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") != "Basic dXNlcjpwYXNz":
                self._send(401, b"")
                return
            answers = [server.answer(one) for one in asked] if isinstance(asked, list) else server.answer(asked)
            self._send(200, json.dumps(answers).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    return Handler
