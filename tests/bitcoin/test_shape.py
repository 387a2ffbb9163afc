"""Bitcoin Core's response to each call the service makes, tested on the in-process fake too, so that it can't drift."""

import re
from collections.abc import AsyncIterator

import pytest

from bitcoin.conftest import Node
from bitcoin.hardware_wallet import HardwareWallet
from dtmf_server.payments.bitcoin import block_parser
from dtmf_server.payments.bitcoin.descriptor import deriver
from dtmf_server.payments.bitcoin.json_rpc import MISC_ERROR, NOT_FOUND, OUT_OF_RANGE, Rpc, RpcError

NOBODYS = "00" * 31 + "01"


@pytest.fixture
async def rpc(node: Node) -> AsyncIterator[Rpc]:
    """The node's RPC client."""
    async with Rpc(node.url) as opened:
        yield opened


def address_of(wallet: HardwareWallet, index: int) -> tuple[str, bytes]:
    return deriver(wallet.descriptor, "regtest")(index)


async def refusal(rpc: Rpc, method: str, *parameters: object) -> int:
    with pytest.raises(RpcError) as refused:
        await rpc.call(method, *parameters)
    assert refused.value.message
    return refused.value.code


async def test_sync_progress(node: Node, rpc: Rpc):
    info = await rpc.call("getblockchaininfo")
    height, hash_ = node.tip()
    assert (info["chain"], info["initialblockdownload"]) == ("regtest", False)
    assert (info["blocks"], info["bestblockhash"]) == (height, hash_)
    assert info["headers"] >= height
    assert await rpc.call("getblockhash", height) == hash_
    assert await refusal(rpc, "getblockhash", height + 1) == OUT_OF_RANGE
    assert await refusal(rpc, "no such method") == -32601


async def test_blocks(node: Node, rpc: Rpc, wallet: HardwareWallet):
    address, script = address_of(wallet, 1)
    txid = node.pay(address, 5000)
    _, below = node.tip()
    node.mine()
    height, hash_ = node.tip()
    assert (await rpc.call("getblockheader", hash_))["height"] == height
    assert await refusal(rpc, "getblockheader", NOBODYS) == NOT_FOUND
    raw = bytes.fromhex(await rpc.call("getblock", hash_, 0))
    block = block_parser.block_of(raw, height, block_parser.transactions_of(raw), {script})
    assert (block.hash, block.previous) == (hash_, below)
    assert [(o.txid, o.vout, o.amount, o.coinbase) for o in block.outputs] == [(txid, 0, 5000, False)]
    lowest = node.undo(1)
    assert (await rpc.call("getblockheader", lowest))["hash"] == lowest  # off the best chain, but still known
    node.redo(lowest)


async def test_a_pruned_block(another: object, wallet: HardwareWallet):
    assert callable(another)
    node = another("-prune=1", "-fastprune", blocks=101)
    node.mine(700)
    node.prune(500)
    async with Rpc(node.url) as rpc:
        hash_ = await rpc.call("getblockhash", 102)
        with pytest.raises(RpcError, match="pruned") as refused:
            await rpc.call("getblock", hash_, 0)
        assert refused.value.code == MISC_ERROR
        assert (await rpc.call("getblockheader", hash_))["height"] == 102


async def test_the_mempool(node: Node, rpc: Rpc, wallet: HardwareWallet):
    address, script = address_of(wallet, 1)
    assert (await rpc.call("getmempoolinfo"))["loaded"] is True
    txid = node.pay(address, 5000)
    assert txid in await rpc.call("getrawmempool")
    transaction = block_parser.transaction_of(bytes.fromhex(await rpc.call("getrawtransaction", txid)))
    assert [(o.txid, o.vout, o.amount) for o in block_parser.outputs_to([transaction], {script})] == [(txid, 0, 5000)]
    assert await refusal(rpc, "getrawtransaction", NOBODYS) == NOT_FOUND
    node.mine()
    assert txid not in await rpc.call("getrawmempool")
    assert await refusal(rpc, "getrawtransaction", txid) == NOT_FOUND


async def test_one_output(node: Node, rpc: Rpc, wallet: HardwareWallet):
    address, script = address_of(wallet, 1)
    txid = node.pay(address, 123_456_789)
    for depth in (0, 1):
        found = await rpc.call("gettxout", txid, 0, True)
        assert (found["confirmations"], found["value"], found["coinbase"]) == (depth, 1.23456789, False)
        assert bytes.fromhex(found["scriptPubKey"]["hex"]) == script
        node.mine()
    assert await rpc.call("gettxout", txid, 99, True) is None
    assert await rpc.call("gettxout", NOBODYS, 0, True) is None
    node.spend(txid, 0, wallet.key(1))
    assert await rpc.call("gettxout", txid, 0, True) is None


async def test_coins_on_a_descriptor(node: Node, rpc: Rpc, wallet: HardwareWallet):
    wanted = [{"desc": wallet.descriptor.partition("#")[0], "range": [0, 5]}]
    (first, _), (last, last_script), (beyond, _) = (address_of(wallet, index) for index in (0, 5, 6))
    spent, kept = node.pay(first, 10_000), node.pay(last, 2000)
    node.pay(beyond, 3000)
    node.mine()
    height, _ = node.tip()
    node.spend(spent, 0, wallet.key(0))
    node.mine(to=last)
    found = await rpc.call("scantxoutset", "start", wanted)
    assert found["success"] is True
    assert sorted((one["coinbase"], one["height"]) for one in found["unspents"]) == [
        (False, height),
        (True, height + 1),
    ]
    one = next(one for one in found["unspents"] if not one["coinbase"])
    assert (one["txid"], one["vout"], one["amount"]) == (kept, 0, 0.00002)
    assert re.fullmatch("[0-9a-f]+", one["scriptPubKey"])
    assert bytes.fromhex(one["scriptPubKey"]) == last_script
