"""The chain as deposits see it, and when a deposit is credited or reversed. Pure.

How deep an output must be depends on what its account would lose in a reorganization, however that was split:

1. A rule (satoshis, confirmations) of `Depths` looks at everything paid to one account that has fewer confirmations than
   the rule asks for: in the mempool, in recent blocks, credited already or not.
2. If that is as many satoshis as the rule names or more, none of it is credited at that depth.
3. So less than that can ever be taken back from an account by a reorganization that is not as deep as the rule asks.
   More payments never lower a requirement, and no credit is taken back because of them.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

# Rules: (from so many satoshis, so many confirmations), both ascending, the first from 0.
ConfirmationTiers = tuple[tuple[int, int], ...]
COINBASE_MATURITY = 100  # confirmations before a miner's own coins can be spent: a rule of every node


@dataclass(frozen=True, slots=True)
class Output:
    """A transaction output that may pay one of our addresses."""

    txid: str
    vout: int
    script_pubkey: bytes
    amount: int
    coinbase: bool = False  # a miner's own, new with its block


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the best chain, and the hash of the one before it."""

    height: int
    hash: str
    previous: str
    outputs: Sequence[Output]


@dataclass(frozen=True, slots=True)
class Mempool:
    """What waits to be mined: every transaction, and those outputs of them that may be ours."""

    txids: Set[str]
    outputs: Sequence[Output]
    is_whole: bool = True  # False while the node reads it from its disk: what is missing may still come

    def has(self, txid: str) -> bool | None:
        """Whether the transaction waits; None while that is not known."""
        return True if txid in self.txids else False if self.is_whole else None


@dataclass(frozen=True, slots=True)
class ChainStep:
    """What changed of the best chain: blocks above `fork_height` are gone, `blocks` came, and the mempool at the tip,
    None where it was not looked at."""

    fork_height: int
    blocks: Sequence[Block]
    mempool: Mempool | None


def exposed(depths: ConfirmationTiers, paid: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Satoshis of one account below the depth of each rule. `paid` has the amount and the confirmations of each of its
    outputs; those that are in no block and not in the mempool are left out."""
    outputs = list(paid)
    return tuple(sum(amount for amount, depth in outputs if depth < needed) for _, needed in depths)


def required(depths: ConfirmationTiers, below: Sequence[int], depth: int, *, coinbase: bool = False) -> int:
    """Confirmations that an output needs, at least; it is deep enough when it has as many. `below` is what `exposed`
    gives for its account, `depth` how many confirmations the output has now."""
    needed = max(
        (
            confirmations
            for (from_sats, confirmations), sats in zip(depths, below, strict=True)
            if depth < confirmations and sats >= from_sats
        ),
        default=depths[0][1],
    )
    return max(needed, COINBASE_MATURITY) if coinbase else needed


def blocks_to_credit(depths: ConfirmationTiers, amount: int, others: Sequence[tuple[int, int]]) -> int:
    """How many blocks must be mined until a new output is credited, the first of which takes in all that waits. `others`
    are the account's other outputs, as in `exposed`."""
    for blocks in range(depths[0][1], depths[-1][1]):
        paid = [(amount, blocks), *((sats, depth + blocks) for sats, depth in others)]
        if required(depths, exposed(depths, paid), blocks) <= blocks:
            return blocks
    return depths[-1][1]


def confirmations(height: int | None, tip_height: int) -> int:
    """How many blocks confirm an output mined at that height; 0 for one in the mempool."""
    return 0 if height is None else tip_height - height + 1


def status_of_deposit(
    status: str, *, height: int | None, in_mempool: bool | None, tip_height: int, required: int
) -> str:
    """What a deposit's status becomes: 'pending', 'credited', 'reversed' or 'gone'.

    Credited at `required` confirmations. Once credited it stays so while any block of the best chain has it;
    without one the credit is reversed at once, and given again when it is confirmed again. One that is in no block is
    gone when the mempool does not have it; where the mempool is not known (None) it stays what it was.
    """
    if status == "credited":
        return "credited" if height is not None else "reversed"
    if confirmations(height, tip_height) >= required:
        return "credited"
    if status == "reversed":
        return "reversed"
    if height is None and in_mempool is None:
        return status
    return "pending" if height is not None or in_mempool else "gone"
