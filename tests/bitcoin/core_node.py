"""Bitcoin Core on regtest, with the same handles for tests as the node in this process."""

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
MINED_AT_FIRST = 101  # a block's coins can be spent 100 blocks later


class CoreNode:
    """A bitcoind of its own. Without blocks it has no coins either, and is in its initial block download."""

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
        for _ in range(4):  # so that many can be paid before a block is mined
            self.call("sendmany", "", {self.call("getnewaddress"): "1" for _ in range(10)})
        self.mine()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://user:pass@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts it on what it had, and waits until it answers."""
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
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Ends it for good."""
        self.stop()
        self._folder.cleanup()

    def pay(self, address: str, sats: int) -> str:
        """The id of a new transaction in the mempool that pays an address, as its first output."""
        return self.pay_all([(address, sats)])

    def pay_all(self, outputs: list[tuple[str, int]]) -> str:
        """The id of a new transaction in the mempool that has these outputs, and change behind them."""
        paid = [TransactionOutput(sats, address_to_scriptpubkey(address)) for address, sats in outputs]
        raw = Transaction(2, [], paid, 0).serialize().hex()
        options = {"replaceable": True, "changePosition": len(paid), "fee_rate": 10}
        funded = self.call("fundrawtransaction", raw, options, False)
        return self._send(self.call("signrawtransactionwithwallet", funded["hex"]))

    def spend(self, txid: str, vout: int, key: PrivateKey) -> str:
        """The id of a transaction in the mempool by which the owner of an output moves its coins elsewhere."""
        value = self.call("gettxout", txid, vout)["value"]
        raw = self.call(
            "createrawtransaction", [{"txid": txid, "vout": vout}], [{self._own: str(value - Decimal("0.00001"))}]
        )
        return self._send(self.call("signrawtransactionwithkey", raw, [key.wif()]))

    def spend_elsewhere(self, txid: str) -> str:
        """The id of a transaction in the mempool that spends what another did, to ourselves, and replaces it."""
        known = self.call("gettransaction", txid, True, True)["decoded"]
        inputs = [{"txid": one["txid"], "vout": one["vout"], "sequence": 0xFFFFFFFD} for one in known["vin"]]
        value = sum(self._value(one["txid"], one["vout"]) for one in inputs)
        fee = self.call("getmempoolentry", txid)["fees"]["descendant"] + Decimal("0.0001")  # more than all it replaces
        raw = self.call("createrawtransaction", inputs, [{self._own: str(value - fee)}])
        return self._send(self.call("signrawtransactionwithwallet", raw))

    def mine(self, count: int = 1, *, empty: bool = False, to: str | None = None) -> None:
        """New blocks on the best chain, their coins to an address; the first takes the mempool in, unless it is to be
        empty."""
        # To another address each time: an invalidated block with the same content would be the same, and invalid.
        miner = to or self.call("getnewaddress")
        if not empty:
            self.call("generatetoaddress", count, miner)
            return
        for _ in range(count):
            self.call("generateblock", miner, [])

    def undo(self, count: int) -> str:
        """Invalidates the last blocks, whose transactions wait again; the hash of the lowest of them."""
        lowest: str = self.call("getblockhash", self.tip()[0] - count + 1)
        self.call("invalidateblock", lowest)
        return lowest

    def redo(self, hash_: str) -> None:
        """Allows an invalidated block again."""
        self.call("reconsiderblock", hash_)

    def tip(self) -> tuple[int, str]:
        """Height and hash of the best block."""
        info = self.call("getblockchaininfo")
        return info["blocks"], info["bestblockhash"]

    def prune(self, below: int) -> None:
        """Forgets blocks below that height: whole files of them, if it was started so that it may."""
        self.call("pruneblockchain", below)

    def depths(self, txids: Iterable[str]) -> dict[str, int]:
        """How many confirmations each transaction has, below 0 for one that is gone."""
        asked, waiting = list(txids), set(self.call("getrawmempool"))
        known = self.batch([("gettransaction", [txid]) for txid in asked])
        return {
            txid: 0 if txid in waiting else int(one["confirmations"]) or -1
            for txid, one in zip(asked, known, strict=True)
        }

    def call(self, method: str, *parameters: Any) -> Any:
        """A call of its RPC."""
        return self.batch([(method, list(parameters))])[0]

    def batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        """Several calls at once."""
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
