"""A node that can't be followed: nothing is credited, nothing is guessed, and the reason is said in words."""

import pytest

from bitcoin.conftest import Look
from bitcoin.shaped_node import ShapedNode
from bitcoin.test_deposits import Renter
from dtmf_server.runtime import Runtime
from dtmf_server.storage import chain_state, deposits


@pytest.fixture
def node(shaped: ShapedNode) -> ShapedNode:
    """Only the node in this process can be made to misbehave so."""
    return shaped


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    assert await look_now() is None
    return Renter(following)


def trouble_noted(runtime: Runtime) -> str | None:
    state = runtime.db.read_now(chain_state.load)
    assert state is not None
    found: str | None = state["trouble"]
    return found


async def test_a_node_of_another_network_is_not_followed(
    following: Runtime, node: ShapedNode, look_now: Look, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(2)
    node.network = "main"
    assert "is on the network 'main' and bitcoin.network is 'regtest'" in (await look_now() or "")
    assert trouble_noted(following) is not None
    assert renter.balance() == 0
    node.network = "regtest"
    assert await look_now() is None
    assert (renter.balance(), trouble_noted(following)) == (5000, None)


async def test_a_node_that_is_behind_is_waited_for_and_takes_nothing_back(
    following: Runtime, node: ShapedNode, look_now: Look, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(2)
    await look_now()
    height, _ = node.tip()
    other = ShapedNode(blocks=3)  # another copy of the chain, which has not come that far
    forgotten, node._tree, node._best = (node._tree, node._best), other._tree, other._best
    assert f"is at height 3 and does not know our block {height}" in (await look_now() or "")
    assert renter.balance() == 5000
    node._tree, node._best = forgotten
    assert await look_now() is None
    assert renter.balance() == 5000


async def test_a_pruned_block_that_was_not_read_stops_crediting(node: ShapedNode, look_now: Look, renter: Renter):
    node.pay(renter.address(), 5000)
    node.mine(5)
    node.pruned_below = node.tip()[0] - 1
    assert "has pruned block" in (await look_now() or "")
    assert renter.balance() == 0
    node.pruned_below = 0
    assert await look_now() is None
    assert renter.balance() == 5000


async def test_a_reorganisation_below_all_that_is_remembered_stops_crediting_and_takes_nothing_back(
    following: Runtime, node: ShapedNode, look_now: Look, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(4)
    await look_now()
    lowest_kept = node.tip()[0] - 2
    following.db.write_now(lambda tx: tx.run("DELETE FROM chain_blocks WHERE height < :height", height=lowest_kept))
    node.undo(5)
    node.mine(6, empty=True)
    trouble = await look_now() or ""
    assert "the best chain has another block at height" in trouble
    assert "we remember none below" in trouble
    assert renter.balance() == 5000


async def test_a_wrong_password_is_said_without_showing_the_right_one(following: Runtime, node: ShapedNode):
    from functools import partial

    from dtmf_server.bitcoin.core_rpc import CoreChain
    from dtmf_server.bitcoin.rpc import Rpc
    from dtmf_server.workers.chain import look, ours

    async with Rpc(node.url.replace("user:pass", "user:s3cret")) as rpc:
        trouble = await look(following, CoreChain(rpc, "regtest", partial(ours, following))) or ""
    assert "refuses our name or password" in trouble
    assert "s3cret" not in trouble


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b"[]", b"[1,2]", b"null"])
async def test_something_that_is_no_node_is_said_so(following: Runtime, answer: bytes):
    import threading
    from functools import partial
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from dtmf_server.bitcoin.core_rpc import CoreChain
    from dtmf_server.bitcoin.rpc import Rpc
    from dtmf_server.workers.chain import look, ours

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Keeps quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    async with Rpc(f"http://127.0.0.1:{server.server_port}") as rpc:
        trouble = await look(following, CoreChain(rpc, "regtest", partial(ours, following))) or ""
    server.shutdown()
    server.server_close()
    assert "does not answer as Bitcoin Core does" in trouble
    assert following.db.read_now(deposits.tip) is None
