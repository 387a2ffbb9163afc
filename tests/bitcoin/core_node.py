"""Bitcoin Core on regtest, with the same test interface as the in-process fake."""

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from embit.ec import PrivateKey
from embit.script import address_to_scriptpubkey
from embit.transaction import Transaction, TransactionOutput

from scale.cluster import free_port

START_WITHIN_S = 60
MINED_AT_FIRST = 101  # a coinbase can be spent 100 blocks later


class CoreNode:
    """A dedicated bitcoind. Without blocks it has no coins, and is in its initial block download."""

    network = "regtest"

    def __init__(self, program: str, *options: str, blocks: int = MINED_AT_FIRST) -> None:
        self._program = program
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="dtmf-bitcoind-")
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        if not blocks:
            return
        self.call("createwallet", "tests")
        self._own = self.call("getnewaddress")
        self.call("generatetoaddress", blocks, self._own)
        if blocks < MINED_AT_FIRST:
            return
        for _ in range(4):  # so that many payments can be made before a block is mined
            self.call("sendmany", "", {self.call("getnewaddress"): "1" for _ in range(10)})
        self.mine()

    @property
    def url(self) -> str:
        """Return its RPC URL."""
        return f"http://user:pass@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it on its existing data, and wait until it answers."""
        options = [
            "-regtest", "-server", "-listen=0", "-dnsseed=0", "-fallbackfee=0.0001", "-rpcuser=user", "-rpcpassword=pass",
            f"-rpcport={self._port}", f"-datadir={self._folder.name}", "-printtoconsole=0", "-maxtxfee=1", *self._options,
        ]  # fmt: skip
        self._process = subprocess.Popen([self._program, *options])
        deadline_s = time.monotonic() + START_WITHIN_S
        while True:
            try:
                self.call("getblockchaininfo")
                break
            except OSError:
                assert self._process.poll() is None, "bitcoind ended"
                assert time.monotonic() < deadline_s, "bitcoind does not answer"
                time.sleep(0.05)
        if (Path(self._folder.name) / "regtest" / "wallets" / "tests").exists():
            self.call("loadwallet", "tests")

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        self._folder.cleanup()

    def pay(self, address: str, sats: int) -> str:
        """Pay an address with a new mempool transaction, as its first output; return the txid."""
        return self.pay_all([(address, sats)])

    def pay_all(self, outputs: list[tuple[str, int]]) -> str:
        """Send these outputs, followed by change, in a new mempool transaction; return the txid."""
        paid = [TransactionOutput(sats, address_to_scriptpubkey(address)) for address, sats in outputs]
        raw = Transaction(2, [], paid, 0).serialize().hex()
        options = {"replaceable": True, "changePosition": len(paid), "fee_rate": 10}
        funded = self.call("fundrawtransaction", raw, options, False)
        return self._send(self.call("signrawtransactionwithwallet", funded["hex"]))

    def spend(self, txid: str, vout: int, key: PrivateKey) -> str:
        """Spend an output as its owner, in a mempool transaction; return the txid."""
        value = self.call("gettxout", txid, vout)["value"]
        raw = self.call(
            "createrawtransaction", [{"txid": txid, "vout": vout}], [{self._own: str(value - Decimal("0.00001"))}]
        )
        return self._send(self.call("signrawtransactionwithkey", raw, [key.wif()]))

    def spend_elsewhere(self, txid: str) -> str:
        """Replace a transaction by one that spends its inputs back to ourselves; return the new txid."""
        known = self.call("gettransaction", txid, True, True)["decoded"]
        inputs = [{"txid": one["txid"], "vout": one["vout"], "sequence": 0xFFFFFFFD} for one in known["vin"]]
        value = sum(self._value(one["txid"], one["vout"]) for one in inputs)
        fee = self.call("getmempoolentry", txid)["fees"]["descendant"] + Decimal(
            "0.0001"
        )  # more than everything it replaces
        raw = self.call("createrawtransaction", inputs, [{self._own: str(value - fee)}])
        return self._send(self.call("signrawtransactionwithwallet", raw))

    def mine(self, count: int = 1, *, empty: bool = False, to: str | None = None) -> None:
        """Mine blocks on the best chain, paying to an address; the first includes the mempool unless it is to be
        empty."""
        # A different address each time: recreating an invalidated block exactly would yield the same, invalid block.
        miner = to or self.call("getnewaddress")
        if not empty:
            self.call("generatetoaddress", count, miner)
            return
        for _ in range(count):
            self.call("generateblock", miner, [])

    def undo(self, count: int) -> str:
        """Invalidate the last blocks, returning their transactions to the mempool; return the lowest block's hash."""
        lowest: str = self.call("getblockhash", self.tip()[0] - count + 1)
        self.call("invalidateblock", lowest)
        return lowest

    def redo(self, hash_: str) -> None:
        """Reconsider an invalidated block."""
        self.call("reconsiderblock", hash_)

    def tip(self) -> tuple[int, str]:
        """Return height and hash of the best block."""
        info = self.call("getblockchaininfo")
        return info["blocks"], info["bestblockhash"]

    def prune(self, below: int) -> None:
        """Prune blocks below that height, in whole files, if pruning was enabled at start."""
        self.call("pruneblockchain", below)

    def depths(self, txids: Iterable[str]) -> dict[str, int]:
        """Return the confirmations of each transaction, negative if it is gone."""
        asked, waiting = list(txids), set(self.call("getrawmempool"))
        known = self.batch([("gettransaction", [txid]) for txid in asked])
        return {
            txid: 0 if txid in waiting else int(one["confirmations"]) or -1
            for txid, one in zip(asked, known, strict=True)
        }

    def call(self, method: str, *parameters: Any) -> Any:
        """Make an RPC call."""
        return self.batch([(method, list(parameters))])[0]

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        """Make several RPC calls in one batch."""
        asked = [{"id": id_, "method": method, "params": given} for id_, (method, given) in enumerate(calls)]
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/", json.dumps(asked).encode())
        request.add_header("Authorization", "Basic " + b64encode(b"user:pass").decode())
        with urllib.request.urlopen(request, timeout=300) as reply:
            answers = sorted(json.loads(reply.read(), parse_float=Decimal), key=lambda answer: answer["id"])
        for (method, _), answer in zip(calls, answers, strict=True):
            if error := answer["error"]:
                if error["code"] == -28:
                    raise ConnectionRefusedError("it is starting")
                raise AssertionError(f"{method}: {error}")
        return [answer["result"] for answer in answers]

    def _value(self, txid: str, vout: int) -> Decimal:
        value: Decimal = self.call("gettransaction", txid, True, True)["decoded"]["vout"][vout]["value"]
        return value

    def _send(self, signed: dict[str, Any]) -> str:
        assert signed["complete"], signed
        txid: str = self.call("sendrawtransaction", signed["hex"], 0)
        return txid
