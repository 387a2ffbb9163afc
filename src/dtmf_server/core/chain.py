"""The chain as deposits see it, and when a deposit is credited or reversed. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

# How many confirmations an amount needs: (from so many satoshis, confirmations), ascending, the first from 0.
Depths = tuple[tuple[int, int], ...]
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


def required(depths: Depths, amount: int, *, coinbase: bool = False) -> int:
    """How many confirmations a deposit of that many satoshis needs."""
    needed = next(confirmations for from_sats, confirmations in reversed(depths) if amount >= from_sats)
    return max(needed, COINBASE_MATURITY) if coinbase else needed


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
