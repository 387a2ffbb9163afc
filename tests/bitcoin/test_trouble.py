"""A node that can't be followed: nothing is credited, nothing is guessed, and the reason is reported plainly."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bitcoin.conftest import Another, Look, LookAt, Node
from bitcoin.fake_bitcoind import ShapedNode
from bitcoin.renter import Renter, books_are_right
from dtmf_server.core.errors import DepositsUnavailable
from dtmf_server.core.money import SATS_MAX
from dtmf_server.operations.deposit import REORG_WINDOW
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain
from dtmf_server.storage import chain as stored_chain


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    """An account of a service that has synced to the tip."""
    assert await look_now() is None
    return Renter(following)


def trouble_noted(runtime: Runtime) -> str | None:
    state = runtime.db.read_blocking(chain.load)
    assert state is not None
    found: str | None = state["last_error"]
    return found


async def test_a_node_of_another_network_is_not_followed(
    following: Runtime, node: Node, look_now: Look, look_at: LookAt, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(2)
    assert "is on the network 'regtest', but bitcoin.network is 'main'" in (await look_at(node.url, "main") or "")
    assert trouble_noted(following) is not None
    assert renter.balance() == 0
    assert await look_now() is None
    assert (renter.balance(), trouble_noted(following)) == (5000, None)


async def test_a_node_in_its_initial_block_download_is_waited_for(
    following: Runtime, another: Another, look_at: LookAt
):
    node = another(blocks=0)
    assert "initial block download, at block 0 of 0" in (await look_at(node.url) or "")
    assert following.db.read_blocking(stored_chain.tip) is None
    with pytest.raises(DepositsUnavailable):
        Renter(following).address()


async def test_a_node_that_is_behind_is_waited_for_and_reverses_nothing(
    following: Runtime, node: Node, another: Another, look_now: Look, look_at: LookAt, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(2)
    await look_now()
    other = another(blocks=3)
    assert f"is at height 3 and does not know the last block followed, {node.tip()[0]}" in (
        await look_at(other.url) or ""
    )
    assert renter.balance() == 5000
    assert await look_now() is None
    assert (renter.balance(), renter.kinds()) == (5000, ["deposit.credited"])


async def test_a_node_on_another_chain_of_equal_height_reverses_nothing(
    node: Node, another: Another, look_now: Look, look_at: LookAt, renter: Renter
):
    node.pay(renter.address(), 5000)
    node.mine(REORG_WINDOW + 1)
    await look_now()
    other = another(blocks=node.tip()[0] + 1)
    assert "the best chain's block at height" in (await look_at(other.url) or "")
    assert renter.balance() == 5000
    assert await look_now() is None
    assert renter.balance() == 5000


async def test_an_unread_block_that_was_pruned_stops_crediting(following: Runtime, another: Another, look_at: LookAt):
    node = another("-prune=1", "-fastprune", blocks=101)
    assert await look_at(node.url) is None
    renter = Renter(following)
    node.pay(renter.address(), 5000)
    node.mine(700)
    node.prune(500)
    trouble = await look_at(node.url) or ""
    assert re.match(r"the node has pruned block 10\d, which has not been read", trouble)
    assert renter.balance() == 0
    if isinstance(node, ShapedNode):  # fetching all of it again would need a network
        node.prune(0)
        assert await look_at(node.url) is None
        assert renter.balance() == 5000


async def test_a_rescan_of_pruned_blocks_does_not_stop_new_deposits(
    following: Runtime, another: Another, look_at: LookAt
):
    node = another("-prune=1", "-fastprune", blocks=101)
    node.mine(700)
    assert await look_at(node.url) is None
    node.prune(500)
    renter = Renter(following)
    node.pay(renter.address(), 5000)
    node.mine(2)
    following.db.write_blocking(lambda tx: chain.ask_rescan(tx, 1))
    assert "while rescanning block 1 for `deposits rescan`: the node has pruned" in (await look_at(node.url) or "")
    assert renter.balance() == 5000
    following.db.write_blocking(lambda tx: chain.ask_rescan(tx, node.tip()[0] - 60))
    assert await look_at(node.url) is None
    assert (renter.balance(), trouble_noted(following)) == (5000, None)


async def test_a_reorganisation_deeper_than_the_stored_blocks_waits_for_the_operator(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    first = node.tip()[0]
    stays = node.pay(renter.address(), 5000)
    node.mine(4)
    lost = node.pay(renter.address(), 6000)
    node.mine(2)
    await look_now()
    tip = node.tip()[0]
    following.db.write_blocking(lambda tx: tx.run("DELETE FROM chain_blocks WHERE height < :height", height=tip))
    node.undo(2)
    node.spend_elsewhere(lost)
    node.mine(40)
    trouble = await look_now() or ""
    assert f"the best chain's block at height {tip}" in trouble
    assert "no block below it is remembered" in trouble
    assert renter.balance() == 11_000
    following.db.write_blocking(lambda tx: chain.ask_rescan(tx, first))
    assert await look_now() is None
    assert (renter.deposits()[stays], renter.deposits()[lost]) == (("credited", 44), ("reversed", 0))
    assert renter.kinds() == ["deposit.credited", "deposit.credited", "deposit.reversed"]
    assert (renter.balance(), books_are_right(following)) == (5000, True)


async def test_a_wrong_password_is_reported_without_showing_it(node: Node, look_at: LookAt):
    trouble = await look_at(node.url.replace("user:pass", "user:s3cret")) or ""
    assert "rejects the user name or password" in trouble
    assert "s3cret" not in trouble


@pytest.mark.parametrize("wrong", ["another block's", "cut short", "longer", "too many coins"])
async def test_an_invalid_block_stops_crediting(following: Runtime, shaped: ShapedNode, look_at: LookAt, wrong: str):
    assert await look_at(shaped.url) is None
    renter = Renter(following)
    address = renter.address()
    shaped.pay(address, SATS_MAX + 1 if wrong == "too many coins" else 5000)
    shaped.mine(2)
    good = shaped.chain[-2]
    raw = {"another block's": shaped.chain[-1].raw, "cut short": good.raw[:-9], "longer": good.raw + b"\0"}
    shaped.tree[good.hash] = replace(good, raw=raw.get(wrong, good.raw))
    shaped.mempool.clear()
    assert f"block {good.height} is invalid" in (await look_at(shaped.url) or "")
    assert renter.deposits() == {}
    assert trouble_noted(following) is not None


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """Serve the same answer to every request; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


REFUSED = b'[{"id": 0, "result": null, "error": {"code": -32601, "message": "Method not found"}}]'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        *((text, "does not answer like Bitcoin Core") for text in (b"", b"<html>", b"{}", b"[]", b"[1,2]", b"null")),
        *((text, "does not answer like Bitcoin Core") for text in (b"[1]", b'[{"id": 0}]', b'{"error": "no"}')),
        (REFUSED, "the node refused getblockchaininfo: Method not found"),
        (REFUSED.replace(b"-32601", b"-28").replace(b"Method not found", b"Loading"), "the node is starting: Loading"),
    ],
)
async def test_a_server_that_is_not_a_node_is_reported(following: Runtime, look_at: LookAt, answer: bytes, said: str):
    with answering(answer) as url:
        assert said in (await look_at(url) or "")
    assert following.db.read_blocking(stored_chain.tip) is None
