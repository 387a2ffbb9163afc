"""Bitcoin Core on regtest, with the same handles for tests as the node in this process."""

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from decimal import Decimal
from pathlib import Path
from typing import Any

from scale.cluster import free_port

START_WITHIN_S = 60
MINED_AT_FIRST = 101  # a block's coins can be spent 100 blocks later


class CoreNode:
    """A bitcoind of its own, with a wallet that has coins."""

    network = "regtest"

    def __init__(self, program: str, blocks: int = MINED_AT_FIRST) -> None:
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="dtmf-bitcoind-")
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.call("createwallet", "tests")
        self._own = self.call("getnewaddress")
        self.call("generatetoaddress", blocks, self._own)
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
            f"-rpcport={self._port}", f"-datadir={self._folder.name}", "-printtoconsole=0", "-maxtxfee=1",
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
        """The id of a new transaction in the mempool that pays an address."""
        outputs = [{address: str(Decimal(sats) / 100_000_000)}]
        raw = self.call("createrawtransaction", [], outputs)
        funded = self.call("fundrawtransaction", raw, {"replaceable": True, "changePosition": 1, "fee_rate": 10})
        return self._send(funded["hex"])

    def spend_elsewhere(self, txid: str) -> str:
        """The id of a transaction in the mempool that spends what another did, to ourselves, and replaces it."""
        known = self.call("gettransaction", txid, True, True)["decoded"]
        inputs = [{"txid": one["txid"], "vout": one["vout"], "sequence": 0xFFFFFFFD} for one in known["vin"]]
        value = sum(self._value(one["txid"], one["vout"]) for one in inputs)
        raw = self.call("createrawtransaction", inputs, [{self._own: str(value - Decimal("0.001"))}])
        return self._send(raw)

    def mine(self, count: int = 1, *, empty: bool = False) -> None:
        """New blocks on the best chain; the first takes the mempool in, unless it is to be empty."""
        if not empty:
            self.call("generatetoaddress", count, self._own)
            return
        for _ in range(count):
            self.call("generateblock", self._own, [])

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

    def depth(self, txid: str) -> int:
        """How many confirmations a transaction has, below 0 for one that is in conflict with another's."""
        if txid in self.call("getrawmempool"):
            return 0
        return int(self.call("gettransaction", txid)["confirmations"]) or -1

    def call(self, method: str, *parameters: Any) -> Any:
        """A call of its RPC."""
        body = json.dumps({"id": 0, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/", body)
        request.add_header("Authorization", "Basic " + b64encode(b"user:pass").decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read(), parse_float=Decimal)["result"]
        except urllib.error.HTTPError as error:
            text = error.read()
            if error.code == 500 and b'"code":-28' in text:
                raise ConnectionRefusedError("it is starting") from error
            raise AssertionError(f"{method}: {text.decode()}") from error

    def _value(self, txid: str, vout: int) -> Decimal:
        value: Decimal = self.call("gettransaction", txid, True, True)["decoded"]["vout"][vout]["value"]
        return value

    def _send(self, raw: str) -> str:
        signed = self.call("signrawtransactionwithwallet", raw)
        txid: str = self.call("sendrawtransaction", signed["hex"], 0)
        return txid
