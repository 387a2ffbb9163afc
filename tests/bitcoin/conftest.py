"""A node to follow: the in-process fake, and Bitcoin Core if DTMF_TEST_BITCOIND asks for it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bitcoin.core_node import MINED_AT_FIRST, CoreNode
from bitcoin.fake_bitcoind import ShapedNode
from bitcoin.hardware_wallet import HardwareWallet
from dtmf_server.cli.main import main
from dtmf_server.payments.bitcoin.bitcoind import CoreChain
from dtmf_server.payments.bitcoin.descriptor import deriver
from dtmf_server.payments.bitcoin.json_rpc import Rpc
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain as stored_chain
from dtmf_server.workers.chain_follower import own_scripts, poll
from support.operator import write_configuration

BITCOIND = os.environ.get("DTMF_TEST_BITCOIND")
Node = ShapedNode | CoreNode
Look = Callable[[], Awaitable[str | None]]
LookAt = Callable[..., Awaitable[str | None]]
Another = Callable[..., Node]


@pytest.fixture(scope="session")
def core() -> Iterator[CoreNode]:
    """One bitcoind for all tests, which share its chain."""
    assert BITCOIND is not None
    started = CoreNode(BITCOIND)
    yield started
    started.close()


@pytest.fixture
def shaped() -> Iterator[ShapedNode]:
    """The in-process fake node."""
    made = ShapedNode()
    made.start()
    yield made
    made.close()


@pytest.fixture(params=["shaped", *(["core"] if BITCOIND else [])])
def node(request: pytest.FixtureRequest) -> Node:
    """A running node."""
    found: Node = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def another(node: Node) -> Iterator[Another]:
    """Start another node of the same kind, with its own chain of this many blocks."""
    with ExitStack() as stack:

        def start(*options: str, blocks: int = MINED_AT_FIRST) -> Node:
            if isinstance(node, CoreNode):
                assert BITCOIND is not None
                made: Node = CoreNode(BITCOIND, *options, blocks=blocks)
            else:
                made = ShapedNode(blocks, seed=6)
                made.start()
            stack.callback(made.close)
            return made

        yield start


@pytest.fixture
def following(runtime: Runtime, wallet: HardwareWallet) -> Runtime:
    """The service configured to follow a real chain."""
    descriptor = wallet.descriptor.partition("#")[0]
    runtime.db.write_blocking(partial(stored_chain.fix, network="regtest", descriptor=descriptor))
    settings = replace(runtime.settings, network="regtest", confirmations=((0, 2), (10_000_000, 4)))
    return replace(runtime, settings=settings, derive=deriver(wallet.descriptor, "regtest"))


@pytest.fixture
async def look_at(following: Runtime) -> LookAt:
    """Poll the node at this URL as if for the first time."""

    async def look_once(url: str, network: str = "regtest") -> str | None:
        async with Rpc(url) as rpc:
            return await poll(following, CoreChain(rpc, network, partial(own_scripts, following)))

    return look_once


@pytest.fixture
async def look_now(following: Runtime, node: Node) -> AsyncIterator[Look]:
    """Poll the node once: follow what is new, or return the trouble."""
    async with Rpc(node.url) as rpc:
        chain = CoreChain(rpc, "regtest", partial(own_scripts, following))
        yield partial(poll, following, chain)


@pytest.fixture
def wallet() -> HardwareWallet:
    """The operator's wallet, different in each test, so that no other test has paid to its addresses."""
    return HardwareWallet()


@pytest.fixture
def settings(node: Node, wallet: HardwareWallet, tmp_path: Path) -> Path:
    """The configuration of a service that uses this node."""
    write_configuration(tmp_path / "dtmf.toml", node.url, wallet.descriptor, mode="production")
    return tmp_path / "dtmf.toml"


@pytest.fixture
def command(
    settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run `dtmf-server` with this configuration; return exit status, stdout and stderr."""
    monkeypatch.setattr(
        "dtmf_server.runtime.logging.setup", lambda *_args, **_options: None
    )  # keep this process's own logging configuration

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--config", str(settings)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
