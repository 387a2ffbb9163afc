"""Promise 14: deposits follow the best chain in every case, on each node and each database.

DTMF_TEST_REORGS sets the number of reorganisations.
"""

import asyncio
import os
import random
from collections.abc import Callable
from functools import partial

import pytest

from bitcoin.conftest import Look, Node
from bitcoin.plain_deposits import PlainDeposits
from bitcoin.renter import Renter, books_are_right
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Tx

REORGS = int(os.environ.get("DTMF_TEST_REORGS", "15"))
LOOKS_MEANWHILE = 20


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    """An account of a service that has synced to the tip."""
    assert await look_now() is None
    return Renter(following)


def credited(tx: Tx) -> set[str]:
    """Return the transactions whose payments the service has credited."""
    return {row["txid"] for row in tx.all("SELECT txid FROM deposits WHERE status = 'credited'")}


def reversals(tx: Tx) -> int:
    """Return how many reversals the books have, from the balance or as a debt."""
    row = tx.one("SELECT count(DISTINCT ref) AS n FROM transfers WHERE kind IN ('deposit_reversed', 'debt')")
    assert row is not None
    return int(row["n"])


def step(plain: PlainDeposits, new_address: Callable[[], str], chance: random.Random) -> bool:
    """Make some payments and change the chain once; return whether it was a reorganisation."""
    for _ in range(chance.randrange(3)):
        plain.pay(new_address() if chance.random() < 0.2 or not plain.addresses else None, chance)
    match chance.randrange(4):
        case 0:
            plain.mine(chance.randrange(1, 3), empty=chance.random() < 0.3)
        case 1:
            plain.replace(chance)
        case _:
            return plain.reorganise(chance)
    return False


async def test_reorganisations_back_and_forth_leave_exactly_what_the_best_chain_pays(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    seed = random.randrange(2**32)
    chance, plain = random.Random(seed), PlainDeposits(node)
    reorganised = looks = downs = wrong_sats = 0
    while reorganised < REORGS:
        reorganised += step(plain, renter.address, chance)
        if chance.random() < 0.03:
            node.stop()
            assert "does not answer" in (await look_now() or "")
            downs += 1
            node.start()
        if chance.random() < 0.8:
            assert await look_now() is None, f"seed {seed}"
            looks, wrong_sats = looks + 1, wrong_sats + abs(renter.balance() - plain.looked())
    node.mine(2)
    assert await look_now() is None
    wrong_sats += abs(renter.balance() - plain.looked())
    missed = len(plain.credited.keys() ^ following.db.read_blocking(credited))
    double = abs(following.db.read_blocking(reversals) - plain.reversals)
    print(
        f"\nseed {seed}: {reorganised} reorganisations, node down {downs} times, {looks} looks,"
        f" {len(plain.credited)} deposits: {wrong_sats} sats wrong, {double} double reversals of {plain.reversals},"
        f" {missed} deposits missed"
    )
    assert (wrong_sats, double, missed) == (0, 0, 0), f"seed {seed}"
    assert books_are_right(following)


async def test_a_chain_that_changes_between_two_rpc_calls_is_followed(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    """Blocks come and go during a poll, so that answers contradict each other in every order."""
    seed = random.randrange(2**32)
    chance, plain = random.Random(seed), PlainDeposits(node)
    addresses = [renter.address() for _ in range(20)]

    def move() -> None:
        for _ in range(REORGS // 4 + 10):
            step(plain, partial(chance.choice, addresses), chance)

    moving = asyncio.create_task(asyncio.to_thread(move))
    looks = 0
    while not moving.done() or looks < LOOKS_MEANWHILE:
        await look_now()  # the poll may fail halfway: only the final state matters
        looks += 1
    await moving
    node.mine(2)  # anything in a block is now deep enough, whatever its history
    assert await look_now() is None
    wrong_sats = abs(renter.balance() - plain.looked())
    missed = len(plain.credited.keys() ^ following.db.read_blocking(credited))
    print(f"\nseed {seed}: {looks} looks meanwhile: {wrong_sats} sats wrong, {missed} deposits missed")
    assert (wrong_sats, missed) == (0, 0), f"seed {seed}"
    assert books_are_right(following)
