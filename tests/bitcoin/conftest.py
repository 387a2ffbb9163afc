"""A node to follow: one of the RPC's shape in this process, and Bitcoin Core where DTMF_TEST_BITCOIND names one."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from bitcoin.core_node import CoreNode
from bitcoin.shaped_node import ShapedNode
from dtmf_server.bitcoin.core_rpc import CoreChain
from dtmf_server.bitcoin.descriptor import SANDBOX_DESCRIPTOR
from dtmf_server.bitcoin.rpc import Rpc
from dtmf_server.runtime import Runtime
from dtmf_server.storage import chain_state
from dtmf_server.workers.chain import look, ours

BITCOIND = os.environ.get("DTMF_TEST_BITCOIND")
Node = ShapedNode | CoreNode
Look = Callable[[], Awaitable[str | None]]


@pytest.fixture(scope="session")
def core() -> Iterator[CoreNode]:
    """One bitcoind for all tests: its chain goes on from test to test."""
    assert BITCOIND is not None
    started = CoreNode(BITCOIND)
    yield started
    started.close()


@pytest.fixture
def shaped() -> Iterator[ShapedNode]:
    """A node in this process."""
    made = ShapedNode()
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["shaped", *(["core"] if BITCOIND else [])])
def node(request: pytest.FixtureRequest) -> Node:
    """A node that answers."""
    found: Node = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def following(runtime: Runtime) -> Runtime:
    """The service with a real chain."""
    runtime.db.write_now(partial(chain_state.fix, network="regtest", descriptor=SANDBOX_DESCRIPTOR))
    depths = ((0, 2), (10_000_000, 4))
    return replace(runtime, settings=replace(runtime.settings, network="regtest", confirmations=depths))


@pytest.fixture
async def look_now(following: Runtime, node: Node) -> AsyncIterator[Look]:
    """One look at the node: what is there is followed, or the trouble told."""
    async with Rpc(node.url) as rpc:
        chain = CoreChain(rpc, "regtest", partial(ours, following))
        yield partial(look, following, chain)
