"""The chain as deposits see it, and when a deposit is credited or reversed. Pure.

The depth that an output needs depends on what its account could lose in a reorganization, however the payment was
split:
1. A rule (satoshis, confirmations) of `ConfirmationTiers` considers everything paid to one account that has fewer
   confirmations than the rule requires: in the mempool or in recent blocks, credited or not.
2. If the total reaches the rule's satoshis, none of it is credited at that depth.
3. So a reorganization shallower than the rule's confirmations can never take back that much from an account. More
   payments never lower a requirement, and never cause a credit to be taken back.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

# Rules: (minimum satoshis, confirmations), both ascending, the first from 0.
ConfirmationTiers = tuple[tuple[int, int], ...]
COINBASE_MATURITY = 100  # confirmations before a miner can spend newly mined coins: a consensus rule


@dataclass(frozen=True, slots=True)
class Output:
    """A transaction output that may pay one of our addresses."""

    txid: str
    vout: int
    script_pubkey: bytes
    amount: int
    coinbase: bool = False  # newly mined with its block


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the best chain, and the hash of its predecessor."""

    height: int
    hash: str
    previous: str
    outputs: Sequence[Output]


@dataclass(frozen=True, slots=True)
class Mempool:
    """The unconfirmed transactions, and those of their outputs that may pay us."""

    txids: Set[str]
    outputs: Sequence[Output]
    is_whole: bool = True  # False while the node loads it from disk: what is missing may still appear

    def has(self, txid: str) -> bool | None:
        """Return True if the transaction is in the mempool, None while that is not known."""
        return True if txid in self.txids else False if self.is_whole else None


@dataclass(frozen=True, slots=True)
class ChainStep:
    """A change of the best chain: blocks above `fork_height` are gone, `blocks` were added. `mempool` is the mempool at
    the tip, or None if it was not read."""

    fork_height: int
    blocks: Sequence[Block]
    mempool: Mempool | None


def exposed(depths: ConfirmationTiers, paid: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return the satoshis of one account below the depth of each rule. `paid` has the amount and confirmations of each
    of its outputs; outputs that are neither in a block nor in the mempool are left out."""
    outputs = list(paid)
    return tuple(sum(amount for amount, depth in outputs if depth < needed) for _, needed in depths)


def required(depths: ConfirmationTiers, below: Sequence[int], depth: int, *, coinbase: bool = False) -> int:
    """Return the minimum number of confirmations that an output needs. `below` is the result of `exposed` for its
    account, `depth` the output's current number of confirmations."""
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
    """Return how many blocks must be mined until a new output is credited, assuming that the first includes the whole
    mempool. `others` are the account's other outputs, as in `exposed`."""
    for blocks in range(depths[0][1], depths[-1][1]):
        paid = [(amount, blocks), *((sats, depth + blocks) for sats, depth in others)]
        if required(depths, exposed(depths, paid), blocks) <= blocks:
            return blocks
    return depths[-1][1]


def confirmations(height: int | None, tip_height: int) -> int:
    """Return the number of confirmations of an output mined at `height`; 0 if it is in the mempool."""
    return 0 if height is None else tip_height - height + 1


def status_of_deposit(
    status: str, *, height: int | None, in_mempool: bool | None, tip_height: int, required: int
) -> str:
    """Return the new status of a deposit: 'pending', 'credited', 'reversed' or 'gone'.

    A deposit is credited at `required` confirmations. It stays credited while any block of the best chain contains it;
    otherwise the credit is reversed immediately, and credited again once the deposit is confirmed again. A deposit in
    no block is 'gone' if the mempool does not contain it; if the mempool is not known (None), the status does not
    change.
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
