"""Deposits follow the best chain of a node, whatever it does: on one of the RPC's shape, and on Bitcoin Core."""

import os
import random

import pytest

from bitcoin.conftest import Look, Node
from bitcoin.plain_deposits import PlainDeposits
from dtmf_server.core.errors import DepositsUnavailable
from dtmf_server.operations import account, deposit, verify
from dtmf_server.runtime import Runtime
from dtmf_server.storage import chain_state, events
from harness import open_account

REORGS = int(os.environ.get("DTMF_TEST_REORGS", "15"))


class Renter:
    """An account, and what it sees of its deposits."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.id = open_account(runtime.db, seed=random.getrandbits(40))

    def address(self) -> str:
        derive, now_us = self._runtime.derive, self._runtime.clock.wall_us()
        assert derive is not None
        return self._runtime.db.write_now(lambda tx: deposit.new_address(tx, self.id, derive=derive, now_us=now_us))

    def balance(self) -> int:
        now_us = self._runtime.clock.wall_us()
        return self._runtime.db.read_now(lambda tx: account.balance(tx, self.id, now_us=now_us))

    def deposits(self) -> dict[str, tuple[str, int]]:
        """Status and confirmations of each, by transaction."""
        rows = self._runtime.db.read_now(lambda tx: deposit.deposits_of(tx, self.id))
        return {row["txid"]: (row["status"], depth) for row, depth in rows}

    def kinds(self) -> list[str]:
        rows = self._runtime.db.read_now(lambda tx: events.of_account(tx, self.id, after=0, limit=100))
        return [row["kind"] for row in rows]


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    """An account of a service that has reached the tip."""
    assert await look_now() is None
    return Renter(following)


def books_are_right(runtime: Runtime) -> bool:
    return runtime.db.read_now(verify.differences) == []


async def test_no_address_is_given_before_the_chain_was_followed(following: Runtime, node: Node, look_now: Look):
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


async def test_a_larger_deposit_needs_more_confirmations(node: Node, look_now: Look, renter: Renter):
    small, large = node.pay(renter.address(), 9_999_999), node.pay(renter.address(), 10_000_000)
    node.mine(2)
    await look_now()
    assert renter.deposits() == {small: ("credited", 2), large: ("pending", 2)}
    node.mine(2)
    await look_now()
    assert renter.deposits() == {small: ("credited", 4), large: ("credited", 4)}


async def test_an_address_takes_coins_for_ever_and_however_few(node: Node, look_now: Look, renter: Renter):
    address = renter.address()
    node.pay(address, 10_000)
    node.mine(3)
    for _ in range(3):
        renter.address()
    await look_now()
    node.pay(address, 546)  # the least that nodes pass on
    node.mine(3)
    await look_now()
    assert renter.balance() == 10_546


async def test_blocks_that_came_while_nobody_looked_are_followed(node: Node, look_now: Look, renter: Renter):
    address = renter.address()
    for _ in range(3):
        node.pay(address, 1000)
        node.mine(15)
    assert await look_now() is None
    assert renter.balance() == 3000
    assert renter.kinds() == ["deposit.credited"] * 3


async def test_a_payment_that_is_replaced_is_gone_at_once(
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


async def test_a_credit_is_reversed_once_when_its_block_goes_and_given_again_when_it_is_back(
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


async def test_a_double_spend_after_a_reorganisation_takes_the_coins_for_good(
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


async def test_a_node_that_is_down_stops_crediting_says_so_and_nothing_is_lost(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    node.pay(address, 4000)
    node.mine(2)
    node.stop()
    trouble = await look_now()
    assert trouble is not None
    assert "does not answer" in trouble
    state = following.db.read_now(chain_state.load)
    assert state is not None
    assert state["trouble"] == trouble
    assert renter.balance() == 0
    node.start()
    assert await look_now() is None
    assert renter.balance() == 4000
    state = following.db.read_now(chain_state.load)
    assert state is not None
    assert (state["trouble"], state["node_height"]) == (None, node.tip()[0])


async def test_a_rescan_finds_what_was_forgotten_and_credits_nothing_twice(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    first = node.tip()[0]
    known, forgotten = node.pay(address, 1000), node.pay(address, 2000)
    node.mine(5)
    following.db.write_now(lambda tx: tx.run("UPDATE addresses SET script_pubkey = :x", x=b"hidden"))
    await look_now()
    assert renter.deposits() == {}
    script = following.derive(1)[1] if following.derive else b""
    following.db.write_now(lambda tx: tx.run("UPDATE addresses SET script_pubkey = :x WHERE id = 1", x=script))
    for _ in range(2):
        following.db.write_now(lambda tx: chain_state.ask_rescan(tx, first))
        assert await look_now() is None
        assert renter.deposits() == {known: ("credited", 5), forgotten: ("credited", 5)}
        assert renter.balance() == 3000
    assert following.db.read_now(chain_state.load)["rescan_height"] is None  # type: ignore[index]  # it is there
    assert books_are_right(following)


async def test_reorganisations_back_and_forth_leave_exactly_what_the_best_chain_pays(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    """Row 14 of the promises: payments, blocks, reorganisations of 1 to 6 blocks, replacements, at random."""
    seed = random.randrange(2**32)
    chance, plain = random.Random(seed), PlainDeposits(node)
    reorganised = 0
    while reorganised < REORGS:
        for _ in range(chance.randrange(3)):
            plain.pay(renter.address() if chance.random() < 0.2 or not plain.addresses else None, chance)
        match chance.randrange(4):
            case 0:
                plain.mine(chance.randrange(1, 3), empty=chance.random() < 0.3)
            case 1:
                plain.replace(chance)
            case _:
                plain.reorganise(chance)
                reorganised += 1
        if chance.random() < 0.8:
            assert await look_now() is None, f"seed {seed}"
            assert renter.balance() == plain.looked(), f"seed {seed}"
    assert await look_now() is None
    wrong = renter.balance() - plain.looked()
    twice = len(following.db.read_now(verify.differences))
    print(f"seed {seed}, {reorganised} reorganisations: {wrong} sats wrong, {twice} differences in the books")
    assert (wrong, twice) == (0, 0)
