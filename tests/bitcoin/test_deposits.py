"""Deposits follow the best chain of a node in every situation, on the in-process fake and on Bitcoin Core."""

import pytest

from bitcoin.conftest import Another, Look, LookAt, Node
from bitcoin.fake_bitcoind import ShapedNode
from bitcoin.renter import Renter, books_are_right
from dtmf_server.core.errors import DepositsUnavailable, TooManyUnusedAddresses
from dtmf_server.payments.bitcoin.chain import BLOCKS_PER_STEP
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    """An account of a service that has synced to the tip."""
    assert await look_now() is None
    return Renter(following)


async def test_no_address_is_given_out_before_the_chain_is_synced(following: Runtime, node: Node, look_now: Look):
    early = Renter(following)
    with pytest.raises(DepositsUnavailable):
        early.address()
    assert await look_now() is None
    assert early.address()


async def test_a_deposit_is_pending_then_credited_at_its_depth(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 54_321)
    assert await look_now() is None
    assert renter.deposits() == {txid: ("pending", 0)}
    node.mine()
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("pending", 1)}, 0)
    node.mine()
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("credited", 2)}, 54_321)
    assert renter.kinds() == ["deposit.seen", "deposit.credited"]
    assert books_are_right(following)


async def test_a_larger_deposit_needs_more_confirmations(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    other = Renter(following)
    small, large = node.pay(other.address(), 9_999_999), node.pay(renter.address(), 10_000_000)
    node.mine(2)
    await look_now()
    assert (other.deposits(), renter.deposits()) == ({small: ("credited", 2)}, {large: ("pending", 2)})
    node.mine(2)
    await look_now()
    assert (other.deposits(), renter.deposits()) == ({small: ("credited", 4)}, {large: ("credited", 4)})


async def test_an_address_never_expires_and_accepts_any_amount(node: Node, look_now: Look, renter: Renter):
    address = renter.address()
    node.pay(address, 10_000)
    node.mine(3)
    for _ in range(3):
        renter.address()
    await look_now()
    node.pay(address, 546)  # the smallest output that nodes relay
    node.mine(3)
    await look_now()
    assert renter.balance() == 10_546


async def test_blocks_mined_between_polls_are_followed(node: Node, look_now: Look, renter: Renter):
    address = renter.address()
    for _ in range(3):
        node.pay(address, 1000)
        node.mine(15)
    assert await look_now() is None
    assert renter.balance() == 3000
    assert renter.kinds() == ["deposit.credited"] * 3


async def test_a_replaced_payment_is_shown_as_gone_at_once(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 5000)
    await look_now()
    node.spend_elsewhere(txid)
    await look_now()
    assert renter.deposits() == {txid: ("gone", 0)}
    node.mine(3)
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("gone", 0)}, 0)
    assert renter.kinds() == ["deposit.seen", "deposit.gone"]
    assert books_are_right(following)


async def test_a_credit_is_reversed_once_when_its_block_is_disconnected_and_restored_with_it(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 7000)
    node.mine(2)
    await look_now()
    lowest = node.undo(2)
    node.mine(3, empty=True)
    await look_now()
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("reversed", 0)}, 0)
    node.mine(2)
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("credited", 2)}, 7000)
    assert renter.kinds() == ["deposit.credited", "deposit.reversed", "deposit.credited"]
    node.redo(lowest)
    await look_now()
    assert renter.balance() == 7000
    assert books_are_right(following)


async def test_a_double_spend_after_a_reorganisation_removes_the_coins_permanently(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 7000)
    node.mine(2)
    await look_now()
    node.undo(2)
    node.spend_elsewhere(txid)
    node.mine(4)
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("reversed", 0)}, 0)
    assert books_are_right(following)


async def test_a_node_outage_pauses_crediting_and_is_reported_and_loses_nothing(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    node.pay(address, 4000)
    node.mine(2)
    node.stop()
    trouble = await look_now()
    assert trouble is not None
    assert "does not answer" in trouble
    state = following.db.read_blocking(chain.load)
    assert state is not None
    assert state["last_error"] == trouble
    assert renter.balance() == 0
    node.start()
    assert await look_now() is None
    assert renter.balance() == 4000
    state = following.db.read_blocking(chain.load)
    assert state is not None
    assert (state["last_error"], state["node_height"]) == (None, node.tip()[0])


async def test_a_rescan_finds_missed_deposits_and_credits_nothing_twice(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    first = node.tip()[0]
    known, forgotten = node.pay(address, 1000), node.pay(address, 2000)
    node.mine(5)
    following.db.write_blocking(lambda tx: tx.run("UPDATE addresses SET script_pubkey = :x", x=b"hidden"))
    await look_now()
    assert renter.deposits() == {}
    script = following.derive(1)[1] if following.derive else b""
    following.db.write_blocking(lambda tx: tx.run("UPDATE addresses SET script_pubkey = :x WHERE id = 1", x=script))
    for _ in range(2):
        following.db.write_blocking(lambda tx: chain.ask_rescan(tx, first))
        assert await look_now() is None
        assert renter.deposits() == {known: ("credited", 5), forgotten: ("credited", 5)}
        assert renter.balance() == 3000
    assert following.db.read_blocking(chain.load)["rescan_height"] is None  # type: ignore[index]  # it is there
    assert books_are_right(following)


async def test_a_dropped_payment_is_pending_again_as_soon_as_it_returns(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 5000)
    node.mine()
    await look_now()
    lowest = node.undo(1)
    node.spend_elsewhere(txid)
    await look_now()
    assert renter.deposits() == {txid: ("gone", 0)}
    node.redo(lowest)
    node.undo(1)
    await look_now()
    assert renter.deposits() == {txid: ("pending", 0)}
    node.mine(2)
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("credited", 2)}, 5000)
    assert renter.kinds() == ["deposit.seen", "deposit.gone", "deposit.seen", "deposit.credited"]
    assert books_are_right(following)


async def test_every_output_of_a_transaction_counts_even_two_to_one_address(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    other = Renter(following)
    address = renter.address()
    txid = node.pay_all([(address, 1000), (other.address(), 2000), (address, 1000)])
    await look_now()
    assert (renter.kinds(), other.kinds()) == (["deposit.seen"] * 2, ["deposit.seen"])
    node.mine(2)
    await look_now()
    assert (renter.balance(), other.balance()) == (2000, 2000)
    assert other.deposits() == {txid: ("credited", 2)}
    assert books_are_right(following)


async def test_an_output_of_zero_satoshis_is_not_a_deposit(following: Runtime, another: Another, look_at: LookAt):
    node = another("-dustrelayfee=0")
    assert await look_at(node.url) is None
    renter = Renter(following)
    node.pay_all([(renter.address(), 0), (renter.address(), 1000)])
    await look_at(node.url)
    assert len(renter.deposits()) == 1
    node.mine(2)
    await look_at(node.url)
    assert renter.balance() == 1000


async def test_a_coinbase_is_credited_at_maturity_and_reversed_with_its_block(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    node.mine(to=address)
    await look_now()
    ((lost, standing),) = renter.deposits().items()
    assert standing == ("pending", 1)
    node.undo(1)
    node.mine()
    node.mine(2, to=address)
    await look_now()
    found = renter.deposits()
    assert found.pop(lost) == ("gone", 0)
    assert sorted(found.values()) == [("pending", 1), ("pending", 2)]
    node.mine(97)
    await look_now()
    assert sorted(standing for standing, _ in renter.deposits().values()) == ["gone", "pending", "pending"]
    node.mine()
    await look_now()
    assert sorted(standing for standing, _ in renter.deposits().values()) == ["credited", "gone", "pending"]
    assert renter.balance() > 0
    assert books_are_right(following)


async def test_mempool_payments_stay_pending_during_a_long_sync(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 5000)
    await look_now()
    node.mine(3 * BLOCKS_PER_STEP, empty=True)
    await look_now()
    assert renter.deposits() == {txid: ("pending", 0)}
    assert renter.kinds() == ["deposit.seen"]


async def test_no_payment_is_gone_while_a_restarted_node_loads_its_mempool(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    txid = node.pay(renter.address(), 5000)
    await look_now()
    node.stop()
    await look_now()
    node.start()
    for loads in (True, False):
        if isinstance(node, ShapedNode):
            node.loads = loads
        assert await look_now() is None
        assert renter.deposits() == {txid: ("pending", 0)}
    assert renter.kinds() == ["deposit.seen"]


async def test_the_21st_unused_address_is_refused_until_one_is_used(node: Node, look_now: Look, renter: Renter):
    addresses = [renter.address() for _ in range(20)]
    assert len(set(addresses)) == 20
    with pytest.raises(TooManyUnusedAddresses):
        renter.address()
    node.pay(addresses[7], 1000)
    await look_now()
    assert renter.address() not in addresses
    with pytest.raises(TooManyUnusedAddresses):
        renter.address()
