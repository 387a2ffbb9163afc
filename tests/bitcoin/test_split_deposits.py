"""`[[bitcoin.larger]]` considers what an account could lose in a reorganisation, however the amount is split."""

import random
from itertools import pairwise

import pytest

from bitcoin.conftest import Look, Node
from bitcoin.renter import Renter, books_are_right
from dtmf_server.cli.explain_text import explanation_lines
from dtmf_server.core import deposit_rules
from dtmf_server.operations import explain_deposit
from dtmf_server.runtime.context import Runtime

PART = 9_999_999  # one satoshi below the rule in `following`: 10,000,000 need 4 confirmations


@pytest.fixture
async def renter(following: Runtime, look_now: Look) -> Renter:
    """An account of a service that has synced to the tip."""
    assert await look_now() is None
    return Renter(following)


@pytest.mark.regression("larger-split")
async def test_ten_outputs_of_one_transaction_need_what_their_sum_needs(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    txid = node.pay_all([(address, PART)] * 10)
    for depth in (1, 2, 3):
        node.mine()
        await look_now()
        assert (renter.deposits(), renter.balance()) == ({txid: ("pending", depth)}, 0)
    node.mine()
    await look_now()
    assert (renter.deposits(), renter.balance()) == ({txid: ("credited", 4)}, 10 * PART)
    assert books_are_right(following)


@pytest.mark.regression("larger-split")
async def test_transactions_to_several_addresses_in_several_blocks_need_what_their_sum_needs(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    first, second = renter.address(), renter.address()
    early = node.pay(first, PART)
    node.mine()
    late = node.pay(second, PART)
    node.mine()
    await look_now()
    assert renter.deposits() == {early: ("pending", 2), late: ("pending", 1)}
    node.mine(2)
    await look_now()
    assert renter.deposits() == {early: ("credited", 4), late: ("credited", 3)}, (
        "below 4 confirmations alone, the later one needs only 2"
    )
    assert books_are_right(following)


@pytest.mark.regression("larger-split")
async def test_a_recently_credited_payment_counts_towards_the_next_and_stays_credited(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    address = renter.address()
    first = node.pay(address, PART)
    node.mine(2)
    await look_now()
    assert renter.deposits() == {first: ("credited", 2)}
    second = node.pay(address, PART)
    node.mine()
    await look_now()
    assert renter.deposits() == {first: ("credited", 3), second: ("pending", 1)}
    third = node.pay(address, PART)
    node.mine()
    await look_now()
    assert renter.deposits() == {first: ("credited", 4), second: ("pending", 2), third: ("pending", 1)}
    assert renter.kinds().count("deposit.reversed") == 0
    node.mine(4)
    await look_now()
    assert renter.balance() == 3 * PART
    assert books_are_right(following)


@pytest.mark.regression("larger-split")
async def test_payments_in_the_mempool_count_too(node: Node, look_now: Look, renter: Renter):
    mined = node.pay(renter.address(), PART)
    node.mine(2)
    waiting = node.pay(renter.address(), PART)
    await look_now()
    assert renter.deposits() == {mined: ("pending", 2), waiting: ("pending", 0)}


async def test_other_accounts_are_judged_by_their_own_sums(
    following: Runtime, node: Node, look_now: Look, renter: Renter
):
    other = Renter(following)
    node.pay_all([(renter.address(), PART), (other.address(), PART)])
    node.mine(2)
    await look_now()
    assert (renter.balance(), other.balance()) == (PART, PART)


@pytest.mark.regression("larger-split")
async def test_explain_shows_the_sum(following: Runtime, node: Node, look_now: Look, renter: Renter):
    txid = node.pay_all([(renter.address(), PART), (renter.address(), PART)])
    node.mine(2)
    await look_now()
    depths = following.settings.confirmations
    found = following.db.read_blocking(lambda tx: explain_deposit.explain(tx, txid, 0, depths=depths))
    said = explanation_lines(found) if found else []
    assert f"{2 * PART} satoshis of this account have fewer than 4 confirmations, and that total needs 4" in " ".join(
        said
    )


Depths = tuple[tuple[int, int], ...]


def any_depths(chance: random.Random) -> Depths:
    """Return random but valid rules."""
    sats = sorted(chance.sample(range(1, 1000), chance.randrange(4)))
    confirmations = sorted(chance.choices(range(1, 12), k=len(sats) + 1))
    return tuple(zip([0, *sats], confirmations, strict=True))


def needed(depths: Depths, paid: list[tuple[int, int]], depth: int) -> int:
    """Return the confirmations needed by an output at that depth, among these payments."""
    return deposit_rules.required(depths, deposit_rules.exposed(depths, paid), depth)


def test_splitting_never_lowers_the_required_confirmations():
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(3000):
        depths = any_depths(chance)
        others = [(chance.randrange(1, 900), chance.randrange(14)) for _ in range(chance.randrange(5))]
        amount, depth = chance.randrange(1, 1500), chance.randrange(14)
        whole = needed(depths, [*others, (amount, depth)], depth)
        cuts = sorted({0, amount, *(chance.randrange(amount) for _ in range(chance.randrange(4)))})
        pieces = [(after - before, chance.randrange(depth + 1)) for before, after in pairwise(cuts)]
        if whole > depth:  # it was not deep enough, so neither is any of its pieces
            assert all(needed(depths, [*others, *pieces], shallow) >= whole for _, shallow in pieces), (depths, pieces)
        together = [(sats, depth) for sats, _ in pieces]
        assert needed(depths, [*others, *together], depth) == whole, (depths, others, together)


def test_no_reorganisation_can_reverse_more_than_its_depth_allows():
    """Credit payments in random blocks by the rules: those credited below a rule's depth never add up to its amount."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(300):
        depths = any_depths(chance)
        paid: list[list[int]] = []  # amount, depth, credited
        for _ in range(40):
            for output in paid:
                output[1] += 1
            paid += [[chance.randrange(1, 700), chance.randrange(2), 0] for _ in range(chance.randrange(3))]
            below = deposit_rules.exposed(depths, [(sats, depth) for sats, depth, _ in paid])
            for output in paid:
                output[2] |= int(output[1] >= deposit_rules.required(depths, below, output[1]))
            for from_sats, confirmations in depths[1:]:
                at_risk = sum(sats for sats, depth, credited in paid if credited and depth < confirmations)
                assert at_risk < from_sats, (depths, paid)


def test_a_single_payment_needs_the_confirmations_of_its_rule():
    depths = ((0, 2), (10_000_000, 4), (100_000_000, 6))
    for amount, confirmations in ((1, 2), (9_999_999, 2), (10_000_000, 4), (99_999_999, 4), (100_000_000, 6)):
        assert [needed(depths, [(amount, depth)], depth) <= depth for depth in range(8)] == [
            depth >= confirmations for depth in range(8)
        ]
        assert deposit_rules.blocks_to_credit(depths, amount, []) == confirmations
    assert deposit_rules.blocks_to_credit(depths, 5_000_000, [(5_000_000, 0)]) == 4
    assert deposit_rules.blocks_to_credit(depths, 5_000_000, [(5_000_000, 2)]) == 2
    assert deposit_rules.blocks_to_credit(depths, 9_999_999, [(99_000_000, 1)]) == 5
