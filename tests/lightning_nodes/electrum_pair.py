"""Two Electrum wallets with a channel, an ElectrumX server and a Bitcoin Core on regtest: a payer and a receiver."""

import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from bitcoin.core_node import CoreNode
from lightning_nodes.processes import HttpRefused, Program, post
from scale.cluster import free_port

LOGIN = "dtmf:rpc-password"
CHANNEL_BITCOINS, PUSHED_BITCOINS = "0.1", "0.02"
CONFIRMATIONS = 4


class CallRefused(Exception):
    """Electrum refused a call."""


class Wallet:
    """A wallet with its daemon."""

    def __init__(self, program: str, folder: Path, *, server: int, listen: int | None) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        user, _, password = LOGIN.partition(":")
        config = {
            "config_version": 3,
            "auto_connect": False,
            "oneserver": True,
            "check_updates": False,
            "rpchost": "127.0.0.1",
            "rpcport": self.port,
            "rpcsock": "tcp",
            "rpcuser": user,
            "rpcpassword": password,
            "server": f"127.0.0.1:{server}:t",
            "use_gossip": False,
            "bolt11_fallback": False,
        }
        if listen is not None:
            config["lightning_listen"] = f"127.0.0.1:{listen}"
        (folder / "regtest").mkdir(parents=True)
        (folder / "regtest" / "config").write_text(json.dumps(config))
        command: list[object] = [program, "--regtest", "-D", folder, "daemon"]
        self.daemon = Program(command, folder / "log", environ={}, folder=folder)

    def start(self) -> None:
        """Start the daemon and load the wallet, which is created the first time."""
        self.daemon.start(lambda: self.call("getinfo")["connected"])
        if not (self.folder / "regtest" / "wallets" / "default_wallet").exists():
            self.call("create")
        self.call("load_wallet")
        self.daemon.wait_until(lambda: self.call("is_synchronized"), "synchronize")

    def call(self, method: str, **options: Any) -> Any:
        """Return the result of a call. Raises CallRefused, and OSError if the daemon does not answer."""
        try:
            answer = post(self.url, {"id": 1, "method": method, "params": options}, login=LOGIN)
        except HttpRefused as error:
            raise ConnectionError(str(error)) from error
        if error := answer.get("error"):
            raise CallRefused(error["message"])
        return answer["result"]

    def is_connected(self) -> bool:
        """Return whether the channel can be used."""
        channels = [one for one in self.call("list_channels") if one["type"] == "CHANNEL"]
        return bool(channels) and all((one["state"], one["peer_state"]) == ("OPEN", "GOOD") for one in channels)

    def pay(self, bolt11: str) -> str:
        """Pay an invoice and return the preimage. Raises CallRefused."""
        result = self.call("lnpay", invoice=bolt11)
        if not result["success"]:
            raise CallRefused(f"the payment failed: {result['log']}")
        preimage: str = result["preimage"]
        return preimage


class ElectrumPair:
    """The payer and the receiver. A context manager."""

    def __init__(self, *, bitcoind: str, electrum: str, electrumx: Path) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="dtmf-lightning-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.core = CoreNode(bitcoind, "-txindex=1", "-txospenderindex=1", "-discover=0", blocks=110)
        self._port = free_port()
        (self.folder / "electrumx").mkdir()
        environ = {
            "ALLOW_ROOT": "1",
            "COIN": "Bitcoin",
            "NET": "regtest",
            "DB_ENGINE": "leveldb",
            "PEER_DISCOVERY": "off",
            "DAEMON_URL": self.core.url,
            "DB_DIRECTORY": str(self.folder / "electrumx"),
            "SERVICES": f"tcp://127.0.0.1:{self._port}",
            "COST_SOFT_LIMIT": "0",
            "COST_HARD_LIMIT": "0",
        }
        command: list[object] = [electrumx / "bin" / "electrumx_server"]
        self._server = Program(command, self.folder / "electrumx.log", environ=environ, folder=self.folder)
        self.payer = Wallet(electrum, self.folder / "payer", server=self._port, listen=None)
        self.receiver = Wallet(electrum, self.folder / "receiver", server=self._port, listen=free_port())
        self.channel_after_s = 0.0

    def __enter__(self) -> "ElectrumPair":
        self._server.start(self._is_listening)
        self.payer.start()
        self.receiver.start()
        self._fund()
        self._open_channel()
        return self

    def __exit__(self, *_reason: object) -> None:
        for program in (self.payer.daemon, self.receiver.daemon, self._server):
            program.kill()
        self.core.close()
        self._temporary.cleanup()

    def wait_for_channel(self) -> None:
        """Wait until both sides can use the channel."""
        for wallet in (self.payer, self.receiver):
            wallet.daemon.wait_until(wallet.is_connected, "have a usable channel")

    def restart(self, wallet: Wallet) -> None:
        """Start a wallet again, and wait until the channel can be used."""
        wallet.start()
        self.wait_for_channel()

    def _is_listening(self) -> bool:
        with socket.create_connection(("127.0.0.1", self._port), 1):
            return True

    def _fund(self) -> None:
        self.core.pay(self.payer.call("getunusedaddress"), 100_000_000)
        self.core.mine()
        self.payer.daemon.wait_until(lambda: self.payer.call("getbalance").get("confirmed") == "1", "see its coins")

    def _open_channel(self) -> None:
        started_s = time.monotonic()
        node = self.receiver.call("nodeid")
        self.payer.call("open_channel", connection_string=node, amount=CHANNEL_BITCOINS, push_amount=PUSHED_BITCOINS)
        for _ in range(CONFIRMATIONS):
            self.core.mine()
        self.wait_for_channel()
        self.channel_after_s = time.monotonic() - started_s


def from_environment() -> ElectrumPair:
    """Return the pair with the programs that `make test-lightning` names."""
    return ElectrumPair(
        bitcoind=os.environ["DTMF_TEST_BITCOIND"],
        electrum=os.environ["DTMF_TEST_ELECTRUM"],
        electrumx=Path(os.environ["DTMF_TEST_ELECTRUMX"]),
    )
