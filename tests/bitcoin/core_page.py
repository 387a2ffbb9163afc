"""The commands of docs/operations/bitcoin.md run unchanged in bash, on Bitcoin Core with regtest.

Only what differs between machines is filled in: the descriptor, ports, addresses, transaction IDs and heights. A program
of this test takes the place of `bitcoin-cli`; it sends the same calls. `make test-bitcoin` runs this file."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from bitcoin.conftest import BITCOIND
from bitcoin.core_node import MINED_AT_FIRST, CoreNode
from bitcoin.hardware_wallet import HardwareWallet
from scale.cluster import free_port
from support import markdown
from support.operator import until, write_configuration
from support.paths import PYTHONPATH, ROOT
from support.shell import Shell, as_pattern, commands, masked

PAGE = ROOT / "docs/operations/bitcoin.md"
THIS = "tests/bitcoin/core_page.py"
# Texts that the blocks of each part contain.
PARTS = {
    "node": ("bitcoin.conf", "getblockchaininfo"),
    "descriptor": ("getdescriptorinfo",),
    "start": ("/readyz",),
    "deposit": ("/api/v1/accounts", "verify --config"),
    "rehearsal": ("bitcoind -regtest",),
    "after": ("deposits rescan",),
    "skip": ("deposits skip",),
    "lost": ("dtmf-server init", "--suspense"),
}
Start = Callable[..., CoreNode]
CLI = """
import json, sys, urllib.request
from base64 import b64encode
options = dict(one[1:].partition("=")[::2] for one in sys.argv[2:] if one.startswith("-"))
method, *given = [one for one in sys.argv[2:] if one[1:].partition("=")[0] not in {"regtest", "rpcuser", "rpcpassword"}]
login = f"{options.get('rpcuser', 'user')}:{options.get('rpcpassword', 'pass')}"
def read(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
def call(method, *given):
    body = json.dumps({"method": method, "params": given}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/", body)
    request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["result"]
if method == "-generate":
    method, given = "generatetoaddress", [*given, call("getnewaddress")]
answer = call(method, *map(read, given))
print(answer if isinstance(answer, str) else json.dumps(answer, indent=2))
"""


def blocks(part: str) -> list[markdown.Block]:
    """The blocks of a part. A block that names this test and belongs to no part fails every test."""
    found = [block for block in markdown.blocks(PAGE) if THIS in block.run_by.values()]
    for block in found:
        assert any(text in block.code for texts in PARTS.values() for text in texts), f"{PAGE}:{block.line}"
    return [block for block in found if any(text in block.code for text in PARTS[part])]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a node with these options."""
    with ExitStack() as stack:

        def start_one(*options: str, blocks: int = MINED_AT_FIRST) -> CoreNode:
            assert BITCOIND is not None
            node = CoreNode(BITCOIND, *options, blocks=blocks)
            stack.callback(node.close)
            return node

        yield start_one


class Machine:
    """A shell in a folder, with `dtmf-server`, `bitcoind` and `bitcoin-cli` for this node."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, rpc_port: int) -> None:
        self.folder, self.port, self.replaced, self._last = folder, free_port(), dict[str, str](), ":"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "cli.py").write_text(CLI)
        data = folder / "bitcoin"
        data.mkdir()
        for name, text in {
            "dtmf-server": f'exec "{sys.executable}" -P -m dtmf_server "$@"',
            "bitcoin-cli": f'exec "{sys.executable}" -P "{programs}/cli.py" {rpc_port} "$@"',
            "bitcoind": f'exec "{BITCOIND}" -datadir="{data}" -rpcport={rpc_port} -listen=0 "$@"',
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/local/bin:/usr/bin:/bin")
        monkeypatch.setenv("PYTHONPATH", f"{PYTHONPATH}:{ROOT / 'tests'}")
        monkeypatch.setenv("HOME", str(folder))

    def __enter__(self) -> "Machine":
        self._shell = Shell(self.folder)
        self._shell.__enter__()
        self.run("shopt -s expand_aliases")
        return self

    def stop_with(self, command: str) -> None:
        """Run this command at the end, also after a failure."""
        self._last = command

    def __exit__(self, *reason: object) -> None:
        with suppress(AssertionError):
            self.run(self._last)
        self._shell.__exit__(*reason)

    def run(self, command: str) -> str:
        """Run a command to its end, and return its output."""
        output, status = self._shell.run(command)
        assert status == 0, f"{command} exits with {status}: {output}"
        return output

    def filled(self, text: str) -> str:
        """The text of the page with what differs between machines."""
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def play(self, part: str, before: Callable[[str], None] | None = None) -> str:
        """Run the blocks of a part, compare their output with the page but for numbers, and return it."""
        outputs = ""
        for block in blocks(part):
            for command, shown in commands(block.code):
                if before:
                    before(command)
                if command.startswith("dtmf-server run"):
                    self.serve(self.filled(command))
                    continue
                output = self.run(self.filled(command))
                outputs += output
                wanted = as_pattern(re.sub(r"\d[\d,]*", "…", self.filled(shown)))
                assert not shown or wanted.fullmatch(masked(output)), f"{command} prints {output!r}, not {shown!r}"
        return outputs

    def serve(self, command: str) -> None:
        """Start the service in the background, with the shell's variables set as its banner says."""
        command, _, _ = command.partition("#")
        self.run(f"{command} --port {self.port} > service.log 2>&1 & echo started")
        until(self._is_ready)
        for name, value in re.findall(r"export (\w+)=(\S+)", (self.folder / "service.log").read_text()):
            self.run(f"export {name}={value}")

    def _is_ready(self) -> bool:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as reply:
            return reply.status == 200 and b'"chain":"ok"' in reply.read()
        return False

    def configure(self, node: CoreNode, wallet: HardwareWallet) -> None:
        """Write the configuration of the page's production service for this node."""
        write_configuration(self.folder / "dtmf.toml", node.url, wallet.descriptor, mode="production")


def options_of(block: markdown.Block) -> list[str]:
    """The lines of bitcoin.conf as options. This node needs its wallet: it pays the deposits."""
    lines = [line for line in block.code.splitlines() if line and not line.startswith("#")]
    hashed = "rpcauth=dtmf:72c6c2b4$" + "ab" * 32  # the form that rpcauth.py prints
    return ["-" + re.sub(r"rpcauth=.*", hashed, line) for line in lines if line != "disablewallet=1"]


def port_of(node: CoreNode) -> int:
    return int(node.url.rpartition(":")[2])


def address_in(text: str) -> str:
    """The address in a response of the API."""
    found = re.search(r'"address":\s*"(\w+)"', text)
    assert found, text
    return found[1]


def test_core_from_the_descriptor_to_the_first_deposit(
    start: Start, wallet: HardwareWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = next(block for block in blocks("node") if block.language == "ini")
    node = start(*options_of(conf))
    with Machine(tmp_path, monkeypatch, port_of(node)) as here:
        here.configure(node, wallet)
        bare, _, checksum = wallet.descriptor.partition("#")
        here.replaced = {"wpkh([73c5da0a/84h/0h/0h]xpub…/0/*)#…": f"{bare}#{checksum}"}
        here.replaced["wpkh([73c5da0a/84h/0h/0h]xpub…/0/*)"] = bare
        assert '"initialblockdownload": false' in here.play("node")
        derived = re.findall(r'"(bcrt1\w+)"', here.play("descriptor"))
        assert len(derived) == 3
        here.play("start")
        service = here.filled("http://127.0.0.1:8000/api/v1")
        txids: list[str] = []

        def pay(command: str) -> None:
            """Pay the new address before the commands that list the deposit."""
            if "deposits list" in command:
                asked = f'curl -s -H "Authorization: Bearer $DTMF_TOKEN" {service}'
                address = address_in(here.run(f"{asked}/addresses"))
                assert address == derived[0]  # address 1 of step 2, as the page says
                txids.append(node.pay(address, 5000))
                node.mine(2)
                until(lambda: '"credited"' in here.run(f"{asked}/deposits"))

        listed = here.play("deposit", pay)
        assert txids[0] in listed
        here.replaced |= {"TXID": txids[0], "912000": str(node.tip()[0] - 3)}
        here.play("after")


def test_core_rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rpc_port = free_port()
    (block,) = blocks("rehearsal")
    with Machine(tmp_path, monkeypatch, rpc_port) as here:
        here.replaced = {"127.0.0.1:18443": f"127.0.0.1:{rpc_port}"}
        here.stop_with("cli stop")
        output = ""
        for command, _ in commands(block.code):
            if command.startswith("dtmf-server run"):
                here.serve(command)
                continue
            if command.startswith("alias cli"):
                wait_for_rpc(here, command)
                continue
            output = here.run(here.filled(command))
            if "listdescriptors" in command:
                here.replaced["wpkh([5f0c6a41/84h/1h/0h]tpubDCk…/0/*)#m0l6u2sv"] = output.strip()
            if command.endswith("/addresses"):
                here.replaced["bcrt1q…"] = address_in(output)
        until(lambda: '"credited"' in here.run(here.filled(command)))


def wait_for_rpc(here: Machine, alias: str) -> None:
    """Define the page's alias, once the node in the background answers."""
    here.run(alias)
    until(lambda: _answers(here))


def _answers(here: Machine) -> bool:
    try:
        here.run("cli getblockchaininfo 2>/dev/null")
    except AssertionError:
        return False
    return True


def test_core_skips_pruned_blocks(
    start: Start, wallet: HardwareWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = start("-prune=1", "-fastprune", blocks=101)
    with Machine(tmp_path, monkeypatch, port_of(node)) as here:
        here.configure(node, wallet)
        here.serve("dtmf-server run --config dtmf.toml")
        token = here.run(here.filled("curl -s -X POST http://127.0.0.1:8000/api/v1/accounts"))
        here.run("export DTMF_TOKEN=" + re.findall(r"dtmf_\w+", token)[0])
        new = here.filled(
            'curl -s -X POST -H "Authorization: Bearer $DTMF_TOKEN" http://127.0.0.1:8000/api/v1/addresses'
        )
        paid = [address_in(here.run(new)) for _ in range(2)]
        here.run("kill %1; wait")
        for address in paid:
            node.pay(address, 50_000)
        node.mine(700)
        node.prune(500)
        pruned = node.call("getblockchaininfo")["pruneheight"] - 1  # whole files are pruned, so not exactly 500
        here.replaced = {"905000": str(pruned)}
        here.play("skip")


def test_core_restores_a_lost_database(
    start: Start, wallet: HardwareWallet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = start()
    with Machine(tmp_path, monkeypatch, port_of(node)) as here:
        here.configure(node, wallet)
        derive = here.run(f"bitcoin-cli deriveaddresses '{wallet.descriptor}' '[1,26]'")
        addresses = re.findall(r'"(bcrt1\w+)"', derive)
        for address, sats in ((addresses[4], 20_000), (addresses[4], 20_000), (addresses[25], 3000)):
            node.pay(address, sats)
        node.mine(3)

        def open_an_account(command: str) -> None:
            if "--suspense" not in command:
                return
            here.serve("dtmf-server run --config dtmf.toml")
            token = here.run(here.filled("curl -s -X POST http://127.0.0.1:8000/api/v1/accounts"))
            here.run("export DTMF_TOKEN=" + re.findall(r"dtmf_\w+", token)[0])
            new = 'curl -s -X POST -H "Authorization: Bearer $DTMF_TOKEN" http://127.0.0.1:8000/api/v1/addresses'
            here.replaced = {"OLD_ADDRESS": addresses[4], "NEW_ADDRESS": address_in(here.run(here.filled(new)))}

        assert "assigned, with 2 deposits: 40000 satoshis credited" in here.play("lost", open_an_account)
